//! What the tests stand on, a file for each purpose.

mod archive;
pub mod bucket;
mod capability;
mod child;
pub mod disk;
pub mod filled;
pub mod invariant;
mod media;
pub mod network;
mod probe;
pub mod receiver;
mod screen;
mod setting;
mod sqlite;
mod stage;
mod terminal;
pub mod users;

use std::time::Duration;

pub use archive::Archive;
pub use capability::{Capability, has, skip};
pub use child::Child;
pub use media::{content, media, sha256};
pub use probe::{fetch, get, healthy, listening, unhealthy};
pub use receiver::{Receiver, SECRET, Sent};
pub use screen::{Screen, Shown};
pub use setting::{BY_ID, EVERY_SECOND, Setting, collect, names, occupy};
pub use sqlite::{Other, sqlite, sqlite_write};
pub use stage::Stage;
pub use terminal::Terminal;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);
