//! One pass: its row, and its walk over the sessions.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Poller;
use super::listing::Brought;
use super::order::OrderWatch;
use super::plan::Kind;
use crate::model::SessionId;
use crate::signalwire::{self, Page};
use crate::store::{self, Horizon, PassCounts, PassKind, PassOutcome, Seen};

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: PassOutcome,
    /// What it saw and asked.
    pub counts: PassCounts,
    /// What kept it from being complete, or what it set aside.
    pub error: Option<String>,
    /// Recordings it found that can be downloaded now.
    pub due: u64,
}

/// Why a pass, or a part of it, could not go on.
#[derive(Debug)]
pub(super) enum Halt {
    Stopped,
    Api(signalwire::Error),
    Store(store::Error),
}

impl From<signalwire::Error> for Halt {
    fn from(error: signalwire::Error) -> Self {
        Self::Api(error)
    }
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// A pass under way: what it has seen so far.
pub(super) struct Run {
    pub kind: Kind,
    pub started: DateTime<Utc>,
    pub counts: PassCounts,
    pub due: u64,
    pub set_aside: u64,
    pub failures: Vec<signalwire::Error>,
    /// Sessions that the walk saw running: they need not be asked for one by one.
    pub running: HashSet<SessionId>,
    /// What a sweep has seen.
    pub seen: Seen,
}

impl Poller {
    /// One poll pass: new sessions, then the recordings of every session that is due.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn poll(&self) -> store::Result<Report> {
        self.pass(PassKind::Poll, Kind::Poll, async |run| {
            let walked = self.walk_sessions(run, true).await;
            // What the walk brought is worth listing, even if it was cut short.
            let listed = match &walked {
                Err(
                    Halt::Api(signalwire::Error::Credentials { .. })
                    | Halt::Store(_)
                    | Halt::Stopped,
                ) => Ok(()),
                _ => self.list_due(run).await,
            };
            let horizon = walked?;
            listed?;
            Ok(horizon)
        })
        .await
    }

    /// Runs `work` inside a pass row; the horizon it returns is kept if nothing failed.
    pub(super) async fn pass(
        &self,
        pass_kind: PassKind,
        kind: Kind,
        work: impl AsyncFnOnce(&mut Run) -> Result<Horizon, Halt>,
    ) -> store::Result<Report> {
        let started = self.clock.now();
        let requests_before = self.client.requests();
        let pass = self.store.begin_pass(pass_kind, started).await?;
        let mut run = Run {
            kind,
            started,
            counts: PassCounts::default(),
            due: 0,
            set_aside: 0,
            failures: Vec::new(),
            running: HashSet::new(),
            seen: Seen::default(),
        };
        let result = work(&mut run).await;
        if let Some(cooldowns) = self.cooldowns.take_changed(self.clock.now()) {
            self.store.set_cooldowns(&cooldowns).await?;
        }
        let mut horizon = None;
        let outcome = match result {
            Ok(seen) if run.failures.is_empty() => {
                horizon = Some(seen);
                PassOutcome::Complete
            }
            Ok(_) => PassOutcome::Incomplete,
            Err(Halt::Stopped) => PassOutcome::Stopped,
            Err(Halt::Api(error)) => {
                run.failures.insert(0, error);
                PassOutcome::Incomplete
            }
            Err(Halt::Store(error)) => return Err(error),
        };
        let refused =
            |error: &signalwire::Error| matches!(error, signalwire::Error::Credentials { .. });
        let outcome = if run.failures.iter().any(refused) {
            PassOutcome::Refused
        } else {
            outcome
        };
        if let Some(horizon) = horizon {
            self.store.set_horizon(horizon).await?;
        }
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
        })
    }

    /// Waits for a request, but not past a stop.
    pub(super) async fn asked<T>(
        &self,
        request: impl Future<Output = signalwire::Result<T>>,
    ) -> Result<T, Halt> {
        let answer = self.stop.run_until_cancelled(request).await;
        (self.beat)();
        Ok(answer.ok_or(Halt::Stopped)??)
    }

    /// Walks the list of sessions and writes each page. With `stop_early` it stops where everything
    /// older is known already, as long as the rows really come newest first.
    pub(super) async fn walk_sessions(
        &self,
        run: &mut Run,
        stop_early: bool,
    ) -> Result<Horizon, Halt> {
        let known = self.store.horizon().await?;
        let mut order = OrderWatch::default();
        let mut pages = self.client.room_sessions();
        while let Some(page) = self.asked(pages.next()).await? {
            run.set_aside += self.note_rejected(&page).await?;
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

    /// Counts and keeps what could not be read of a page.
    pub(super) async fn note_rejected<T>(&self, page: &Page<T>) -> store::Result<u64> {
        for rejected in &page.rejected {
            let text = format!(
                "item {} of a page was set aside: {}",
                rejected.index, rejected.reason
            );
            tracing::warn!("{text}");
            self.store
                .event_once_a_day(self.clock.now(), "set_aside", &text)
                .await?;
        }
        Ok(page.rejected.len() as u64)
    }
}

impl Run {
    pub fn add(&mut self, listing: &Brought) {
        self.counts.sessions_listed += listing.sessions_listed;
        self.counts.recordings_seen += listing.recordings_seen;
        self.counts.recordings_new += listing.recordings_new;
        self.due += listing.due;
        self.set_aside += listing.set_aside;
    }

    fn error(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(first) = self.failures.first() {
            parts.push(match self.failures.len() {
                1 => first.to_string(),
                n => format!("{first} (and {} more failures)", n - 1),
            });
        }
        if self.set_aside > 0 {
            parts.push(format!(
                "{} items could not be read and were set aside",
                self.set_aside
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
