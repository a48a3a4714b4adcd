//! Lists the recordings of the sessions that are due, and writes them to the database.

use futures::{StreamExt as _, stream};

use super::Poller;
use super::plan::{lags, plan};
use super::rooms::SessionAnswer;
use super::run::{Halt, ListingResult, Run, is_rate_limit};
use super::schedule::{Listing, next_listing};
use crate::model::{Listed, Recording, UpstreamStatus};
use crate::signalwire::{self, Page};
use crate::store::{self, DueSession, NEXT_PASS, Seen};

/// Sessions taken from the database at a time.
const BATCH: u32 = 200;
/// After this many failures in a row a small request checks whether the API is down.
pub(super) const FAILURES_IN_A_ROW: u32 = 5;
/// After this many the rest is left for the next pass, even if the API is up.
const MOST_FAILURES_IN_A_ROW: u32 = 20;

/// Where a page comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A list.
    List,
    /// The request for a single recording, whose answer may lag behind the lists.
    Single,
}

impl Poller {
    /// Lists the recordings of every session that was due when the pass began.
    pub(super) async fn list_due(&self, run: &mut Run) -> Result<(), Halt> {
        let running = std::mem::take(&mut run.running);
        let started = run.started;
        let mut after: Option<DueSession> = None;
        let mut failed_in_a_row = 0;
        let mut refused = None;
        loop {
            let batch = self
                .store
                .due_sessions(started, after.as_ref(), BATCH)
                .await?;
            let Some(last) = batch.last().cloned() else {
                break;
            };
            let mut listings = stream::iter(batch)
                .map(async |due| {
                    let mut brought = ListingResult::default();
                    let seen = running.contains(&due.id);
                    let listed = self.list_session(&due, seen, &mut brought).await;
                    if let Err(Halt::Api(error)) = &listed
                        && !is_rate_limit(error)
                    {
                        let error = error.to_string();
                        self.store.put_off(due.id, started, &error).await?;
                        if due.stub {
                            // Recordings that have waited for the room long enough go on without it.
                            self.replan(Some(due.id)).await?;
                        }
                    }
                    Ok((due.put_off, listed, brought))
                })
                .buffer_unordered(self.concurrency);
            while let Some(listed) = listings.next().await {
                let (put_off, listed, brought): (bool, Result<(), Halt>, ListingResult) =
                    listed.map_err(Halt::Store)?;
                run.add(brought);
                match listed {
                    Ok(()) => {
                        failed_in_a_row = 0;
                        run.last_success = self.clock.monotonic();
                    }
                    Err(Halt::Api(error)) if !is_rate_limit(&error) => {
                        failed_in_a_row += 1;
                        let text = error.to_string();
                        // A session that failed in earlier passes too says nothing about the credentials or this pass.
                        if put_off {
                            run.put_off.push(text.clone());
                        } else {
                            run.failures.push(text.clone());
                            if matches!(error, signalwire::Error::Credentials { .. }) {
                                refused = Some(error);
                            }
                        }
                        if !self
                            .continues_listing(run, failed_in_a_row, refused.is_some())
                            .await?
                        {
                            if put_off {
                                run.failures.push(text);
                            }
                            return refuse(run, refused);
                        }
                    }
                    Err(halt) => return Err(halt),
                }
            }
            after = Some(last);
        }
        refuse(run, refused)
    }

    /// Whether listing continues after failures in a row: if only these sessions are bad, and not the API.
    async fn continues_listing(
        &self,
        run: &mut Run,
        failed_in_a_row: u32,
        refused: bool,
    ) -> Result<bool, Halt> {
        if failed_in_a_row >= MOST_FAILURES_IN_A_ROW {
            return Ok(false);
        }
        // One listed session would show that the credentials are valid, so look for it.
        if refused && run.counts.sessions_listed == 0 {
            return Ok(true);
        }
        if !failed_in_a_row.is_multiple_of(FAILURES_IN_A_ROW) && !self.keeps_failing(run) {
            return Ok(true);
        }
        let up = self.is_up().await?;
        if up {
            run.last_success = self.clock.monotonic();
        }
        Ok(up)
    }

    /// Lists one session in full and decides when it is due again.
    async fn list_session(
        &self,
        due: &DueSession,
        seen_running: bool,
        counts: &mut ListingResult,
    ) -> Result<(), Halt> {
        let mut session = SessionAnswer::Described(due.clone());
        if due.stub || (due.ended_at.is_none() && !seen_running) {
            session = self.try_describe(due).await?;
        }
        let there = self.list_recordings(due, counts).await?;
        if !there && matches!(session, SessionAnswer::Described(_)) {
            session = self.try_describe(due).await?;
        }
        // Neither request shows whether the session exists.
        if !there && let SessionAnswer::Undescribed(error) = session {
            return Err(error.into());
        }
        let due = match session {
            SessionAnswer::Described(described) => described,
            SessionAnswer::Missing if counts.recordings_seen == 0 => {
                return self.gone(due.id).await;
            }
            SessionAnswer::Missing => {
                counts.put_off = Some(format!("session {} was answered with HTTP 404", due.id));
                due.clone()
            }
            SessionAnswer::Undescribed(error) => {
                counts.put_off = Some(error.to_string());
                due.clone()
            }
        };
        counts.sessions_listed = 1;
        // A rejected item may be an unfinished recording, so the session is not settled.
        let whole = counts.rejected == 0;
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
        if counts.put_off.is_some() {
            // Its recordings are known now, but its room is not: they go on without it.
            self.replan(Some(due.id)).await?;
        }
        Ok(())
    }

    /// Lists the recordings of one session; `false`: a 404, which some spaces send for a session without
    /// recordings.
    async fn list_recordings(
        &self,
        due: &DueSession,
        counts: &mut ListingResult,
    ) -> Result<bool, Halt> {
        let mut pages = self.client.session_recordings(due.id);
        let mut first = true;
        loop {
            let mut page = match self.wait_for(pages.next()).await {
                Ok(Some(page)) => page,
                Ok(None) => return Ok(true),
                Err(Halt::Api(signalwire::Error::Status { status: 404, .. })) if first => {
                    return Ok(false);
                }
                Err(halt) => return Err(halt),
            };
            first = false;
            for listed in &mut page.items {
                listed.recording.session_id.get_or_insert(due.id);
            }
            counts.rejected += self.note_rejected(&page).await?;
            counts.recordings_seen += page.items.len() as u64;
            let applied = self.apply(page, Source::List, None).await?;
            counts.recordings_new += applied.new;
            counts.due += applied.due;
        }
    }

    /// Writes a page of recordings and keeps the links of those that can be downloaded.
    pub(super) async fn apply(
        &self,
        page: Page<Listed>,
        source: Source,
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
                // Reads the filter inside the transaction: a reload, which replans everything, waits for its end.
                &|listed, known, room| match source {
                    Source::Single if lags(listed, known) => None,
                    _ => plan(&self.filter.now(), listed, known, room),
                },
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
}

/// After listing: the credentials are invalid if several sessions in a row were refused, and none was listed.
fn refuse(run: &Run, refused: Option<signalwire::Error>) -> Result<(), Halt> {
    match refused {
        Some(error) if run.counts.sessions_listed == 0 => Err(Halt::Api(error)),
        _ => Ok(()),
    }
}
