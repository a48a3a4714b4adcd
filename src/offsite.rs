//! What copies are good for besides being there: files that leave the disk because of them, and files that come back.

mod evict;
mod fetch;

pub use evict::{EvictError, Evicted, Evictor};
pub use fetch::{FetchError, Fetched, Fetcher, Wanted};
