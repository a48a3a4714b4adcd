//! Copies of archived recordings in object stores (S3 and compatible).
//!
//! [`Target`] is one store: it sends single requests, and says exactly how one failed. It never tries again: when and
//! whether is decided by those who use it.

mod answer;
pub mod http;
mod target;
mod trouble;
mod xml;

pub use target::{Listed, Object, Place, Receipt, Target, UnfinishedUpload};
pub use trouble::{StoreError, Trouble};
