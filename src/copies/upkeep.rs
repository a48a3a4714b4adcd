//! What is to be done for a target beside copies: uploads that are of no more use are aborted, strays looked for, copies
//! verified, each in its time.

use std::time::Duration;

use super::setup::Setup;
use super::upload::abort_abandoned;
use super::{StoreError, strays, verify};
use crate::schedule::slot_passed;
use crate::store;

/// How often it is looked what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often uploads to be aborted are looked for.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// When what is due next (monotonic).
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    look_at: Duration,
    tidy_at: Duration,
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

impl Upkeep {
    /// Does what is due at monotonic time `now`.
    pub(super) async fn run(&mut self, setup: &Setup, now: Duration) -> store::Result<Done> {
        let mut done = Done::default();
        if now < self.look_at {
            return Ok(done);
        }
        self.look_at = now + LOOK_EVERY;
        if now >= self.tidy_at {
            abort_abandoned(setup).await?;
            self.tidy_at = now + TIDY_EVERY;
        }
        let mut rows = setup.store.copy_targets().await?.into_iter();
        let Some(row) = rows.find(|row| row.id == setup.id) else {
            return Ok(done);
        };
        let time = setup.clock.now();
        if strays::are_due(row.strays_at, time) {
            done.failed = strays::abort(setup).await?;
            done.sought = done.failed.is_none();
        }
        let last = row.verified_at.unwrap_or(row.added_at);
        if done.failed.is_none() && slot_passed(&setup.verify_schedule, last, time) {
            done.failed = verify::run(setup).await?;
            done.verified = done.failed.is_none();
        }
        Ok(done)
    }
}
