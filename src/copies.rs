//! Copies of archived recordings in object stores (S3 and compatible).
//!
//! [`Target`] is one store: it sends single requests, and says exactly how one failed. It never tries again: when and
//! whether is decided by those who use it. [`Copier`] copies what the store says is due, a job for each recording:
//!
//! ```text
//! look at the key (HEAD) → read and hash the file → send it, or its parts → complete → look again
//! many small files: read and hash the file → create the object unless there is one → a list shows many of them
//!     → state copied → send the sidecar
//! ```

mod answer;
mod breaker;
mod buffers;
mod confirm;
mod failed;
mod first_look;
pub mod http;
mod job;
mod look;
mod object;
mod place;
mod queue;
mod setup;
mod sidecar;
mod source;
mod strays;
mod target;
mod trouble;
mod upkeep;
mod upload;
mod verify;
mod xml;

pub use object::{Listed, Object, Receipt, UnfinishedUpload};
pub use place::Place;
pub use queue::Copier;
pub use setup::Setup;
pub use target::Target;
pub use trouble::{StoreError, Trouble};
