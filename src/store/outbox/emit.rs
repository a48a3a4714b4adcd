//! Events, written by the change of state that they report.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Sqlite, Transaction};

use super::MOST_EVENTS;
use crate::model::{EventType, RecordingId, time};
use crate::store::rows::{json, statements};
use crate::store::{Result, Store, during, on};

statements! {
    EMIT = "INSERT INTO outbox (id, at, type, recording_id, room_name, data)
         SELECT 'evt_' || lower(hex(randomblob(16))), ?1, ?2, recording_id, room_name, data FROM _event
         WHERE recording_id = ?3 AND EXISTS (SELECT 1 FROM webhook WHERE instr(events, ' ' || ?2 || ' '))";
    EMIT_COPIED = "INSERT INTO outbox (id, at, type, recording_id, room_name, data)
         SELECT 'evt_' || lower(hex(randomblob(16))), ?1, ?2, recording_id, room_name, json_insert(data, '$.target', ?4)
         FROM _event WHERE recording_id = ?3 AND EXISTS (SELECT 1 FROM webhook WHERE instr(events, ' ' || ?2 || ' '))";
    EMIT_DAMAGED = "INSERT INTO outbox (id, at, type, recording_id, room_name, data)
         SELECT 'evt_' || lower(hex(randomblob(16))), ?1, ?2, recording_id, room_name, data FROM _event
         WHERE state = 'damaged' AND pending_since = ?1
             AND EXISTS (SELECT 1 FROM webhook WHERE instr(events, ' ' || ?2 || ' ')) LIMIT ?3";
    EMIT_ARCHIVE = "INSERT INTO outbox (id, at, type, data)
         SELECT 'evt_' || lower(hex(randomblob(16))), ?1, ?2, ?3
         WHERE EXISTS (SELECT 1 FROM webhook WHERE instr(events, ' ' || ?2 || ' '))";
    NEWLY_STUCK = "SELECT id FROM _waits WHERE since < ?1
             AND EXISTS (SELECT 1 FROM webhook WHERE instr(events, ' ' || ?2 || ' '))
             AND NOT EXISTS (SELECT 1 FROM stuck_reported WHERE recording_id = id) LIMIT 1000";
    STUCK_NO_LONGER = "SELECT recording_id FROM stuck_reported s WHERE NOT EXISTS (
             SELECT 1 FROM recording r WHERE r.id = s.recording_id AND (r.pending_since < ?1
                 OR (r.state = 'waiting' AND r.first_seen_at < ?1))) LIMIT 1000";
    NOTE_STUCK = "INSERT OR IGNORE INTO stuck_reported VALUES (?)";
    FORGET_STUCK = "DELETE FROM stuck_reported WHERE recording_id IN (SELECT value FROM json_each(?))";
    SET_FACT = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
}

/// What happened to a recording, as its row is now.
pub(in crate::store) async fn recording_event(
    tx: &mut Transaction<'static, Sqlite>,
    kind: EventType,
    id: RecordingId,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(EMIT)
        .bind(time::to_text(now))
        .bind(kind.as_str())
        .bind(id.to_string())
        .execute(on(tx))
        .await?;
    Ok(())
}

/// A recording's copy in this object store is there.
pub(in crate::store) async fn copied_event(
    tx: &mut Transaction<'static, Sqlite>,
    target: &str,
    id: RecordingId,
    now: &str,
) -> Result<()> {
    sqlx::query(EMIT_COPIED)
        .bind(now)
        .bind(EventType::RecordingCopied.as_str())
        .bind(id.to_string())
        .bind(target)
        .execute(on(tx))
        .await?;
    Ok(())
}

/// The recordings that were found damaged together, at `now`. Many more than are kept are not even written.
pub(in crate::store) async fn damaged_events(
    tx: &mut Transaction<'static, Sqlite>,
    now: &str,
) -> Result<()> {
    sqlx::query(EMIT_DAMAGED)
        .bind(now)
        .bind(EventType::RecordingDamaged.as_str())
        .bind(MOST_EVENTS)
        .execute(on(tx))
        .await?;
    Ok(())
}

/// What happened to the archive as a whole.
async fn archive_event(
    tx: &mut Transaction<'static, Sqlite>,
    kind: EventType,
    data: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(EMIT_ARCHIVE)
        .bind(time::to_text(now))
        .bind(kind.as_str())
        .bind(data)
        .execute(on(tx))
        .await?;
    Ok(())
}

/// The fact that holds which problems were reported.
const HEALTH_REPORTED: &str = "health_reported";

impl Store {
    /// The problems that were reported last, as [`Store::report_health`] was given them.
    pub async fn health_reported(&self) -> Result<String> {
        Ok(self.fact(HEALTH_REPORTED).await?.unwrap_or_default())
    }

    /// Reports recordings that came to be stuck, each once until it is stuck no longer: a thousand at a time.
    /// Returns how many.
    pub async fn report_stuck(&self, now: DateTime<Utc>) -> Result<usize> {
        during("report recordings that are stuck", async {
            let after = self.fact("stuck_after_seconds").await?;
            let after = after.and_then(|seconds| seconds.parse().ok());
            let before = after.and_then(TimeDelta::try_seconds);
            let Some(before) = before.and_then(|after| now.checked_sub_signed(after)) else {
                return Ok(0);
            };
            let kind = EventType::RecordingStuck;
            let before = time::to_text(before);
            let stuck: Vec<String> = sqlx::query_scalar(NEWLY_STUCK)
                .bind(&before)
                .bind(kind.as_str())
                .fetch_all(self.read())
                .await?;
            let over: Vec<String> = sqlx::query_scalar(STUCK_NO_LONGER)
                .bind(&before)
                .fetch_all(self.read())
                .await?;
            if stuck.is_empty() && over.is_empty() {
                return Ok(0);
            }
            let mut tx = self.write().await?;
            for id in &stuck {
                let id = crate::store::rows::recording_id(id)?;
                recording_event(&mut tx, kind, id, now).await?;
                sqlx::query(NOTE_STUCK)
                    .bind(id.to_string())
                    .execute(on(&mut tx))
                    .await?;
            }
            sqlx::query(FORGET_STUCK)
                .bind(json(&over)?)
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(stuck.len())
        })
        .await
    }

    /// Writes the event and what was reported last in one transaction, so that a change is reported once.
    pub async fn report_health(
        &self,
        kind: EventType,
        data: &str,
        reported: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("report the archive's health", async {
            let mut tx = self.write().await?;
            archive_event(&mut tx, kind, data, now).await?;
            sqlx::query(SET_FACT)
                .bind(HEALTH_REPORTED)
                .bind(reported)
                .execute(on(&mut tx))
                .await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
