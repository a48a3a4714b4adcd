//! The sweep: all sessions and all recordings, reconciled with the database.

use std::ops::ControlFlow;

use super::Poller;
use super::listing::{FAILURES_IN_A_ROW, is_final};
use super::pass::{Halt, Report, Run};
use super::plan::Kind;
use crate::model::{RecordingId, SessionId};
use crate::signalwire::Page;
use crate::store::{self, Horizon, PassKind};

/// Sessions asked for one by one at the most, in one sweep.
const MOST_SINGLE: u32 = 1000;

impl Poller {
    /// One sweep: unknown sessions and recordings are added, vanished ones are marked, failed ones get
    /// another chance.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn sweep(&self) -> store::Result<Report> {
        self.store.long_log(true).await?;
        let report = self.pass(PassKind::Sweep, Kind::Sweep, async |run| {
            let walked = self.walk_sessions(run, false).await;
            // Recordings are found even if the list of sessions is broken.
            let horizon = match walked {
                Err(Halt::Api(error)) if !is_final(&error) => {
                    run.failures.push(error);
                    Horizon::default()
                }
                walked => walked?,
            };
            self.walk_recordings(run).await?;
            self.describe_stubs(run).await?;
            // What a walk that was cut short did not see says nothing.
            if run.failures.is_empty() {
                self.confirm_vanished(run).await?;
                self.settle(run).await?;
            }
            Ok(horizon)
        });
        let report = report.await;
        self.store.long_log(false).await?;
        report
    }

    async fn walk_recordings(&self, run: &mut Run) -> Result<(), Halt> {
        let mut pages = self.client.room_recordings();
        while let Some(page) = self.asked(pages.next()).await? {
            run.set_aside += self.note_rejected(&page).await?;
            run.counts.recordings_seen += page.items.len() as u64;
            let applied = self.apply(page, run.kind, Some(&mut run.seen)).await?;
            run.counts.recordings_new += applied.new;
            run.due += applied.due;
        }
        Ok(())
    }

    /// Asks for the sessions that are known from a recording alone: filter and path need the room.
    async fn describe_stubs(&self, run: &mut Run) -> Result<(), Halt> {
        let mut failed_in_a_row = 0;
        for stub in self.store.stub_sessions(MOST_SINGLE).await? {
            let described = self.describe(&stub).await.map(drop);
            if note_failure(run, described, &mut failed_in_a_row)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// What both walks passed over is either gone, or was passed over because rows shifted: each is asked
    /// for before it is called gone, except archived ones, whose files stay in any case.
    async fn confirm_vanished(&self, run: &mut Run) -> Result<(), Halt> {
        let now = self.clock.now();
        let mut failed_in_a_row = 0;
        for id in self.store.vanished(&run.seen, now).await? {
            let confirmed = self.confirm_recording(run, id).await;
            if note_failure(run, confirmed, &mut failed_in_a_row)?.is_break() {
                return Ok(());
            }
        }
        let unseen = self.store.unseen_sessions(&run.seen, MOST_SINGLE);
        for id in unseen.await? {
            let confirmed = self.confirm_session(run, id).await;
            if note_failure(run, confirmed, &mut failed_in_a_row)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn confirm_recording(&self, run: &mut Run, id: RecordingId) -> Result<(), Halt> {
        let ttl = self.client.media_ttl();
        if let Some(listed) = self.asked(self.client.room_recording(id, ttl)).await? {
            let page = Page {
                items: vec![listed],
                rejected: Vec::new(),
            };
            let seen = Some(&mut run.seen);
            run.due += self.apply(page, run.kind, seen).await?.due;
        } else {
            tracing::warn!(recording.id = %id, "a recording is gone upstream before it was archived");
            self.store.recording_gone(id, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn confirm_session(&self, run: &mut Run, id: SessionId) -> Result<(), Halt> {
        let now = self.clock.now();
        match self.asked(self.client.room_session(id)).await? {
            Some(session) => {
                let seen = Some(&mut run.seen);
                self.store.apply_sessions(&[session], now, seen).await?;
            }
            None => self.store.session_gone(id, now).await?,
        }
        Ok(())
    }

    /// Everything was just listed: sessions that ended long enough ago need not be listed one by one. Not so
    /// if something was set aside, as nobody knows whose it is.
    async fn settle(&self, run: &Run) -> Result<(), Halt> {
        if run.failures.is_empty() && run.set_aside == 0 {
            let ended_before = self.client.upstream_now() - self.settle;
            self.store
                .settle_swept(&run.seen, run.started, ended_before)
                .await?;
        }
        Ok(())
    }
}

/// One that fails does not keep the others from being asked for; several in a row, or a failure that
/// every request would meet, do.
fn note_failure(
    run: &mut Run,
    asked: Result<(), Halt>,
    failed_in_a_row: &mut u32,
) -> Result<ControlFlow<()>, Halt> {
    let error = match asked {
        Err(Halt::Api(error)) => error,
        other => {
            *failed_in_a_row = 0;
            return other.map(ControlFlow::Continue);
        }
    };
    *failed_in_a_row += 1;
    let stop = is_final(&error) || *failed_in_a_row >= FAILURES_IN_A_ROW;
    run.failures.push(error);
    Ok(if stop {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    })
}
