//! A SignalWire space for tests and demos, on two loopback ports.
//!
//! One server has the documented video API, the other S3-like media links that are really signed and really
//! expire. Links expire by the space's own clock ([`State::advance`]); every request is in the journal
//! ([`Space::journal`]); faults are injected by rule ([`Space::inject`]).
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use fake_space::{Action, Options, Rule, Space};
//!
//! let space = Space::start(Options::default()).await.unwrap();
//! let (_session, _recording) = space.archivable("standup");
//! space.inject(Rule::media(Action::ResetAfter(1000)).once());
//! println!("{} {} {}", space.api_url(), space.project_id(), space.token());
//! # });
//! ```
//!
//! The modules, each of which uses only those above it:
//!
//! - `clock`, `dice`, `gate`, `hex`, `lock`, `options`; `media` (files) and `http` (requests and responses);
//! - `model` (sessions and recordings), `bulk` (a million of them), `world` (all of them, and their lists);
//! - `signing` and `paging` of links; `journal`;
//! - `state`: all that tests change and servers read;
//! - `api` and `storage`: the responses of the two servers; `faults`: what rules do to them;
//! - `server`: connections; `space`: the handle to both servers; `chaos` and `lifecycle`: things that
//!   happen in a running space by themselves.

#![allow(
    clippy::must_use_candidate,
    reason = "most methods are called for their effect, and their result is often not needed"
)]

mod api;
mod bulk;
mod chaos;
mod clock;
mod dice;
mod faults;
mod gate;
mod hex;
mod http;
mod journal;
mod lifecycle;
mod lock;
mod media;
mod model;
mod options;
mod paging;
mod server;
mod signing;
mod space;
mod state;
mod storage;
mod world;

pub use bulk::BulkSpec;
pub use chaos::Chaos;
pub use dice::Dice;
pub use faults::{Action, Answer, Rule, RuleId};
pub use gate::Gate;
pub use journal::{Counters, Origin, Seen};
pub use lifecycle::Lifecycle;
pub use media::{Fixture, Generated, Media};
pub use model::{NewRecording, NewSession, Recording, Reported, Status};
pub use options::{ErrorFormat, NextLinks, Options, Order, SecureLinks};
pub use space::Space;
pub use state::State;
pub use world::{List, Patch};
