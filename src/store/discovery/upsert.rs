//! The rows of a page of recordings, as they are written.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{Sqlite, Transaction};

use crate::model::{Change, Known, Recording, State, UpstreamStatus, time};
use crate::store::rows::{json, statements};
use crate::store::{Result, on};

statements! {
    ADD_SESSIONS = "INSERT INTO session (id, first_seen_at, next_list_at)
         SELECT DISTINCT value, ?2, ?2 FROM json_each(?1) WHERE true ON CONFLICT (id) DO NOTHING";
    LIST_AGAIN = "UPDATE session SET next_list_at = ?2, settled_at = NULL
         WHERE next_list_at IS NULL AND upstream_gone_at IS NULL AND id IN (SELECT value FROM json_each(?1))";
    GIVE_ANOTHER_CHANCE = "UPDATE recording SET retries = 0, next_attempt_at = NULL, waits_for = NULL
         WHERE id IN (SELECT value FROM json_each(?))";
}

/// Rows written by one statement, the largest first: each number of rows is a statement that stays prepared, so
/// there are few. SQLite takes more values.
const ROWS: [usize; 3] = [100, 10, 1];

/// What becomes of a row that is there. New ones go without: the search for a conflict is one more walk down the
/// tree of random ids.
const UPDATE: &str = " ON CONFLICT (id) DO UPDATE SET session_id = coalesce(recording.session_id, excluded.session_id),
    upstream_status = excluded.upstream_status, started_at = excluded.started_at,
    finished_at = excluded.finished_at, duration_seconds = excluded.duration_seconds,
    size_bytes = excluded.size_bytes, format = excluded.format,
    cost_in_dollars = excluded.cost_in_dollars, updated_at = excluded.updated_at,
    upstream = excluded.upstream,
    state = iif(recording.state IN ('archived', 'damaged'), recording.state, excluded.state),
    skip_reason = excluded.skip_reason,
    pending_since = CASE WHEN recording.state IN ('archived', 'damaged') THEN recording.pending_since
        WHEN excluded.pending_since IS NOT NULL THEN coalesce(recording.pending_since, excluded.pending_since) END,
    completed_seen_at = coalesce(recording.completed_seen_at, excluded.completed_seen_at),
    upstream_changed_at = coalesce(excluded.upstream_changed_at, recording.upstream_changed_at),
    upstream_gone_at = NULL";

/// A recording's values, in the order of the columns they are bound to.
pub(super) struct RecordingRow<'a> {
    id: String,
    session_id: Option<String>,
    upstream_status: Option<&'a str>,
    started_at: Option<String>,
    finished_at: Option<String>,
    duration_seconds: Option<f64>,
    size_bytes: Option<u64>,
    format: Option<&'a str>,
    cost_in_dollars: Option<f64>,
    updated_at: Option<String>,
    upstream: &'a str,
    state: State,
    skip_reason: Option<&'static str>,
    completed: bool,
    changed: bool,
    another_chance: bool,
}

impl RecordingRow<'_> {
    /// The state that a new row would get. What is on the disk has a row, and keeps its state: as a new one
    /// it would fail the table's checks, which SQLite makes before it looks for the row that is there.
    fn new_state(&self) -> State {
        match self.state {
            State::Archived | State::Damaged => State::Waiting,
            state => state,
        }
    }

    /// Whether it should be in the archive and is not.
    fn is_pending(&self) -> bool {
        matches!(self.state, State::Pending | State::Downloading)
    }
}

/// What is to be written of a recording.
pub(super) fn row<'a>(
    recording: &'a Recording,
    before: Option<&Known>,
    change: &Change,
) -> RecordingRow<'a> {
    let text = |time: Option<DateTime<Utc>>| time.map(time::to_text);
    let session = before
        .and_then(|known| known.session_id)
        .or(recording.session_id);
    RecordingRow {
        id: recording.id.to_string(),
        session_id: session.map(|id| id.to_string()),
        upstream_status: recording.status.as_str(),
        started_at: text(recording.started_at),
        finished_at: text(recording.finished_at),
        duration_seconds: recording.duration_seconds,
        size_bytes: recording.size_bytes,
        format: recording.format.as_deref(),
        cost_in_dollars: recording.cost_in_dollars,
        updated_at: text(recording.updated_at),
        upstream: &recording.upstream,
        state: change.state,
        skip_reason: change.skip_reason,
        completed: recording.status == UpstreamStatus::Completed,
        changed: change.changed_after_archiving,
        another_chance: change.another_chance,
    }
}

/// Writes rows that are `new` and rows that are `known`, and returns the row ids of the new ones: SQLite counts
/// them up. An unknown session gets a row to be filled in later.
pub(super) async fn upsert(
    tx: &mut Transaction<'static, Sqlite>,
    new: &[RecordingRow<'_>],
    known: &[RecordingRow<'_>],
    now: &str,
) -> Result<Vec<i64>> {
    let sessions = |wanted: fn(&RecordingRow<'_>) -> bool| -> Result<Option<String>> {
        let mut ids: Vec<_> = new
            .iter()
            .chain(known)
            .filter(|row| wanted(row))
            .filter_map(|row| row.session_id.as_deref())
            .collect();
        ids.dedup();
        (!ids.is_empty()).then(|| json(&ids)).transpose()
    };
    if let Some(ids) = sessions(|_| true)? {
        sqlx::query(ADD_SESSIONS)
            .bind(ids)
            .bind(now)
            .execute(on(tx))
            .await?;
    }
    let mut ids = Vec::new();
    for rows in in_fixed_chunks(new) {
        let last = write_rows(tx, rows, now, "").await?.last_insert_rowid();
        ids.extend(last + 1 - rows.len().cast_signed() as i64..=last);
    }
    for rows in in_fixed_chunks(known) {
        write_rows(tx, rows, now, UPDATE).await?;
    }
    // A settled session with a recording that is still to be completed is listed again.
    if let Some(ids) = sessions(|row| !row.completed)? {
        sqlx::query(LIST_AGAIN)
            .bind(ids)
            .bind(now)
            .execute(on(tx))
            .await?;
    }
    let again: Vec<_> = known
        .iter()
        .filter(|row| row.another_chance)
        .map(|row| &row.id)
        .collect();
    if !again.is_empty() {
        sqlx::query(GIVE_ANOTHER_CHANCE)
            .bind(json(&again)?)
            .execute(on(tx))
            .await?;
    }
    Ok(ids)
}

/// The rows in chunks of the sizes in [`ROWS`] and no others.
fn in_fixed_chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = ROWS.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// Binds each value: through `json_each` SQLite would write and read the text of each object many times.
async fn write_rows(
    tx: &mut Transaction<'static, Sqlite>,
    rows: &[RecordingRow<'_>],
    now: &str,
    conflict: &str,
) -> Result<SqliteQueryResult> {
    let values = vec!["(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"; rows.len()].join(",");
    let insert = format!(
        "INSERT INTO recording (id, session_id, upstream_status, started_at, finished_at, duration_seconds,
            size_bytes, format, cost_in_dollars, updated_at, upstream, state, skip_reason, first_seen_at,
            completed_seen_at, upstream_changed_at, pending_since) VALUES {values} {conflict}"
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
    for row in rows {
        query = query
            .bind(row.id.as_str())
            .bind(row.session_id.as_deref())
            .bind(row.upstream_status)
            .bind(row.started_at.as_deref())
            .bind(row.finished_at.as_deref())
            .bind(row.duration_seconds)
            .bind(row.size_bytes.map(u64::cast_signed))
            .bind(row.format)
            .bind(row.cost_in_dollars)
            .bind(row.updated_at.as_deref())
            .bind(row.upstream)
            .bind(row.new_state().as_str())
            .bind(row.skip_reason)
            .bind(now)
            .bind(row.completed.then_some(now))
            .bind(row.changed.then_some(now))
            .bind(row.is_pending().then_some(now));
    }
    Ok(query.execute(on(tx)).await?)
}
