//! From received bytes to the part on the disk: batches, the bandwidth limit, the least speed.

pub(super) mod speed;
pub(super) mod writer;
