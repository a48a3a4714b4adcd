//! When passes begin: the configured schedules, spread.

use crate::config::Config;
use crate::reconcile::ARCHIVE_ID;
use crate::schedule::{Each, Schedule};
use crate::store::{self, Store};

/// The schedules in force for the archive of this database. Everything that shows the next run uses this.
pub async fn schedules(config: &Config, store: &Store) -> store::Result<Each<Schedule>> {
    let archive = if config.poll.spread {
        store.fact(ARCHIVE_ID).await?
    } else {
        None
    };
    let spread = |schedule: &Schedule| match &archive {
        Some(archive) => schedule.spread(archive),
        None => schedule.clone(),
    };
    Ok(Each {
        poll: spread(&config.poll.schedule),
        sweep: spread(&config.poll.sweep_schedule),
        verify: spread(&config.verify.schedule),
    })
}
