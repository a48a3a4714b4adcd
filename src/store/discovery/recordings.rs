//! Recordings: written a page at a time, each with the decision that `plan` makes about it.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};

use super::upsert::{row, upsert};
use crate::model::{
    Change, EventType, Known, Recording, RecordingId, Room, SessionId, State, UpstreamStatus, time,
};
use crate::store::outbox::recording_event;
use crate::store::rows::{at, bytes, json, recording_id, statements, word};
use crate::store::{Error, Result, Seen, Store, during, on};

statements! {
    RECORDING_GONE = "UPDATE recording SET upstream_gone_at = coalesce(upstream_gone_at, ?2),
            state = CASE WHEN state IN ('waiting', 'pending') AND damage IS NULL
                THEN 'lost' ELSE state END,
            pending_since = CASE WHEN state IN ('waiting', 'pending') AND damage IS NULL
                THEN NULL ELSE pending_since END
         WHERE id = ?1";
    IS_LOST = "SELECT state = 'lost' FROM recording WHERE id = ?";
    PLACE = "UPDATE recording SET state = ?, skip_reason = ?, pending_since = ? WHERE id = ? AND state = ?";
    READ_KNOWN = "SELECT r.row, r.id, r.state, r.session_id, r.upstream, r.size_bytes, r.updated_at,
            r.upstream_gone_at IS NOT NULL AS gone, r.damage IS NOT NULL AS damaged
         FROM json_each(?) j CROSS JOIN recording r ON r.id = j.value";
    NOTE_CONFLICT = "INSERT INTO event (at, kind, recording_id, text) SELECT ?1, 'session_conflict', ?2, ?3
         WHERE NOT EXISTS (SELECT 1 FROM event WHERE kind = 'session_conflict' AND recording_id = ?2 AND text = ?3)";
}

/// For how long a recording waits for its session to be described, while the API as a whole may be the
/// reason. After that it goes without: a name in a path is not worth a recording. It goes without at once
/// when its session's recordings were listed and only the session could not be described.
const AWAIT_ROOM: TimeDelta = TimeDelta::hours(1);
/// What is known of the room of session `s`: 'known', 'unknown' or 'awaited'; `?2` is [`AWAIT_ROOM`] ago.
const ROOM: &str = "CASE WHEN s.described_at IS NOT NULL THEN 'known'
    WHEN s.upstream_gone_at IS NOT NULL OR s.listed_at IS NOT NULL OR s.first_seen_at < ?2 THEN 'unknown'
    ELSE 'awaited' END";

/// What became of a page of recordings.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Rows that were unknown before.
    pub new: u64,
    /// Recordings that can now be downloaded.
    pub due: u64,
}

/// What filter and plan need to know of a recording to place it again without asking upstream.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Placement {
    pub id: RecordingId,
    pub state: State,
    pub room: Room,
    /// SignalWire's word for its status.
    pub status: UpstreamStatus,
    pub started_at: Option<DateTime<Utc>>,
    pub duration_seconds: Option<f64>,
}

/// A recording, what is known of it and of its room → what to write; `None`: nothing.
pub type Plan<'a> = &'a (dyn Fn(&Recording, Option<&Known>, &Room) -> Option<Change> + Sync);

impl Store {
    /// Writes a page of recordings as SignalWire describes them, each with the decision `plan` makes.
    /// A sweep notes them as `seen`. An unknown session gets a row to be filled in later.
    ///
    /// # Errors
    /// [`crate::store::Error`], if the database fails; then nothing of the page is kept.
    pub async fn apply_recordings(
        &self,
        page: &[Recording],
        now: DateTime<Utc>,
        seen: Option<&mut Seen>,
        plan: Plan<'_>,
    ) -> Result<Applied> {
        during("write recordings", async {
            let page = last_of_each(page);
            let ids: Vec<String> = page
                .iter()
                .map(|recording| recording.id.to_string())
                .collect();
            let mut tx = self.write().await?;
            let known = known(&mut tx, &json(&ids)?).await?;
            let rooms = rooms(&mut tx, &page, now).await?;
            let mut applied = Applied::default();
            let (mut new, mut changed) = (Vec::new(), Vec::new());
            let mut conflicts = Vec::new();
            for recording in &page {
                let before = known.get(&recording.id).map(|(_, known)| known);
                let room = recording.session_id.map_or(&Room::Unknown, |session| {
                    rooms.get(&session).unwrap_or(&Room::Awaited)
                });
                let Some(change) = plan(recording, before, room) else {
                    continue;
                };
                applied.new += u64::from(before.is_none());
                applied.due += u64::from(matches!(change.state, State::Pending | State::Damaged));
                if change.other_session {
                    conflicts.push(recording);
                }
                let row = row(recording, before, &change);
                if before.is_none() {
                    new.push(row);
                } else {
                    changed.push(row);
                }
            }
            let new = upsert(&mut tx, &new, &changed, &time::to_text(now)).await?;
            if let Some(seen) = seen {
                seen.recordings.extend(known.values().map(|(row, _)| *row));
                seen.recordings.extend(new);
            }
            for recording in conflicts {
                note_conflict(&mut tx, recording, now).await?;
            }
            tx.commit().await?;
            Ok(applied)
        })
        .await
    }

    /// Notes that a recording is gone upstream. One that was never archived is lost.
    pub async fn recording_gone(&self, id: RecordingId, now: DateTime<Utc>) -> Result<()> {
        during("note that a recording is gone", async {
            let mut tx = self.write().await?;
            let was_lost = is_lost(&mut tx, id).await?;
            sqlx::query(RECORDING_GONE)
                .bind(id.to_string())
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            if !was_lost && is_lost(&mut tx, id).await? {
                recording_event(&mut tx, EventType::RecordingLost, id, now).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Recordings whose place depends on filter and room, of one session or of all, after `after` in the
    /// order of their ids.
    pub async fn placements(
        &self,
        session: Option<SessionId>,
        after: Option<RecordingId>,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Placement>> {
        during("look for recordings to place", async {
        // One session's few are reached through the session, not by a look at all.
        let which = match session {
            Some(_) => "r.session_id = ?1 AND +r.id > ?3",
            None => "?1 IS NULL AND r.id > ?3",
        };
        let query = format!(
            "SELECT r.id, r.state, r.upstream_status, r.started_at, r.duration_seconds, s.room_name,
                iif(r.session_id IS NULL, 'unknown', {ROOM}) AS room
             FROM recording r LEFT JOIN session s ON s.id = r.session_id
             WHERE r.state IN ('waiting', 'skipped', 'pending') AND r.upstream_gone_at IS NULL AND {which}
             ORDER BY r.id LIMIT ?4"
        );
        sqlx::query(sqlx::AssertSqlSafe(query))
            .bind(session.map(|id| id.to_string()))
            .bind(time::to_text(now - AWAIT_ROOM))
            .bind(after.map(|id| id.to_string()).unwrap_or_default())
            .bind(limit)
            .fetch_all(self.read())
            .await?
            .iter()
            .map(placement)
            .collect()
        })
        .await
    }

    /// Moves a recording between waiting, skipped and pending, if it is still in the state it was seen in.
    pub async fn place(
        &self,
        moves: &[(Placement, State, Option<&'static str>)],
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("place recordings", async {
            let mut tx = self.write().await?;
            for (placement, state, reason) in moves {
                sqlx::query(PLACE)
                    .bind(state.as_str())
                    .bind(reason)
                    .bind((*state == State::Pending).then(|| time::to_text(now)))
                    .bind(placement.id.to_string())
                    .bind(placement.state.as_str())
                    .execute(on(&mut tx))
                    .await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }
}

/// The same id twice on a page is one row: the last.
fn last_of_each(page: &[Recording]) -> Vec<&Recording> {
    let mut seen = HashMap::new();
    for (index, recording) in page.iter().enumerate() {
        seen.insert(recording.id, index);
    }
    page.iter()
        .enumerate()
        .filter(|(index, recording)| seen[&recording.id] == *index)
        .map(|(_, recording)| recording)
        .collect()
}

async fn is_lost(tx: &mut Transaction<'static, Sqlite>, id: RecordingId) -> Result<bool> {
    let lost: Option<bool> = sqlx::query_scalar(IS_LOST)
        .bind(id.to_string())
        .fetch_optional(on(tx))
        .await?;
    Ok(lost.unwrap_or(false))
}

/// What is known of them, and the ids of their rows.
async fn known(
    tx: &mut Transaction<'static, Sqlite>,
    ids: &str,
) -> Result<HashMap<RecordingId, (i64, Known)>> {
    let rows = sqlx::query(READ_KNOWN).bind(ids).fetch_all(on(tx)).await?;
    rows.iter()
        .map(|row| {
            let session: Option<String> = row.try_get("session_id")?;
            let known = Known {
                state: word(row, "state")?,
                session_id: session.and_then(|id| id.parse().ok()),
                upstream: row.try_get("upstream")?,
                size_bytes: bytes(row, "size_bytes")?,
                updated_at: at(row, "updated_at")?,
                gone: row.try_get("gone")?,
                damaged: row.try_get("damaged")?,
            };
            let id = recording_id(row.try_get("id")?)?;
            Ok((id, (row.try_get("row")?, known)))
        })
        .collect()
}

async fn rooms(
    tx: &mut Transaction<'static, Sqlite>,
    page: &[&Recording],
    now: DateTime<Utc>,
) -> Result<HashMap<SessionId, Room>> {
    let mut ids: Vec<SessionId> = page
        .iter()
        .filter_map(|recording| recording.session_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    // One value: each row of a result would wake this task.
    let query = format!(
        "SELECT json_group_array(json_array(s.id, s.room_name, {ROOM}))
         FROM json_each(?1) j CROSS JOIN session s ON s.id = j.value"
    );
    let rooms: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
        .bind(json(&ids)?)
        .bind(time::to_text(now - AWAIT_ROOM))
        .fetch_one(on(tx))
        .await?;
    let rooms: Vec<(&str, Option<String>, &str)> =
        serde_json::from_str(&rooms).map_err(|_| Error::Content("room"))?;
    rooms
        .into_iter()
        .map(|(id, name, known)| {
            let id = id.parse().map_err(|_| Error::Content("session id"))?;
            Ok((id, room(known, name)))
        })
        .collect()
}

fn room(known: &str, name: Option<String>) -> Room {
    match known {
        "known" => Room::Known(name),
        "unknown" => Room::Unknown,
        _ => Room::Awaited,
    }
}

/// Kept once for each pair, however often it is listed so.
async fn note_conflict(
    tx: &mut Transaction<'static, Sqlite>,
    recording: &Recording,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(session) = recording.session_id else {
        return Ok(());
    };
    sqlx::query(NOTE_CONFLICT)
        .bind(time::to_text(now))
        .bind(recording.id.to_string())
        .bind(format!(
            "listed under session {session} too; it stays with the first"
        ))
        .execute(on(tx))
        .await?;
    Ok(())
}

fn placement(row: &SqliteRow) -> Result<Placement> {
    Ok(Placement {
        id: recording_id(row.try_get("id")?)?,
        state: word(row, "state")?,
        room: room(row.try_get("room")?, row.try_get("room_name")?),
        status: UpstreamStatus::parse(row.try_get("upstream_status")?),
        started_at: at(row, "started_at")?,
        duration_seconds: row.try_get("duration_seconds")?,
    })
}
