//! Rooms: what a session is asked for when no list described it, and the recordings that wait for it.

use super::Poller;
use super::plan::position;
use super::run::{Halt, is_final};
use crate::model::SessionId;
use crate::signalwire;
use crate::store::{self, DueSession};

/// What asking for a session came to.
#[derive(Debug)]
pub(super) enum Session {
    /// It was described.
    Described(DueSession),
    /// A 404.
    Missing,
    /// Asking failed, though the API is up: its recordings need not wait for it.
    Undescribed(signalwire::Error),
}

impl Poller {
    /// Asks for one session: one that is known from a recording alone, or that runs although the walk
    /// did not come by it.
    pub(super) async fn describe(&self, due: &DueSession) -> Result<Session, Halt> {
        let Some(session) = self.asked(self.client.room_session(due.id)).await? else {
            return Ok(Session::Missing);
        };
        self.store
            .apply_sessions(std::slice::from_ref(&session), self.clock.now(), None)
            .await?;
        self.replace(Some(due.id)).await?;
        Ok(Session::Described(DueSession {
            status: session.status.clone(),
            started_at: session.start_time.or(session.created_at).or(due.started_at),
            ended_at: session.ended_at(),
            stub: false,
            ..due.clone()
        }))
    }

    /// The same; a failure that is this session's alone is no reason to leave its recordings unlisted.
    pub(super) async fn describe_or_not(&self, due: &DueSession) -> Result<Session, Halt> {
        match self.describe(due).await {
            Err(Halt::Api(error)) if !is_final(&error) => {
                let silent = matches!(error, signalwire::Error::Transport { .. });
                if silent && !self.is_up().await? {
                    return Err(error.into());
                }
                Ok(Session::Undescribed(error))
            }
            described => described,
        }
    }

    /// Notes that a session is gone: its recordings go without its room.
    pub(super) async fn gone(&self, id: SessionId) -> Result<(), Halt> {
        self.store.session_gone(id, self.clock.now()).await?;
        Ok(self.replace(Some(id)).await?)
    }

    /// Decides again where recordings that are not on the disk belong, of one session or of all: after the filter or
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
                self.store.place(&moves, self.clock.now()).await?;
            }
        }
    }
}
