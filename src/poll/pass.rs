//! One pass: its row, and its walk over the sessions.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Poller;
use super::listing::{Brought, is_final};
use super::order::OrderWatch;
use super::plan::Kind;
use crate::model::SessionId;
use crate::signalwire::{self, Page};
use crate::store::{self, Horizon, PassCounts, PassKind, PassOutcome, Seen};

/// How often a pass beats while a request is under way.
const BEAT: Duration = Duration::from_secs(1);

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How it ended.
    pub outcome: PassOutcome,
    /// What it saw and asked.
    pub counts: PassCounts,
    /// What kept it from being complete, and what it put off or rejected.
    pub error: Option<String>,
    /// Recordings it found that can be downloaded now.
    pub due: u64,
    /// It ended because the API is rate-limiting us: it is of no use to ask again before then.
    pub rate_limited_until: Option<DateTime<Utc>>,
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
    /// Items of lists that could not be read.
    pub rejected: u64,
    /// Those of them that are recordings.
    pub recordings_rejected: u64,
    /// What keeps the pass from being complete.
    pub failures: Vec<String>,
    /// Single objects that could not be read: they are put off, and keep nothing else from going on.
    pub put_off: Vec<String>,
    /// Sessions that the walk saw running: they need not be asked for one by one.
    pub running: HashSet<SessionId>,
    /// What a sweep has seen.
    pub seen: Seen,
    /// Pages that the walk over the sessions brought.
    pages: u64,
    /// When the last request was answered well (monotonic); at first, when the pass began.
    pub good_at: Duration,
}

impl Poller {
    /// One poll pass: new sessions, then the recordings of every session that is due.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn poll(&self) -> store::Result<Report> {
        self.pass(PassKind::Poll, Kind::Poll, async |run| {
            let walked = match self.walk_sessions(run, true).await {
                Err(Halt::Api(error)) if self.is_worth_going_on(run, &error) => {
                    run.failures.push(error.to_string());
                    None
                }
                walked => Some(walked?),
            };
            // What the walk brought is worth listing, even if it was cut short.
            self.list_due(run).await?;
            Ok(walked)
        })
        .await
    }

    /// Runs `work` inside a pass row. The horizon it returns is that of a walk that came to its end.
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
                // What failed after the walk is put off in the database: the walk need not find it again.
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
                if let signalwire::Error::Patience { until } = error {
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

    /// Waits for a request, but not past a stop. It beats meanwhile: a request is bounded by its time-outs,
    /// however long those are.
    pub(super) async fn asked<T>(
        &self,
        request: impl Future<Output = signalwire::Result<T>>,
    ) -> Result<T, Halt> {
        let waiting = async {
            tokio::pin!(request);
            loop {
                (self.beat)();
                if let Ok(answer) = tokio::time::timeout(BEAT, &mut request).await {
                    return answer;
                }
            }
        };
        let answer = self.stop.run_until_cancelled(waiting).await;
        (self.beat)();
        Ok(answer.ok_or(Halt::Stopped)??)
    }

    /// After a walk over the sessions that failed: whether the rest of the pass can fare better. Not if no
    /// other request would, and not if nothing answers.
    pub(super) fn is_worth_going_on(&self, run: &Run, error: &signalwire::Error) -> bool {
        let silent = run.pages == 0 && matches!(error, signalwire::Error::Transport { .. });
        !is_final(error) && !silent && !self.is_failing_for_long(run)
    }

    /// Nothing but failures came for so long that the rest is left for the next pass.
    pub(super) fn is_failing_for_long(&self, run: &Run) -> bool {
        self.clock.monotonic().saturating_sub(run.good_at) > self.client.retry_window()
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
            run.pages += 1;
            run.good_at = self.clock.monotonic();
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

    /// Counts and keeps what could not be read of a page.
    pub(super) async fn note_rejected<T>(&self, page: &Page<T>) -> store::Result<u64> {
        for rejected in &page.rejected {
            let text = format!(
                "item {} of a page was rejected: {}",
                rejected.index, rejected.reason
            );
            tracing::warn!("{text}");
            self.store
                .event_once_a_day(self.clock.now(), "rejected", &text)
                .await?;
        }
        Ok(page.rejected.len() as u64)
    }
}

impl Run {
    fn new(kind: Kind, started: DateTime<Utc>, now: Duration) -> Self {
        Self {
            kind,
            started,
            counts: PassCounts::default(),
            due: 0,
            rejected: 0,
            recordings_rejected: 0,
            failures: Vec::new(),
            put_off: Vec::new(),
            running: HashSet::new(),
            seen: Seen::default(),
            pages: 0,
            good_at: now,
        }
    }

    pub fn add(&mut self, listing: Brought) {
        self.counts.sessions_listed += listing.sessions_listed;
        self.counts.recordings_seen += listing.recordings_seen;
        self.counts.recordings_new += listing.recordings_new;
        self.due += listing.due;
        self.rejected += listing.rejected;
        self.put_off.extend(listing.put_off);
    }

    fn error(&self) -> Option<String> {
        let mut parts = Vec::new();
        if let Some(first) = self.failures.first() {
            parts.push(match self.failures.len() {
                1 => first.clone(),
                n => format!("{first} (and {} more failures)", n - 1),
            });
        }
        if let Some(first) = self.put_off.first() {
            parts.push(match self.put_off.len() {
                1 => format!("1 request failed and is tried again later: {first}"),
                n => format!("{n} requests failed and are tried again later; the first: {first}"),
            });
        }
        if self.rejected > 0 {
            parts.push(match self.rejected {
                1 => "1 item could not be read and was rejected".to_owned(),
                n => format!("{n} items could not be read and were rejected"),
            });
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
