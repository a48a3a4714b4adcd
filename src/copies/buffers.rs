//! Memory for what is read of files, used again as long as there is something to copy: the parts of an upload come and
//! go by the megabyte.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of one buffer: of one read, and of one write to the socket.
pub(super) const READ: usize = 256 << 10;

/// Buffers that are free. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// A buffer of this length, [`READ`] at most. Its content is any.
    pub(super) fn take(&self, length: usize) -> Buffer {
        let free = self.lock().pop();
        Buffer {
            whole: free.unwrap_or_else(|| vec![0; READ]),
            length: length.min(READ),
            buffers: self.clone(),
        }
    }

    /// Gives the memory of the free ones back.
    pub(super) fn release(&self) {
        *self.lock() = Vec::new();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer, which is free again once it is dropped.
#[derive(Debug)]
pub(super) struct Buffer {
    whole: Vec<u8>,
    length: usize,
    buffers: Buffers,
}

impl Buffer {
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.whole[..self.length]
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.whole[..self.length]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let whole = std::mem::take(&mut self.whole);
        self.buffers.lock().push(whole);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn memory_is_used_again_until_it_is_released() {
        let buffers = Buffers::default();
        let mut first = buffers.take(3);
        first.bytes().copy_from_slice(b"abc");
        let sent = Bytes::from_owner(first);
        let (part, second) = (sent.slice(1..), buffers.take(READ));
        drop((sent, second));
        assert_eq!(buffers.lock().len(), 1, "one is still in use");
        assert_eq!(&part[..], b"bc");
        drop(part);
        assert_eq!(buffers.lock().len(), 2);
        assert_eq!(buffers.take(READ + 1).as_ref().len(), READ);
        assert_eq!(buffers.lock().len(), 2, "none was made");
        buffers.release();
        assert_eq!(buffers.lock().len(), 0);
    }
}
