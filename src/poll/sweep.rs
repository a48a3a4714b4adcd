//! The sweep: all sessions and all recordings, reconciled with the database.

use super::Poller;
use super::pass::{Halt, Report, Run};
use super::plan::Kind;
use crate::signalwire::Page;
use crate::store::{self, PassKind};

/// Sessions asked for one by one at the most, in one sweep.
const MOST_SINGLE: u32 = 1000;

impl Poller {
    /// One sweep: unknown sessions and recordings are added, vanished ones are marked, failed ones get
    /// another chance.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails; everything else is in the report.
    pub async fn sweep(&self) -> store::Result<Report> {
        self.pass(PassKind::Sweep, Kind::Sweep, async |run| {
            let horizon = self.walk_sessions(run, false).await?;
            self.walk_recordings(run).await?;
            self.describe_stubs(run).await?;
            self.confirm_vanished(run).await?;
            self.settle(run).await?;
            Ok(horizon)
        })
        .await
    }

    async fn walk_recordings(&self, run: &mut Run) -> Result<(), Halt> {
        let mut pages = self.client.room_recordings();
        while let Some(page) = self.asked(pages.next()).await? {
            self.note_rejected(run, &page).await?;
            run.counts.recordings_seen += page.items.len() as u64;
            let applied = self.apply(&page, run.kind).await?;
            run.counts.recordings_new += applied.new;
            run.due += applied.due;
        }
        Ok(())
    }

    /// Asks for the sessions that are known from a recording alone: filter and path need the room.
    async fn describe_stubs(&self, run: &mut Run) -> Result<(), Halt> {
        for stub in self.store.stub_sessions(MOST_SINGLE).await? {
            match self.describe(&stub).await {
                Err(Halt::Api(error)) => run.failures.push(error),
                other => drop(other?),
            }
        }
        Ok(())
    }

    /// What both walks passed over is either gone, or was passed over because rows shifted: each is asked
    /// for before it is called gone, except archived ones, whose files stay in any case.
    async fn confirm_vanished(&self, run: &mut Run) -> Result<(), Halt> {
        let now = self.clock.now();
        for id in self.store.vanished(now).await? {
            let ttl = self.client.media_ttl();
            if let Some(listed) = self.asked(self.client.room_recording(id, ttl)).await? {
                let page = Page {
                    items: vec![listed],
                    rejected: Vec::new(),
                };
                self.apply(&page, run.kind).await?;
            } else {
                tracing::warn!(recording.id = %id, "a recording is gone upstream before it was archived");
                self.store.recording_gone(id, now).await?;
            }
        }
        for id in self.store.unseen_sessions(MOST_SINGLE).await? {
            match self.asked(self.client.room_session(id)).await? {
                Some(session) => self.store.apply_sessions(&[session], now, true).await?,
                None => self.store.session_gone(id, now).await?,
            }
        }
        Ok(())
    }

    /// Everything was just listed: sessions that ended long enough ago need not be listed one by one.
    async fn settle(&self, run: &Run) -> Result<(), Halt> {
        if run.failures.is_empty() {
            let ended_before = self.client.upstream_now() - self.settle;
            self.store.settle_swept(run.started, ended_before).await?;
        }
        Ok(())
    }
}
