//! How the targets do: for health, metrics, `status` and `show`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;

use crate::model::{RecordingId, time};
use crate::store::rows::{at, optional_time, statements};
use crate::store::{Result, Store, during};

statements! {
    HAVE_TARGETS = "SELECT EXISTS (SELECT 1 FROM copy_target)";
    COPY_FACTS = "SELECT t.name, t.url, t.configured, t.added_at, t.copied_at, t.verified_at, t.failing_since,
            t.error, t.needs_help,
            (SELECT count(*) FROM copy INDEXED BY copy_verified WHERE target = t.id AND state = 'copied') AS copied,
            (SELECT count(*) FROM copy INDEXED BY copy_open WHERE target = t.id AND state <> 'copied') AS pending,
            (SELECT count(*) FROM copy INDEXED BY copy_wrong WHERE target = t.id AND state IN ('missing', 'differs') AND state = 'differs') AS differs,
            (SELECT count(*) FROM copy INDEXED BY copy_wrong WHERE target = t.id AND state IN ('missing', 'differs') AND state = 'missing') AS missing,
            (SELECT count(*) FROM copy INDEXED BY copy_open
                WHERE target = t.id AND state <> 'copied' AND due_since < ?) AS late,
            (SELECT min(due_since) FROM copy INDEXED BY copy_open
                WHERE target = t.id AND state <> 'copied' AND due_since IS NOT NULL) AS oldest,
            (SELECT min(c.copied_at) FROM sidecar s INDEXED BY sidecar_due
                CROSS JOIN copy c ON c.target = t.id AND c.recording = s.recording
                WHERE s.place = t.name AND s.due > 0 AND s.bytes IS NULL AND c.state = 'copied') AS sidecars_since
         FROM copy_target t ORDER BY t.name";
    COPY_ERROR = "SELECT c.error FROM copy c INDEXED BY copy_open JOIN copy_target t ON t.id = c.target
         WHERE t.name = ? AND c.state <> 'copied' AND c.due_since IS NOT NULL AND c.error IS NOT NULL
         ORDER BY c.due_since LIMIT 1";
    COPIES_OF = "SELECT target, state, key, copied_at, verified_at, error FROM copies
         WHERE recording_id = ? ORDER BY target";
}

/// How a target does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CopyFacts {
    /// NAME of `[copies.NAME]`.
    pub target: String,
    /// Bucket and prefix.
    pub url: String,
    /// Whether it is in the configuration.
    pub configured: bool,
    /// Copies that are there.
    pub copied: u64,
    /// Recordings that are not copied, or no longer; the next two are among them.
    pub pending: u64,
    /// Copies that are no longer there.
    pub missing: u64,
    /// Keys with another object.
    pub differs: u64,
    /// Of those pending, the ones that should have been copied for longer than `poll.stuck_after`.
    pub late: u64,
    /// Since when the oldest of those should be there that were archived after the target was added.
    #[serde(serialize_with = "optional_time")]
    pub oldest: Option<DateTime<Utc>>,
    /// When the oldest of those was copied that have no sidecar yet.
    #[serde(serialize_with = "optional_time")]
    pub sidecars_since: Option<DateTime<Utc>>,
    /// When a recording was last copied to it, or it was added.
    #[serde(serialize_with = "optional_time")]
    pub progress_at: Option<DateTime<Utc>>,
    /// When all its copies were last looked for.
    #[serde(serialize_with = "optional_time")]
    pub verified_at: Option<DateTime<Utc>>,
    /// Since when it fails.
    #[serde(serialize_with = "optional_time")]
    pub failing_since: Option<DateTime<Utc>>,
    /// Whether it fails in a way that does not pass by itself.
    pub needs_help: bool,
    /// How it fails, or why the oldest recording that is late was not copied.
    pub error: Option<String>,
}

/// The copy of one recording in one target, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are columns of the view copies")]
pub struct CopyOf {
    pub target: String,
    pub state: String,
    pub key: Option<String>,
    pub copied_at: Option<String>,
    pub verified_at: Option<String>,
    pub error: Option<String>,
}

impl Store {
    /// How each target does; `late_before` is when a recording had to be archived to be late now.
    pub async fn copy_facts(&self, late_before: Option<DateTime<Utc>>) -> Result<Vec<CopyFacts>> {
        during("read how copies do", async {
            // Without copies nothing is spent on them.
            if !sqlx::query_scalar(HAVE_TARGETS)
                .fetch_one(self.read())
                .await?
            {
                return Ok(Vec::new());
            }
            let before = late_before.map(time::to_text).unwrap_or_default();
            let rows = sqlx::query(COPY_FACTS)
                .bind(before)
                .fetch_all(self.read())
                .await?;
            let mut facts = Vec::new();
            for row in &rows {
                let count =
                    |name| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(name)?.cast_unsigned());
                let mut target = CopyFacts {
                    target: row.try_get("name")?,
                    url: row.try_get("url")?,
                    configured: row.try_get("configured")?,
                    copied: count("copied")?,
                    pending: count("pending")?,
                    missing: count("missing")?,
                    differs: count("differs")?,
                    late: count("late")?,
                    oldest: at(row, "oldest")?,
                    sidecars_since: at(row, "sidecars_since")?,
                    progress_at: at(row, "added_at")?.max(at(row, "copied_at")?),
                    verified_at: at(row, "verified_at")?,
                    failing_since: at(row, "failing_since")?,
                    needs_help: row.try_get("needs_help")?,
                    error: row.try_get("error")?,
                };
                if target.late > 0 && target.error.is_none() {
                    let query = sqlx::query_scalar(COPY_ERROR).bind(&target.target);
                    target.error = query.fetch_optional(self.read()).await?;
                }
                facts.push(target);
            }
            Ok(facts)
        })
        .await
    }

    /// The copies of a recording.
    pub async fn copies_of(&self, id: RecordingId) -> Result<Vec<CopyOf>> {
        during("read the copies of a recording", async {
            let query = sqlx::query(COPIES_OF).bind(id.to_string());
            let rows = query.fetch_all(self.read()).await?;
            rows.iter()
                .map(|row| {
                    Ok(CopyOf {
                        target: row.try_get("target")?,
                        state: row.try_get("state")?,
                        key: row.try_get("key")?,
                        copied_at: row.try_get("copied_at")?,
                        verified_at: row.try_get("verified_at")?,
                        error: row.try_get("error")?,
                    })
                })
                .collect()
        })
        .await
    }
}
