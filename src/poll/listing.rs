//! Lists the recordings of the sessions that are due, and places each where it belongs.

use futures::{StreamExt as _, stream};

use super::Poller;

use super::plan::{lags, plan};
use super::rooms::Session;
use super::run::{Brought, Halt, Run, is_rate_limit};
use super::schedule::{Listing, next_listing};
use crate::model::{Listed, Recording, UpstreamStatus};
use crate::signalwire::{self, Page};
use crate::store::{self, DueSession, NEXT_PASS, Seen};

/// Sessions taken from the database at a time.
const BATCH: u32 = 200;
/// After so many failures in a row it is found out whether the API as a whole is down.
pub(super) const FAILURES_IN_A_ROW: u32 = 5;
/// After so many the rest is left for the next pass all the same.
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
                    let mut brought = Brought::default();
                    let seen = running.contains(&due.id);
                    let listed = self.list_session(&due, seen, &mut brought).await;
                    if let Err(Halt::Api(error)) = &listed
                        && !is_rate_limit(error)
                    {
                        let error = error.to_string();
                        self.store.put_off(due.id, started, &error).await?;
                        if due.stub {
                            // Recordings that have waited for long enough wait no longer.
                            self.replace(Some(due.id)).await?;
                        }
                    }
                    Ok((due.put_off, listed, brought))
                })
                .buffer_unordered(self.concurrency);
            while let Some(listed) = listings.next().await {
                let (put_off, listed, brought): (bool, Result<(), Halt>, Brought) =
                    listed.map_err(Halt::Store)?;
                run.add(brought);
                match listed {
                    Ok(()) => {
                        failed_in_a_row = 0;
                        run.good_at = self.clock.monotonic();
                    }
                    Err(Halt::Api(error)) if !is_rate_limit(&error) => {
                        failed_in_a_row += 1;
                        let text = error.to_string();
                        // One that failed before says nothing new: neither of the credentials nor of the pass.
                        if put_off {
                            run.put_off.push(text.clone());
                        } else {
                            run.failures.push(text.clone());
                            if matches!(error, signalwire::Error::Credentials { .. }) {
                                refused = Some(error);
                            }
                        }
                        if !self
                            .goes_on(run, failed_in_a_row, refused.is_some())
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

    /// Whether listing goes on after some failures in a row: these sessions are bad, and not the API.
    async fn goes_on(
        &self,
        run: &mut Run,
        failed_in_a_row: u32,
        refused: bool,
    ) -> Result<bool, Halt> {
        if failed_in_a_row >= MOST_FAILURES_IN_A_ROW {
            return Ok(false);
        }
        // One that is not refused shows that the credentials are fine.
        if refused && run.counts.sessions_listed == 0 {
            return Ok(true);
        }
        if !failed_in_a_row.is_multiple_of(FAILURES_IN_A_ROW) && !self.is_failing_for_long(run) {
            return Ok(true);
        }
        let up = self.is_up().await?;
        if up {
            run.good_at = self.clock.monotonic();
        }
        Ok(up)
    }

    /// Lists one session in full and decides when it is due again.
    async fn list_session(
        &self,
        due: &DueSession,
        seen_running: bool,
        counts: &mut Brought,
    ) -> Result<(), Halt> {
        let mut session = Session::Described(due.clone());
        if due.stub || (due.ended_at.is_none() && !seen_running) {
            session = self.describe_or_not(due).await?;
        }
        let there = self.list_recordings(due, counts).await?;
        if !there && matches!(session, Session::Described(_)) {
            session = self.describe_or_not(due).await?;
        }
        // Without a list nobody knows whether there is such a session.
        if !there && let Session::Undescribed(error) = session {
            return Err(error.into());
        }
        let due = match session {
            Session::Described(described) => described,
            Session::Missing if counts.recordings_seen == 0 => return self.gone(due.id).await,
            Session::Missing => {
                counts.put_off = Some(format!("session {} was answered with HTTP 404", due.id));
                due.clone()
            }
            Session::Undescribed(error) => {
                counts.put_off = Some(error.to_string());
                due.clone()
            }
        };
        counts.sessions_listed = 1;
        // What was rejected may be a recording that is still to come: the session is not done with.
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
            // Its recordings are known now, and its room is not to be had: they go without.
            self.replace(Some(due.id)).await?;
        }
        Ok(())
    }

    /// Lists the recordings of one session; `false`: SignalWire has no such list, which means an empty one
    /// if it has the session.
    async fn list_recordings(&self, due: &DueSession, counts: &mut Brought) -> Result<bool, Halt> {
        let mut pages = self.client.session_recordings(due.id);
        let mut first = true;
        loop {
            let mut page = match self.asked(pages.next()).await {
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
                // Read inside the transaction: a reload that places everything again waits for it.
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

/// After listing: the credentials are refused if several sessions were refused in a row, and none was listed.
fn refuse(run: &Run, refused: Option<signalwire::Error>) -> Result<(), Halt> {
    match refused {
        Some(error) if run.counts.sessions_listed == 0 => Err(Halt::Api(error)),
        _ => Ok(()),
    }
}
