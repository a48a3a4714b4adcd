//! Requests sessions that no list described, for their room's name, and replans the recordings that wait for it.

use super::Poller;
use super::plan::position;
use super::run::{Halt, is_final};
use crate::model::SessionId;
use crate::signalwire;
use crate::store::{self, DueSession};

/// The answer to the request for a session.
#[derive(Debug)]
pub(super) enum SessionAnswer {
    /// It was described.
    Described(DueSession),
    /// A 404.
    Missing,
    /// The request failed, but the API is up: its recordings need not wait.
    Undescribed(signalwire::Error),
}

impl Poller {
    /// Requests one session: one that is known only from a recording, or a running one that the walk did not
    /// see.
    pub(super) async fn describe(&self, due: &DueSession) -> Result<SessionAnswer, Halt> {
        let Some(session) = self.wait_for(self.client.room_session(due.id)).await? else {
            return Ok(SessionAnswer::Missing);
        };
        self.store
            .apply_sessions(std::slice::from_ref(&session), self.clock.now(), None)
            .await?;
        self.replan(Some(due.id)).await?;
        Ok(SessionAnswer::Described(DueSession {
            status: session.status.clone(),
            started_at: session.start_time.or(session.created_at).or(due.started_at),
            ended_at: session.ended_at(),
            stub: false,
            ..due.clone()
        }))
    }

    /// The same, but a failure of this session alone does not keep its recordings from being listed.
    pub(super) async fn try_describe(&self, due: &DueSession) -> Result<SessionAnswer, Halt> {
        match self.describe(due).await {
            Err(Halt::Api(error)) if !is_final(&error) => {
                let silent = matches!(error, signalwire::Error::Transport { .. });
                if silent && !self.is_up().await? {
                    return Err(error.into());
                }
                Ok(SessionAnswer::Undescribed(error))
            }
            described => described,
        }
    }

    /// Notes that a session is gone: its recordings go on without a room's name.
    pub(super) async fn gone(&self, id: SessionId) -> Result<(), Halt> {
        self.store.session_gone(id, self.clock.now()).await?;
        Ok(self.replan(Some(id)).await?)
    }

    /// Decides again whether recordings that are not on the disk wait, are skipped or are pending, of one session
    /// or of all: after the filter or a room's name changed.
    pub async fn replan(&self, session: Option<SessionId>) -> store::Result<()> {
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
