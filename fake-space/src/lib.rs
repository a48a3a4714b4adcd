//! A SignalWire space for tests and demos, on two loopback ports.
//!
//! One origin serves the documented video API, the other S3-like media links that really are signed
//! and really expire. Time is the space's own ([`Space::advance`]); every request is in the journal
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
//! The map: `space` is the handle; `server` takes connections and `http` reads and writes them;
//! `api` (with `paging`) and `storage` (with `signing`) answer for the two origins out of `world`
//! (`model`, `bulk`, `media`); `faults` bends what they answer; `journal` writes it down.

#![allow(
    clippy::must_use_candidate,
    reason = "most of what a test calls here it calls for its effect"
)]

mod api;
mod bulk;
mod clock;
mod faults;
mod gate;
mod http;
mod journal;
mod lifecycle;
mod media;
mod model;
mod paging;
mod server;
mod signing;
mod space;
mod storage;
mod world;

pub use bulk::BulkSpec;
pub use faults::{Action, Answer, Chaos, Dice, Rule, RuleId};
pub use gate::Gate;
pub use journal::{Counters, Origin, Seen};
pub use lifecycle::Lifecycle;
pub use media::{Generated, Media};
pub use model::{NewRecording, NewSession, Recording, Reported, Session};
pub use space::{Complaints, NextLinks, Options, Order, SecureLinks, Space};
pub use world::{List, Patch};

/// The next number of a `SplitMix64` sequence: cheap, seeded, good enough for ids and noise.
fn mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Lower-case hex.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
