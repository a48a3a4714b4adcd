//! Sidecars: a JSON file beside each archived recording that says all that its row in the database needs, so that the
//! archive explains itself and a lost database can be rebuilt. What is to be written is noted in the database together
//! with the change that it follows from; [`Keeper`] writes it afterwards.

mod document;
mod keeper;

pub use document::{BadSidecar, Document, MOST};
pub use keeper::{Failed, Keeper, Outcome};
