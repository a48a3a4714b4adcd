//! The bytes of one write to a part, gathered in memory that is aligned for `O_DIRECT`.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The alignment that `O_DIRECT` needs for address, position and length: no disk has larger logical blocks.
const BLOCK: usize = 4 << 10;
/// Bytes of a full batch: so many that writing them costs little compared with hashing.
const FULL: usize = 384 << 10;
/// How many parts may fill a second batch while the first is written; and how many buffers are kept for reuse.
const SPARES: usize = 8;

/// The memory of batches, which is reused: fresh memory costs a page fault for each 4 KiB. Clones share it.
#[derive(Debug, Clone)]
pub struct Batches {
    buffers: Arc<Mutex<Vec<Vec<u8>>>>,
    spares: Arc<Semaphore>,
}

impl Batches {
    /// An empty batch for the bytes of a part from `position` on. If that is within a block, the batch is shorter,
    /// so that the next one begins at a block.
    #[must_use]
    pub fn batch(&self, position: u64) -> Batch {
        let buffer = self.buffers().pop();
        let mut buffer = buffer.unwrap_or_else(|| Vec::with_capacity(FULL + BLOCK));
        let start = buffer.as_ptr().align_offset(BLOCK).min(BLOCK);
        buffer.resize(start, 0);
        let within = position % BLOCK as u64;
        Batch {
            buffer,
            start,
            most: FULL - usize::try_from(within).unwrap_or(0),
            pool: self.clone(),
        }
    }

    /// Permission to fill a batch while another is written; `None` when enough parts do so already.
    #[must_use]
    pub fn spare(&self) -> Option<OwnedSemaphorePermit> {
        self.spares.clone().try_acquire_owned().ok()
    }

    fn buffers(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            buffers: Arc::default(),
            spares: Arc::new(Semaphore::new(SPARES)),
        }
    }
}

/// Bytes that are written to a part together.
#[derive(Debug)]
pub struct Batch {
    /// Never grows beyond its capacity, so that it never moves: the bytes begin at an aligned address.
    buffer: Vec<u8>,
    start: usize,
    most: usize,
    pool: Batches,
}

impl Batch {
    /// Takes as many bytes from the front of a chunk as fit, and returns their number.
    pub fn fill(&mut self, chunk: &mut Bytes) -> usize {
        let taken = chunk.len().min(self.most - self.bytes().len());
        self.buffer.extend_from_slice(&chunk[..taken]);
        chunk.advance(taken);
        taken
    }

    /// Whether no more bytes fit.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes().len() == self.most
    }

    /// The bytes gathered so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Whether it is full, aligned, and consists of whole blocks.
    pub(super) fn is_blocks(&self) -> bool {
        self.bytes().len() == FULL && self.bytes().as_ptr().align_offset(BLOCK) == 0
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        let mut buffers = self.pool.buffers();
        if buffers.len() < SPARES {
            buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_batch_that_begins_within_a_block_the_next_ones_begin_with_a_block() {
        let batches = Batches::default();
        let mut position = 3 * BLOCK as u64 + 5;
        let mut chunk = Bytes::from(vec![7; 3 * FULL]);
        let mut batch = batches.batch(position);
        position += batch.fill(&mut chunk) as u64;
        assert!(batch.is_full() && !batch.is_blocks());
        assert_eq!(position % BLOCK as u64, 0);
        drop(batch);

        let mut batch = batches.batch(position);
        assert!(!batch.is_full() && batch.bytes().is_empty());
        batch.fill(&mut chunk);
        assert!(batch.is_full() && batch.is_blocks());
        assert!(batch.bytes().iter().all(|byte| *byte == 7));
    }
}
