//! One pass: its row, and its walk over the sessions.

use super::Poller;
use super::order::OrderWatch;
use super::plan::Kind;
use super::run::{Halt, Report, Run};
use crate::signalwire;
use crate::store::{self, Horizon, PassKind, PassOutcome};

impl Poller {
    /// One poll pass: new sessions, then the recordings of every session that is due.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn poll(&self) -> store::Result<Report> {
        self.pass(PassKind::Poll, Kind::Poll, async |run| {
            let walked = match self.walk_sessions(run, true).await {
                Err(Halt::Api(error)) if self.should_continue(run, &error) => {
                    run.failures.push(error.to_string());
                    None
                }
                walked => Some(walked?),
            };
            // List what the walk found, even if it did not reach its end.
            self.list_due(run).await?;
            Ok(walked)
        })
        .await
    }

    /// Runs `work` and records it as a pass. The horizon that `work` returns is that of a complete walk.
    pub(super) async fn pass(
        &self,
        pass_kind: PassKind,
        kind: Kind,
        work: impl AsyncFnOnce(&mut Run) -> Result<Option<Horizon>, Halt>,
    ) -> store::Result<Report> {
        let started = self.clock.now();
        let requests_before = self.client.requests();
        let pass = self.store.begin_pass(pass_kind, started).await?;
        let mut run = Run::new(kind, started, self.clock.monotonic());
        let result = work(&mut run).await;
        if let Some(cooldowns) = self.cooldowns.take_changed(self.clock.now()) {
            self.store.set_cooldowns(&cooldowns).await?;
        }
        let mut rate_limited_until = None;
        let outcome = match result {
            Ok(horizon) => {
                // Sessions that failed after the walk are due again in the database: no walk has to find them again.
                if let Some(horizon) = horizon {
                    self.store.set_horizon(horizon).await?;
                }
                if run.failures.is_empty() {
                    PassOutcome::Complete
                } else {
                    PassOutcome::Incomplete
                }
            }
            Err(Halt::Stopped) => PassOutcome::Stopped,
            Err(Halt::Api(error)) => {
                run.failures.insert(0, error.to_string());
                if let signalwire::Error::RateLimited { until } = error {
                    rate_limited_until = Some(until);
                }
                match error {
                    signalwire::Error::Credentials { .. } => PassOutcome::Refused,
                    _ => PassOutcome::Incomplete,
                }
            }
            Err(Halt::Store(error)) => return Err(error),
        };
        run.counts.requests = self.client.requests() - requests_before;
        let error = run.error();
        self.store
            .end_pass(
                pass,
                self.clock.now(),
                run.counts,
                outcome,
                error.as_deref(),
            )
            .await?;
        Ok(Report {
            outcome,
            counts: run.counts,
            error,
            due: run.due,
            rate_limited_until,
        })
    }

    /// Walks the list of sessions and writes each page. With `stop_early` it stops where everything older is
    /// already known, if the list has been sorted newest first so far.
    pub(super) async fn walk_sessions(
        &self,
        run: &mut Run,
        stop_early: bool,
    ) -> Result<Horizon, Halt> {
        let known = self.store.horizon().await?;
        let mut order = OrderWatch::default();
        let mut pages = self.client.room_sessions();
        while let Some(page) = self.wait_for(pages.next()).await? {
            run.pages += 1;
            run.last_success = self.clock.monotonic();
            run.rejected += self.note_rejected(&page).await?;
            run.counts.sessions_seen += page.items.len() as u64;
            for session in &page.items {
                order.see(session);
                if session.ended_at().is_none() {
                    run.running.insert(session.id);
                }
            }
            let seen = (run.kind == Kind::Sweep).then_some(&mut run.seen);
            self.store
                .apply_sessions(&page.items, run.started, seen)
                .await?;
            let known = known.not_after(self.client.upstream_now());
            if stop_early && order.passed(known, self.settle) {
                break;
            }
        }
        Ok(order.horizon().not_after(self.client.upstream_now()))
    }
}
