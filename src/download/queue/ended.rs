//! What follows for the others from a download that ended.

use tokio::task::JoinError;

use super::{Done, Downloader, Failure, Run};
use crate::human;
use crate::store;

impl Downloader {
    /// Draws the conclusions from a job that ended.
    pub(super) fn ended(
        &self,
        done: Result<store::Result<Done>, JoinError>,
        run: &mut Run,
    ) -> store::Result<()> {
        let done = done.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("a download was aborted: {error}"),
        })?;
        let setup = self.setup.borrow().clone();
        let (now, at) = (setup.clock.monotonic(), setup.clock.now());
        let Some(failure) = done.failure else {
            run.archived += 1;
            self.pace.progress(now);
            *self.pause() = None;
            if let Some(host) = done.host
                && run.recovering.contains(&host)
            {
                self.pace.recovered(&host);
            }
            return Ok(());
        };
        self.end_pause_if_over(&failure);
        match &failure {
            Failure::Disk(_) | Failure::Api(_) => self.begin_pause(&failure, at),
            Failure::Space { needed, .. } => {
                let (wanted, looked_at) = run.space_wanted.unwrap_or((u64::MAX, now));
                run.space_wanted = Some((wanted.min(*needed), looked_at));
            }
            Failure::Stopped | Failure::Gone | Failure::Database(_) => {}
            Failure::Doubtful { .. } => {
                self.pace.progress(now);
            }
            failure => {
                if let Failure::RateLimited(until) = failure {
                    run.asked_until = run.asked_until.max(Some(*until));
                }
                if let Some(host) = &done.host {
                    run.recovering.remove(host);
                }
                self.pace.failed(&human::chain(failure), now, at);
            }
        }
        Ok(())
    }
}
