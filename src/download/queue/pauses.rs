//! Why no downloads are started now, or only one at a time: for health and for the view `pauses`.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::pause::Pause;
use super::{Downloader, Failure, PAUSE, Run};
use crate::download::Setup;
use crate::human;
use crate::store::{self, PauseKind, PauseRow};

/// A pause that comes again so soon for the same reason is not worth another line in the log.
const SAME_PAUSE: TimeDelta = TimeDelta::minutes(10);

impl Downloader {
    /// Why no downloads are started just now, if so.
    #[must_use]
    pub fn paused(&self) -> Option<Pause> {
        self.pause().clone()
    }

    /// Tries again at once what a pause stops: its cause may have been repaired. It ends once a download gets further.
    pub fn resume(&self) {
        if let Some(pause) = &mut *self.pause() {
            pause.until = DateTime::UNIX_EPOCH;
        }
        self.wake.wake();
    }

    pub(super) fn begin_pause(&self, failure: &Failure, now: DateTime<Utc>) {
        let (reason, asked) = match failure {
            Failure::Api(_) => (PauseKind::Api, failure.asked_until()),
            _ => (PauseKind::Disk, None),
        };
        let error = human::chain(failure);
        let mut pause = self.pause();
        // While some downloads end a pause and others begin it again, as on a disk that is nearly full, it is one.
        let met = self.met().insert(reason, now);
        let since = match &*pause {
            Some(before) if before.reason == reason => before.since,
            _ if met.is_some_and(|met| now - met < SAME_PAUSE) => {
                tracing::debug!("downloads pause again: {error}");
                now
            }
            _ => {
                tracing::warn!("downloads pause: {error}");
                now
            }
        };
        *pause = Some(Pause {
            reason,
            error,
            since,
            until: asked.unwrap_or(now + PAUSE),
            asked_for: asked.is_some(),
        });
    }

    /// Ends a pause if a download got further than its reason would have let it.
    pub(super) fn end_pause_if_over(&self, failure: &Failure) {
        let mut pause = self.pause();
        let reason = pause.as_ref().map(|pause| pause.reason);
        let got_further = match failure {
            // It had a part, and an answer of the API.
            Failure::Host(_)
            | Failure::Refused(_)
            | Failure::BrokeOff(_)
            | Failure::RateLimited(_)
            | Failure::Doubtful { .. }
            | Failure::NoLink
            | Failure::NotReady(_)
            | Failure::Gone => true,
            Failure::Mint(_) => reason == Some(PauseKind::Disk),
            _ => false,
        };
        if got_further {
            *pause = None;
        }
    }

    /// Nothing is due: if nothing is left at all, nobody finds out whether a pause still has its reason.
    pub(super) async fn forget_what_is_over(
        &self,
        setup: &Setup,
        now: DateTime<Utc>,
    ) -> store::Result<()> {
        let any = self.paused().is_some() || self.pace.slow().is_some();
        if any
            && !setup
                .store
                .is_any_left(now + TimeDelta::days(3650), true)
                .await?
        {
            *self.pause() = None;
            self.pace.forget();
        }
        Ok(())
    }

    fn met(&self) -> MutexGuard<'_, BTreeMap<PauseKind, DateTime<Utc>>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pause(&self) -> MutexGuard<'_, Option<Pause>> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the reasons for the view `pauses` when they have changed.
    pub(super) async fn show_pauses(&self, setup: &Setup, run: &mut Run) -> store::Result<()> {
        let pauses = self.pauses(setup);
        let is_known = |pause: &PauseRow| {
            let mut shown = run.shown.iter();
            shown.any(|shown| shown.reason == pause.reason && shown.subject == pause.subject)
        };
        // A reason's text changes from attempt to attempt: that alone is not worth a write.
        if pauses.len() != run.shown.len() || !pauses.iter().all(is_known) {
            setup.store.set_pauses(&pauses).await?;
            run.shown = pauses;
        }
        Ok(())
    }

    fn pauses(&self, setup: &Setup) -> Vec<PauseRow> {
        let row = |reason, subject, error, since| PauseRow {
            reason,
            subject,
            error,
            since,
        };
        let pause = self
            .paused()
            .map(|pause| row(pause.reason, String::new(), pause.error, pause.since));
        let slow = self
            .pace
            .slow()
            .map(|slow| row(PauseKind::Failures, String::new(), slow.error, slow.since));
        let hosts = setup.hosts.failing().into_iter();
        pause
            .into_iter()
            .chain(slow)
            .chain(hosts.map(|host| row(PauseKind::Host, host.host, host.error, host.since)))
            .collect()
    }
}
