//! What neither walk of a sweep saw: each object is requested before it is marked as gone. If so much is
//! missing that the lists must be wrong, nothing is marked.

use super::Poller;
use super::run::{Halt, Run};
use super::shortfall::{Shortfall, View};
use crate::model::{SessionId, State, time};
use crate::store::{self, Unseen, UnseenRecording};

/// The most objects of each kind that one sweep requests. The next sweep continues after them.
const MOST_SINGLE: usize = 1000;
/// Facts in the database: the shortfall, and the last row of each kind that was requested.
const SHORTFALL: &str = "sweep_shortfall";
const LAST_RECORDING: &str = "sweep_asked_recording";
const LAST_SESSION: &str = "sweep_asked_session";

impl Poller {
    /// Finds out what is gone. `false`: the walks saw too little to be believed, and nothing is marked.
    pub(super) async fn confirm_vanished(&self, run: &mut Run) -> Result<bool, Halt> {
        let unseen = self.store.unseen(&run.seen).await?;
        if !self.is_plausible(run, &unseen).await? {
            return Ok(false);
        }
        // Recordings that are not archived yet come first: their loss would matter.
        let (open, kept) = (unseen.open, unseen.kept);
        let last = self.last_asked(LAST_RECORDING).await?;
        let rows = rotated_after(open, last)
            .into_iter()
            .chain(rotated_after(kept, last));
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
        let mut rows = rotated_after(unseen.sessions, last);
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

    /// Whether the walks can have seen everything.
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
            return Ok(self
                .is_shortfall_believed(run, recordings, sessions)
                .await?);
        }
        if self.store.fact(SHORTFALL).await?.is_some() {
            self.store.set_fact(SHORTFALL, None).await?;
        }
        let empty = recordings.is_empty() && self.any_recording_exists(unseen).await?
            || sessions.is_empty() && self.any_session_exists(unseen).await?;
        if empty {
            run.failures.push(
                "SignalWire sent an empty list, but still has known recordings or sessions: nothing is marked as gone"
                    .to_owned(),
            );
        }
        Ok(!empty)
    }

    /// Lists that lack much are believed after some days: then each object is requested, a limited number in
    /// each sweep. Otherwise an operator who deleted much could never have it marked as gone.
    async fn is_shortfall_believed(
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
                "{} of {} known recordings and {} of {} known sessions are missing in SignalWire's lists: nothing is marked \
                 as gone; from {} on, sweeps request each of them and mark what is gone",
                recordings.unseen,
                recordings.seen + recordings.unseen,
                sessions.unseen,
                sessions.seen + sessions.unseen,
                time::to_text(shortfall.believed_from())
            ));
        }
        Ok(believed)
    }

    async fn any_recording_exists(&self, unseen: &Unseen) -> Result<bool, Halt> {
        let rows = [&unseen.open[..], &unseen.kept[..]].concat();
        for recording in self.store.unseen_recordings(&rows).await? {
            if self.request_recording(recording.id).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn any_session_exists(&self, unseen: &Unseen) -> Result<bool, Halt> {
        for id in self.store.unseen_sessions(&unseen.sessions).await? {
            if self.wait_for(self.client.room_session(id)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// An archived recording keeps its file, so one 404 is enough for it. Any other becomes lost only after
    /// the list of its session and a second request agree.
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
        let mut found = self.request_recording(id).await?;
        let kept = matches!(state, State::Archived | State::Skipped);
        if found.is_none() && !kept {
            let again = self.client.recording_still_listed(session_id, id);
            found = self.wait_for(again).await?;
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
        match self.wait_for(self.client.room_session(id)).await? {
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

    /// Keeps the row after which the next sweep continues, if this one could not request all.
    async fn note_asked(&self, fact: &str, rows: &[i64]) -> store::Result<()> {
        match rows.last() {
            Some(last) if rows.len() >= MOST_SINGLE => {
                self.store.set_fact(fact, Some(&last.to_string())).await
            }
            _ => Ok(()),
        }
    }
}

/// Sorts the rows, begins after `last`, and continues with the first ones at the end.
fn rotated_after(mut rows: Vec<i64>, last: i64) -> Vec<i64> {
    rows.sort_unstable();
    let first = rows.partition_point(|row| *row <= last);
    rows.rotate_left(first);
    rows
}

#[cfg(test)]
mod tests {
    use super::rotated_after;

    #[test]
    fn a_sweep_goes_on_where_the_last_one_stopped() {
        assert_eq!(rotated_after(vec![7, 3, 5, 1], 0), [1, 3, 5, 7]);
        assert_eq!(rotated_after(vec![7, 3, 5, 1], 3), [5, 7, 1, 3]);
        assert_eq!(rotated_after(vec![7, 3, 5, 1], 9), [1, 3, 5, 7]);
        assert_eq!(rotated_after(Vec::new(), 9), [] as [i64; 0]);
    }
}
