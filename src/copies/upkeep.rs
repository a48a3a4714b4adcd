//! What is to be done for a target beside copies: uploads that are of no more use are aborted, strays looked for, copies
//! verified, each in its time.

use std::time::Duration;

use super::setup::Setup;
use super::upload::abort_abandoned;
use super::{StoreError, strays, verify};
use crate::schedule::slot_passed;
use crate::store;

/// How often it is looked what is due, and how long after a failure.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_mins(1);
/// How often uploads to be aborted are looked for.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// When it is the turn of upkeep (monotonic).
#[derive(Debug, Default)]
pub(super) struct Turn {
    look_at: Duration,
    tidy_at: Duration,
    running: bool,
}

impl Turn {
    /// Begins at time `now`, if it is its turn. Returns whether uploads to be aborted are looked for, too.
    pub(super) fn begin(&mut self, now: Duration) -> Option<bool> {
        if self.running || now < self.look_at {
            return None;
        }
        self.running = true;
        let tidy = now >= self.tidy_at;
        if tidy {
            self.tidy_at = now + TIDY_EVERY;
        }
        Some(tidy)
    }

    /// It ended.
    pub(super) fn end(&mut self, failed: bool, now: Duration) {
        self.running = false;
        self.look_at = now + if failed { AGAIN } else { LOOK_EVERY };
    }
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The copies were verified.
    pub verified: bool,
    /// Strays were looked for.
    pub sought: bool,
    /// How the target failed.
    pub failed: Option<StoreError>,
}

/// Does what is due.
pub(super) async fn run(setup: &Setup, tidy: bool) -> store::Result<Done> {
    let mut done = Done::default();
    if tidy {
        abort_abandoned(setup).await?;
    }
    let mut rows = setup.store.copy_targets().await?.into_iter();
    let Some(row) = rows.find(|row| row.id == setup.id) else {
        return Ok(done);
    };
    let now = setup.clock.now();
    if strays::are_due(row.strays_at, now) {
        done.failed = strays::abort(setup).await?;
        done.sought = done.failed.is_none();
    }
    let last = row.verified_at.unwrap_or(row.added_at);
    if done.failed.is_none() && slot_passed(&setup.verify_schedule, last, now) {
        done.failed = verify::run(setup).await?;
        done.verified = done.failed.is_none();
    }
    Ok(done)
}
