//! HTTP/1.1 without a framework, so that a response can be broken at any byte.

mod deliver;
mod request;
mod response;

pub(crate) use deliver::{deliver, reset};
pub(crate) use request::{Request, encode, read};
pub(crate) use response::{Body, Break, Framing, Response, date, reason};
