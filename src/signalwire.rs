//! SignalWire's API: the only module that knows its paths, its JSON and its errors.
//!
//! Contract: SignalWire's published `openapi.video.yaml`. What it leaves open, the client accepts in any form.

mod client;
mod endpoints;
mod error;
mod limits;
mod pages;
mod refusals;
mod repair;
mod request;
mod wire;

pub use client::{Client, Options};
pub use error::{Error, Parameter, Result};
pub use pages::{Page, Pages, next_url, read_page};
pub use wire::{Arrival, Item, Rejected, stored};
