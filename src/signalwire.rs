//! The vendor's API: the only module that knows its paths, its JSON and its errors.
//!
//! Contract: SignalWire's published `openapi.video.yaml`. Where it is silent the client works either way.

mod client;
mod error;
mod limits;
mod pages;
mod repair;
mod request;
mod wire;

pub use client::{Client, Options};
pub(crate) use error::reason;
pub use error::{Error, Parameter, Result};
pub use pages::{Page, Pages, next_url, read_page};
pub use wire::{Arrival, Item, Rejected};
