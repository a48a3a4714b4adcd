//! The bytes of one write to a part, gathered where the disk can take them from as they lie.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What `O_DIRECT` wants of an address, a position and a length: no disk's logical block is larger.
const BLOCK: usize = 4 << 10;
/// Bytes of a full batch: enough for one request to the disk to cost little beside hashing them.
const FULL: usize = 384 << 10;
/// Parts that may have a second batch, to gather in while the first is written; and batches kept for the next.
const SPARES: usize = 8;

/// The memory of batches, used again and again: fresh memory costs a page fault each 4 KiB. Clones share it.
#[derive(Debug, Clone)]
pub struct Batches {
    rooms: Arc<Mutex<Vec<Vec<u8>>>>,
    spares: Arc<Semaphore>,
}

impl Batches {
    /// An empty batch, for the bytes from `position` of a part on. After one that begins within a block, the
    /// next begins with a block.
    #[must_use]
    pub fn batch(&self, position: u64) -> Batch {
        let room = self.rooms().pop();
        let mut room = room.unwrap_or_else(|| Vec::with_capacity(FULL + BLOCK));
        let start = room.as_ptr().align_offset(BLOCK).min(BLOCK);
        room.resize(start, 0);
        let within = position % BLOCK as u64;
        Batch {
            room,
            start,
            most: FULL - usize::try_from(within).unwrap_or(0),
            home: self.clone(),
        }
    }

    /// Leave to gather a batch while another is written; `None` when enough parts do so already.
    #[must_use]
    pub fn spare(&self) -> Option<OwnedSemaphorePermit> {
        self.spares.clone().try_acquire_owned().ok()
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Batches {
    fn default() -> Self {
        Self {
            rooms: Arc::default(),
            spares: Arc::new(Semaphore::new(SPARES)),
        }
    }
}

/// Bytes that are written to a part together.
#[derive(Debug)]
pub struct Batch {
    /// Never longer than it was made for, so that it never moves: the bytes begin at a block's address.
    room: Vec<u8>,
    start: usize,
    most: usize,
    home: Batches,
}

impl Batch {
    /// Takes what it has room for off a chunk's front, and returns how many bytes that were.
    pub fn fill(&mut self, chunk: &mut Bytes) -> usize {
        let taken = chunk.len().min(self.most - self.bytes().len());
        self.room.extend_from_slice(&chunk[..taken]);
        chunk.advance(taken);
        taken
    }

    /// Whether it has room for no more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes().len() == self.most
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.room[self.start..]
    }

    /// Whether it is full and whole blocks.
    pub(super) fn is_blocks(&self) -> bool {
        self.bytes().len() == FULL && self.bytes().as_ptr().align_offset(BLOCK) == 0
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let mut room = mem::take(&mut self.room);
        room.clear();
        let mut rooms = self.home.rooms();
        if rooms.len() < SPARES {
            rooms.push(room);
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
