//! Lists the recordings of the sessions that are due, and places each where it belongs.

use futures::{StreamExt as _, stream};

use super::Poller;
use super::pass::{Halt, Run};
use super::plan::{Kind, plan, position};
use super::schedule::{Listing, next_listing};
use crate::model::{Listed, Recording, SessionId, UpstreamStatus};
use crate::signalwire::{self, Page};
use crate::store::{self, DueSession, NEXT_PASS};

/// Sessions taken from the database at a time.
const BATCH: u32 = 200;
/// Listings that may fail in a row before the rest is left for the next pass: the vendor is down.
const FAILURES_IN_A_ROW: u32 = 5;

/// What listing one session brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub sessions_listed: u64,
    pub recordings_seen: u64,
    pub recordings_new: u64,
    pub due: u64,
    pub set_aside: u64,
}

impl Poller {
    /// Lists the recordings of every session that was due when the pass began.
    pub(super) async fn list_due(&self, run: &mut Run) -> Result<(), Halt> {
        let mut after: Option<DueSession> = None;
        let mut failed_in_a_row = 0;
        loop {
            let batch = self
                .store
                .due_sessions(run.started, after.as_ref(), BATCH)
                .await?;
            let Some(last) = batch.last().cloned() else {
                return Ok(());
            };
            let running = &run.running;
            let mut listings = stream::iter(batch)
                .map(|due| {
                    let seen = running.contains(&due.id);
                    self.list_session(due, seen, run.kind)
                })
                .buffer_unordered(self.concurrency);
            let mut done = Vec::new();
            while let Some(listed) = listings.next().await {
                failed_in_a_row = if listed.is_err() {
                    failed_in_a_row + 1
                } else {
                    0
                };
                let halt = matches!(
                    listed,
                    Err(Halt::Stopped
                        | Halt::Store(_)
                        | Halt::Api(
                            signalwire::Error::Credentials { .. }
                                | signalwire::Error::Patience { .. }
                        ))
                );
                done.push(listed);
                if halt || failed_in_a_row >= FAILURES_IN_A_ROW {
                    break;
                }
            }
            drop(listings);
            let give_up = failed_in_a_row >= FAILURES_IN_A_ROW;
            for listed in done {
                match listed {
                    Ok(counts) => run.add(&counts),
                    Err(Halt::Api(error)) => run.failures.push(error),
                    Err(halt) => return Err(halt),
                }
            }
            let spent = |error: &signalwire::Error| {
                matches!(
                    error,
                    signalwire::Error::Credentials { .. } | signalwire::Error::Patience { .. }
                )
            };
            if give_up || run.failures.iter().any(spent) {
                return Ok(());
            }
            after = Some(last);
        }
    }

    /// Lists one session in full and decides when it is due again.
    async fn list_session(
        &self,
        due: DueSession,
        seen_running: bool,
        kind: Kind,
    ) -> Result<Brought, Halt> {
        let due = if due.stub || (due.ended_at.is_none() && !seen_running) {
            match self.describe(&due).await? {
                Some(due) => due,
                None => return Ok(Brought::default()),
            }
        } else {
            due
        };
        let mut counts = Brought::default();
        let mut pages = self.client.session_recordings(due.id);
        while let Some(mut page) = self.asked(pages.next()).await? {
            for listed in &mut page.items {
                listed.recording.session_id.get_or_insert(due.id);
            }
            counts.set_aside += page.rejected.len() as u64;
            let applied = self.apply(&page, kind).await?;
            counts.recordings_seen += page.items.len() as u64;
            counts.recordings_new += applied.new;
            counts.due += applied.due;
        }
        counts.sessions_listed = 1;
        let open = self.store.session_open(due.id).await?;
        let now = self.clock.now();
        let listing = next_listing(
            &due.status,
            due.started_at,
            due.ended_at,
            open,
            self.client.upstream_now(),
            self.settle,
        );
        let next = match listing {
            Listing::NextPoll => Some(now + NEXT_PASS),
            Listing::After(step) => Some(now + step.max(NEXT_PASS.to_std().unwrap_or_default())),
            Listing::Settled => None,
        };
        self.store.session_listed(due.id, now, next).await?;
        Ok(counts)
    }

    /// Asks for one session: one that is known from a recording alone, or that runs although the walk
    /// did not come by it. `None`: it is gone.
    pub(super) async fn describe(&self, due: &DueSession) -> Result<Option<DueSession>, Halt> {
        let answer = self.asked(self.client.room_session(due.id)).await;
        let described = match answer {
            Ok(Some(session)) => {
                self.store
                    .apply_sessions(std::slice::from_ref(&session), self.clock.now(), false)
                    .await?;
                Some(DueSession {
                    status: session.status.clone(),
                    started_at: session.start_time.or(session.created_at),
                    ended_at: session.ended_at(),
                    stub: false,
                    ..due.clone()
                })
            }
            Ok(None) => {
                self.store.session_gone(due.id, self.clock.now()).await?;
                None
            }
            Err(halt) => {
                self.replace(Some(due.id)).await?;
                return Err(halt);
            }
        };
        self.replace(Some(due.id)).await?;
        Ok(described)
    }

    /// Writes a page of recordings and keeps the links of those that can be downloaded.
    pub(super) async fn apply(
        &self,
        page: &Page<Listed>,
        kind: Kind,
    ) -> Result<store::Applied, Halt> {
        let recordings: Vec<Recording> = page
            .items
            .iter()
            .map(|listed| listed.recording.clone())
            .collect();
        let filter = &self.filter;
        let applied = self
            .store
            .apply_recordings(
                &recordings,
                self.clock.now(),
                kind == Kind::Sweep,
                &|listed, known, room| plan(filter, kind, listed, known, room),
            )
            .await?;
        if applied.due > 0 {
            let now = self.clock.monotonic();
            for listed in &page.items {
                if let Some(link) = &listed.link
                    && listed.recording.status == UpstreamStatus::Completed
                {
                    self.links.offer(listed.recording.id, link.clone(), now);
                }
            }
        }
        Ok(applied)
    }

    /// Places recordings that are not on the disk anew, of one session or of all: after the filter or
    /// what is known of a room changed.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails.
    pub async fn replace(&self, session: Option<SessionId>) -> store::Result<()> {
        let mut after = None;
        loop {
            let batch = self
                .store
                .placements(session, after, self.clock.now(), 1000)
                .await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after = Some(last.id);
            let moves: Vec<_> = batch
                .into_iter()
                .filter_map(|at| {
                    let (state, reason) = position(
                        &self.filter,
                        &at.room,
                        &at.status,
                        at.started_at,
                        at.duration_seconds,
                    );
                    (state != at.state).then_some((at, state, reason))
                })
                .collect();
            if !moves.is_empty() {
                self.store.place(&moves).await?;
            }
        }
    }
}
