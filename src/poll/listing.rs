//! Lists the recordings of the sessions that are due, and places each where it belongs.

use chrono::TimeDelta;
use futures::{StreamExt as _, stream};

use super::Poller;
use super::pass::{Halt, Run};
use super::plan::{Kind, plan, position};
use super::schedule::{Listing, next_listing};
use crate::model::{Listed, Recording, SessionId, UpstreamStatus};
use crate::signalwire::{self, Page};
use crate::store::{self, DueSession, NEXT_PASS, Seen};

/// Sessions taken from the database at a time.
const BATCH: u32 = 200;
/// Listings that may fail in a row before the rest is left for the next pass: the vendor is down.
pub(super) const FAILURES_IN_A_ROW: u32 = 5;
/// A session whose listing failed is left alone for this long, so that it does not hold up the others
/// at every pass.
const PUT_OFF: TimeDelta = TimeDelta::minutes(15);

/// What listing one session brought, whether or not it came to its end.
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
            let kind = run.kind;
            let mut listings = stream::iter(batch)
                .map(async |due| {
                    let mut brought = Brought::default();
                    let seen = running.contains(&due.id);
                    let listed = self.list_session(&due, seen, kind, &mut brought).await;
                    if let Err(Halt::Api(error)) = &listed
                        && !is_final(error)
                    {
                        self.store.put_off(due.id, run.started + PUT_OFF).await?;
                    }
                    Ok((listed, brought))
                })
                .buffer_unordered(self.concurrency);
            let mut done = Vec::new();
            while let Some(listed) = listings.next().await {
                let (listed, brought): (Result<(), Halt>, Brought) = listed.map_err(Halt::Store)?;
                failed_in_a_row = if listed.is_err() {
                    failed_in_a_row + 1
                } else {
                    0
                };
                let last = match &listed {
                    Ok(()) => false,
                    Err(Halt::Api(error)) => is_final(error),
                    Err(Halt::Stopped | Halt::Store(_)) => true,
                };
                done.push((listed, brought));
                if last || failed_in_a_row >= FAILURES_IN_A_ROW {
                    break;
                }
            }
            drop(listings);
            let mut halt = None;
            for (listed, brought) in done {
                run.add(&brought);
                match listed {
                    Ok(()) => {}
                    Err(Halt::Api(error)) => run.failures.push(error),
                    Err(other) => halt = Some(other),
                }
            }
            if let Some(halt) = halt {
                return Err(halt);
            }
            if failed_in_a_row >= FAILURES_IN_A_ROW || run.failures.iter().any(is_final) {
                return Ok(());
            }
            after = Some(last);
        }
    }

    /// Lists one session in full and decides when it is due again.
    async fn list_session(
        &self,
        due: &DueSession,
        seen_running: bool,
        kind: Kind,
        counts: &mut Brought,
    ) -> Result<(), Halt> {
        let due = if due.stub || (due.ended_at.is_none() && !seen_running) {
            match self.describe(due).await? {
                Some(due) => due,
                None => return Ok(()),
            }
        } else {
            due.clone()
        };
        let mut pages = self.client.session_recordings(due.id);
        loop {
            let mut page = match self.asked(pages.next()).await {
                Ok(Some(page)) => page,
                Ok(None) => break,
                // Not documented for this list, yet it can mean one thing only; it is asked for to be sure.
                Err(Halt::Api(error @ signalwire::Error::Status { status: 404, .. })) => {
                    return match self.describe(&due).await? {
                        Some(_) => Err(error.into()),
                        None => Ok(()),
                    };
                }
                Err(halt) => return Err(halt),
            };
            for listed in &mut page.items {
                listed.recording.session_id.get_or_insert(due.id);
            }
            counts.set_aside += self.note_rejected(&page).await?;
            counts.recordings_seen += page.items.len() as u64;
            let applied = self.apply(page, kind, None).await?;
            counts.recordings_new += applied.new;
            counts.due += applied.due;
        }
        counts.sessions_listed = 1;
        // What was set aside may be a recording that is still to come: the session is not done with.
        let whole = counts.set_aside == 0;
        let open = !whole || self.store.session_open(due.id).await?;
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
        self.store.session_listed(due.id, now, next, whole).await?;
        Ok(())
    }

    /// Asks for one session: one that is known from a recording alone, or that runs although the walk
    /// did not come by it. `None`: it is gone.
    pub(super) async fn describe(&self, due: &DueSession) -> Result<Option<DueSession>, Halt> {
        let answer = self.asked(self.client.room_session(due.id)).await;
        let described = match answer {
            Ok(Some(session)) => {
                self.store
                    .apply_sessions(std::slice::from_ref(&session), self.clock.now(), None)
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
        page: Page<Listed>,
        kind: Kind,
        seen: Option<&mut Seen>,
    ) -> Result<store::Applied, Halt> {
        let (recordings, links): (Vec<Recording>, Vec<_>) = page
            .items
            .into_iter()
            .map(|listed| (listed.recording, listed.link))
            .unzip();
        let applied = self
            .store
            .apply_recordings(
                &recordings,
                self.clock.now(),
                seen,
                // Asked for inside the transaction: a reload that places everything anew waits for it.
                &|listed, known, room| plan(&self.filter.now(), kind, listed, known, room),
            )
            .await?;
        if applied.due > 0 {
            let now = self.clock.monotonic();
            for (recording, link) in recordings.iter().zip(links) {
                if let Some(link) = link
                    && recording.status == UpstreamStatus::Completed
                {
                    self.links.offer(recording.id, link, now);
                }
            }
            (self.due)();
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
                        &self.filter.now(),
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

/// No other request would fare better: refused credentials, or a host that asked for patience.
pub(super) fn is_final(error: &signalwire::Error) -> bool {
    matches!(
        error,
        signalwire::Error::Credentials { .. } | signalwire::Error::Patience { .. }
    )
}
