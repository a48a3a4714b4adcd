//! The sweep: all sessions and all recordings, reconciled with the database.

use std::ops::ControlFlow;

use chrono::TimeDelta;

use super::Poller;
use super::listing::{FAILURES_IN_A_ROW, Source};
use super::plan::Kind;
use super::rooms::SessionAnswer;
use super::run::{Halt, Report, Run};
use crate::model::{Listed, RecordingId};
use crate::signalwire::{self, Page};
use crate::store::{self, PassKind};

/// The most sessions known only from a recording that one sweep requests.
const MOST_STUBS: u32 = 1000;
/// The most lost recordings that one sweep requests again.
const MOST_LOST: u32 = 200;
/// A lost recording is requested again after this time: a bit less than a day, so that every daily sweep does.
const LOST_AGAIN: TimeDelta = TimeDelta::hours(20);

impl Poller {
    /// One sweep: adds unknown sessions and recordings, marks those that are gone, and requests lost recordings
    /// again.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn sweep(&self) -> store::Result<Report> {
        self.store.long_log(true).await?;
        let report = self.pass(PassKind::Sweep, Kind::Sweep, async |run| {
            // Recordings are found even if the list of sessions is broken.
            let walked = match self.walk_sessions(run, false).await {
                Err(Halt::Api(error)) if self.should_continue(run, &error) => {
                    run.failures.push(error.to_string());
                    None
                }
                walked => Some(walked?),
            };
            self.walk_recordings(run).await?;
            self.describe_stubs(run).await?;
            self.request_lost(run).await?;
            // Only complete walks can show that something is gone.
            if run.failures.is_empty() && self.confirm_vanished(run).await? {
                self.settle(run).await?;
                return Ok(walked);
            }
            Ok(None)
        });
        let report = report.await;
        self.store.long_log(false).await?;
        report
    }

    async fn walk_recordings(&self, run: &mut Run) -> Result<(), Halt> {
        let mut pages = self.client.room_recordings();
        while let Some(page) = self.wait_for(pages.next()).await? {
            run.last_success = self.clock.monotonic();
            let rejected = self.note_rejected(&page).await?;
            run.rejected += rejected;
            run.recordings_rejected += rejected;
            run.counts.recordings_seen += page.items.len() as u64;
            let applied = self.apply(page, Source::List, Some(&mut run.seen)).await?;
            run.counts.recordings_new += applied.new;
            run.due += applied.due;
        }
        Ok(())
    }

    /// Requests the sessions that are known only from a recording: filter and path need the room.
    async fn describe_stubs(&self, run: &mut Run) -> Result<(), Halt> {
        let mut failed_in_a_row = 0;
        for stub in self.store.stub_sessions(MOST_STUBS).await? {
            let described = match self.describe(&stub).await {
                Ok(SessionAnswer::Missing) => self.gone(stub.id).await,
                Ok(_) => Ok(()),
                Err(halt) => {
                    // Recordings that have waited for the room long enough go on without it.
                    self.replan(Some(stub.id)).await?;
                    Err(halt)
                }
            };
            if self
                .note_failure(run, described, &mut failed_in_a_row)?
                .is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Requests lost recordings again: a 404 may have been a mistake, and no list shows the recordings of a
    /// session that is gone.
    async fn request_lost(&self, run: &mut Run) -> Result<(), Halt> {
        let now = self.clock.now();
        let mut failed_in_a_row = 0;
        let lost = self.store.lost_due(MOST_LOST, now).await?;
        let mut count = 0;
        for id in &lost {
            count += 1;
            let asked = match self.request_recording(*id).await {
                Ok(Some(listed)) => self.apply_single(run, listed).await,
                other => other.map(drop),
            };
            if self
                .note_failure(run, asked, &mut failed_in_a_row)?
                .is_break()
            {
                break;
            }
        }
        if count > 0 {
            self.store
                .lost_asked(&lost[..count], now + LOST_AGAIN)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn request_recording(&self, id: RecordingId) -> Result<Option<Listed>, Halt> {
        let ttl = self.client.media_ttl();
        self.wait_for(self.client.room_recording(id, ttl)).await
    }

    /// Writes the answer to the request for one recording.
    pub(super) async fn apply_single(&self, run: &mut Run, listed: Listed) -> Result<(), Halt> {
        let page = Page {
            items: vec![listed],
            rejected: Vec::new(),
        };
        let seen = Some(&mut run.seen);
        run.due += self.apply(page, Source::Single, seen).await?.due;
        Ok(())
    }

    /// Counts a failed request. The others are still sent, unless several failed in a row. A rate limit ends
    /// the pass.
    pub(super) fn note_failure(
        &self,
        run: &mut Run,
        asked: Result<(), Halt>,
        failed_in_a_row: &mut u32,
    ) -> Result<ControlFlow<()>, Halt> {
        let error = match asked {
            Err(Halt::Api(error)) if !matches!(error, signalwire::Error::RateLimited { .. }) => {
                error
            }
            other => {
                *failed_in_a_row = 0;
                run.last_success = self.clock.monotonic();
                return other.map(ControlFlow::Continue);
            }
        };
        *failed_in_a_row += 1;
        run.put_off.push(error.to_string());
        let stop = *failed_in_a_row >= FAILURES_IN_A_ROW || self.keeps_failing(run);
        Ok(if stop {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Settles sessions that ended long enough ago, as all recordings were just listed. Not if a recording could
    /// not be read: it may belong to any session.
    async fn settle(&self, run: &Run) -> Result<(), Halt> {
        if run.recordings_rejected == 0 {
            let ended_before = self.client.upstream_now() - self.settle;
            self.store
                .settle_swept(&run.seen, run.started, ended_before)
                .await?;
        }
        Ok(())
    }
}
