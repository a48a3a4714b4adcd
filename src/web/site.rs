//! What requests share.

use std::path::PathBuf;
use std::sync::Arc;

use super::db::{Database, Snapshots};
use super::trust::Trust;
use crate::clock::Clock;

pub(super) type Shared = Arc<Site>;

pub(super) struct Site {
    pub(super) database: Arc<Database>,
    pub(super) snapshots: Arc<Snapshots>,
    pub(super) archive: PathBuf,
    pub(super) trust: Trust,
    pub(super) clock: Clock,
}
