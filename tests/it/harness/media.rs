//! What recordings consist of.

use std::fmt::Write as _;

use fake_space::{Generated, Media};
use sha2::{Digest as _, Sha256};

/// Of so many bytes; the same for the same number.
pub fn media(size: u64) -> Media {
    Media::generated(Generated::of_size(size))
}

pub fn content(media: &Media) -> Vec<u8> {
    media.read(0..media.len()).flatten().collect()
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        _ = write!(text, "{byte:02x}");
    }
    text
}
