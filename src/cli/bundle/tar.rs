//! Tar files of a few texts, in the format "ustar" of POSIX.1: blocks of 512 bytes.

use chrono::{DateTime, Utc};

const BLOCK: usize = 512;

/// Appends a file that its owner can read. The name is at most 100 bytes long.
pub(super) fn append(tar: &mut Vec<u8>, name: &str, content: &[u8], modified: DateTime<Utc>) {
    let mut header = [0; BLOCK];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000600\0");
    // User and group: root.
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, &format!("{:011o}\0", modified.timestamp().max(0)));
    // The sum is calculated with spaces in its own place.
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

/// Two empty blocks end it.
pub(super) fn end(tar: &mut Vec<u8>) {
    tar.resize(tar.len() + 2 * BLOCK, 0);
}
