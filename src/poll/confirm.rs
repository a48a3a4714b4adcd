//! What both walks of a sweep did not see: each is asked for by itself before it is called gone, unless so
//! much is missing that the lists themselves can't be right.

use super::Poller;
use super::run::{Halt, Run};
use super::shortfall::{Shortfall, View};
use crate::model::{SessionId, State, time};
use crate::store::{self, Unseen, UnseenRecording};

/// Rows of each kind asked for one by one at the most, in one sweep. The next one goes on after them.
const MOST_SINGLE: usize = 1000;
/// The facts that the database keeps: the shortfall, and the last row of each kind that was asked for.
const SHORTFALL: &str = "sweep_shortfall";
const LAST_RECORDING: &str = "sweep_asked_recording";
const LAST_SESSION: &str = "sweep_asked_session";

impl Poller {
    /// Finds out what is gone. `false`: what the walks saw is too little to be believed, and nothing is marked.
    pub(super) async fn confirm_vanished(&self, run: &mut Run) -> Result<bool, Halt> {
        let unseen = self.store.unseen(&run.seen).await?;
        if !self.is_plausible(run, &unseen).await? {
            return Ok(false);
        }
        // Those whose loss would matter come first.
        let (open, kept) = (unseen.open, unseen.kept);
        let last = self.last_asked(LAST_RECORDING).await?;
        let rows = in_turn(open, last).into_iter().chain(in_turn(kept, last));
        let rows: Vec<i64> = rows.take(MOST_SINGLE).collect();
        let mut failed_in_a_row = 0;
        for recording in self.store.unseen_recordings(&rows).await? {
            let confirmed = self.confirm_recording(run, &recording).await;
            if self
                .note_failure(run, confirmed, &mut failed_in_a_row)?
                .is_break()
            {
                break;
            }
        }
        self.note_asked(LAST_RECORDING, &rows).await?;
        let last = self.last_asked(LAST_SESSION).await?;
        let mut rows = in_turn(unseen.sessions, last);
        rows.truncate(MOST_SINGLE);
        failed_in_a_row = 0;
        for id in self.store.unseen_sessions(&rows).await? {
            let confirmed = self.confirm_session(run, id).await;
            if self
                .note_failure(run, confirmed, &mut failed_in_a_row)?
                .is_break()
            {
                break;
            }
        }
        self.note_asked(LAST_SESSION, &rows).await?;
        Ok(true)
    }

    /// Whether the walks can have seen all there is.
    async fn is_plausible(&self, run: &mut Run, unseen: &Unseen) -> Result<bool, Halt> {
        let recordings = View {
            seen: run
                .seen
                .recordings()
                .saturating_sub(run.counts.recordings_new),
            unseen: (unseen.open.len() + unseen.kept.len()) as u64,
        };
        let sessions = View {
            seen: run.seen.sessions(),
            unseen: unseen.sessions.len() as u64,
        };
        if recordings.is_short() || sessions.is_short() {
            return Ok(self.is_believed(run, recordings, sessions).await?);
        }
        if self.store.fact(SHORTFALL).await?.is_some() {
            self.store.set_fact(SHORTFALL, None).await?;
        }
        let empty = recordings.is_empty() && self.is_any_recording_there(unseen).await?
            || sessions.is_empty() && self.is_any_session_there(unseen).await?;
        if empty {
            run.failures.push(
                "a list of SignalWire's is empty although it still has what is known: nothing is marked as gone"
                    .to_owned(),
            );
        }
        Ok(!empty)
    }

    /// A view that is too small is believed once it has been so for days: then each row is asked for, a
    /// bounded number in each sweep, so that whoever deleted much is not stuck.
    async fn is_believed(
        &self,
        run: &mut Run,
        recordings: View,
        sessions: View,
    ) -> store::Result<bool> {
        let before = self.store.fact(SHORTFALL).await?;
        let before = before.and_then(|text| text.parse().ok());
        let now = self.clock.now();
        let shortfall = Shortfall::of(recordings, sessions, before, now);
        if before != Some(shortfall) {
            let text = shortfall.to_string();
            self.store.set_fact(SHORTFALL, Some(&text)).await?;
        }
        let believed = shortfall.believed_from() <= now;
        if !believed {
            run.failures.push(format!(
                "SignalWire's lists lack {} of {} known recordings and {} of {} known sessions: nothing is marked as gone; \
                 if they were deleted there, sweeps from {} on will confirm it one by one",
                recordings.unseen,
                recordings.seen + recordings.unseen,
                sessions.unseen,
                sessions.seen + sessions.unseen,
                time::to_text(shortfall.believed_from())
            ));
        }
        Ok(believed)
    }

    async fn is_any_recording_there(&self, unseen: &Unseen) -> Result<bool, Halt> {
        let rows = [&unseen.open[..], &unseen.kept[..]].concat();
        for recording in self.store.unseen_recordings(&rows).await? {
            if self.ask_single(recording.id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_any_session_there(&self, unseen: &Unseen) -> Result<bool, Halt> {
        for id in self.store.unseen_sessions(&unseen.sessions).await? {
            if self.asked(self.client.room_session(id)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is archived stays in any case, so that one 404 besides the walk is enough. Before any other is
    /// called lost, the list of its session is asked, and the recording once more.
    async fn confirm_recording(
        &self,
        run: &mut Run,
        recording: &UnseenRecording,
    ) -> Result<(), Halt> {
        let UnseenRecording {
            id,
            session_id,
            state,
        } = *recording;
        let mut found = self.ask_single(id).await?;
        let kept = matches!(state, State::Archived | State::Skipped);
        if found.is_none() && !kept {
            let again = self.client.recording_still_listed(session_id, id);
            found = self.asked(again).await?;
        }
        if let Some(mut listed) = found {
            if listed.recording.session_id.is_none() {
                listed.recording.session_id = session_id;
            }
            return self.apply_single(run, listed).await;
        }
        match state {
            State::Archived | State::Skipped => {}
            State::Damaged => tracing::error!(
                recording.id = %id, "a recording whose file is damaged is gone upstream"
            ),
            _ => tracing::error!(
                recording.id = %id, "a recording is gone upstream before it was archived"
            ),
        }
        Ok(self.store.recording_gone(id, self.clock.now()).await?)
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

    async fn last_asked(&self, fact: &str) -> store::Result<i64> {
        let last = self.store.fact(fact).await?;
        Ok(last.and_then(|row| row.parse().ok()).unwrap_or(0))
    }

    /// Keeps the place where the next sweep goes on, if this one could not ask for all.
    async fn note_asked(&self, fact: &str, rows: &[i64]) -> store::Result<()> {
        match rows.last() {
            Some(last) if rows.len() >= MOST_SINGLE => {
                self.store.set_fact(fact, Some(&last.to_string())).await
            }
            _ => Ok(()),
        }
    }
}

/// Rows in their order, beginning after `last` and going round.
fn in_turn(mut rows: Vec<i64>, last: i64) -> Vec<i64> {
    rows.sort_unstable();
    let first = rows.partition_point(|row| *row <= last);
    rows.rotate_left(first);
    rows
}

#[cfg(test)]
mod tests {
    use super::in_turn;

    #[test]
    fn a_sweep_goes_on_where_the_last_one_stopped() {
        assert_eq!(in_turn(vec![7, 3, 5, 1], 0), [1, 3, 5, 7]);
        assert_eq!(in_turn(vec![7, 3, 5, 1], 3), [5, 7, 1, 3]);
        assert_eq!(in_turn(vec![7, 3, 5, 1], 9), [1, 3, 5, 7]);
        assert_eq!(in_turn(Vec::new(), 9), [] as [i64; 0]);
    }
}
