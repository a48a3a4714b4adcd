//! When passes begin: the configured schedules, spread.

use crate::config::Config;
use crate::reconcile::ARCHIVE_ID;
use crate::schedule::{Each, Schedule};
use crate::store::{self, Store};

/// The archive by which the schedules are spread; `None`: they are not.
pub async fn spread_by(config: &Config, store: &Store) -> store::Result<Option<String>> {
    if config.poll.spread {
        store.fact(ARCHIVE_ID).await
    } else {
        Ok(None)
    }
}

/// The schedules in force for the archive of this database.
pub async fn schedules(config: &Config, store: &Store) -> store::Result<Each<Schedule>> {
    let archive = spread_by(config, store).await?;
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
