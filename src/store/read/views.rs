//! How the archive stands, for the command line and metrics; through the public views where they serve, so that
//! all show the same.

use std::collections::BTreeMap;

use serde::Serialize;
use sqlx::Row as _;

use crate::model::{ConcernKind, State};
use crate::store::rows::{bytes, statements, word};
use crate::store::{AttemptOutcome, PassKind, PassOutcome};
use crate::store::{Result, Store, during};

statements! {
    COUNT_STATES = "SELECT state, count(*) FROM recording WHERE state IN
         ('waiting', 'skipped', 'pending', 'downloading', 'lost', 'damaged') GROUP BY state";
    COUNT_ARCHIVED = "SELECT count(*), coalesce(sum(archived_bytes), 0) FROM recording INDEXED BY recording_size
         WHERE state = 'archived'";
    COUNT_GAPS = "SELECT (SELECT count(*) FROM gaps), (SELECT count(*) FROM session WHERE unlisted_since IS NOT NULL),
         (SELECT count(*) FROM recording WHERE state = 'damaged'
             AND upstream_status = 'completed' AND upstream_gone_at IS NULL)";
    CONCERN_COUNTS = "SELECT kind, sum(n) FROM (
            SELECT kind, count(*) AS n FROM concern GROUP BY kind
            UNION ALL
            SELECT c.kind, -1 FROM recording r INDEXED BY recording_state
            CROSS JOIN concern c ON c.recording_id = r.id WHERE r.state IN ('damaged', 'downloading'))
         GROUP BY kind";
    LAST_PASSES = "SELECT kind, started_at, ended_at, outcome, error,
            (SELECT max(c.started_at) FROM pass c WHERE c.kind = p.kind AND c.outcome = 'complete')
                AS last_complete_at
         FROM pass p WHERE id IN (SELECT max(id) FROM pass GROUP BY kind) ORDER BY kind";
    FAILURES = "SELECT f.recording_id, f.room_name, f.state, f.reason, r.started_at, r.duration_seconds,
            coalesce(r.archived_bytes, r.size_bytes) AS size_bytes,
            coalesce(iif(f.state = 'lost', r.upstream_gone_at, f.pending_since), f.first_seen_at) AS since
         FROM (SELECT * FROM failures ORDER BY first_seen_at, recording_id LIMIT ?) f
         JOIN recording r ON r.id = f.recording_id ORDER BY f.first_seen_at, f.recording_id";
    GAPS = "SELECT g.session_id, g.room_name, coalesce(s.ended_at, s.upstream_gone_at) AS since,
            g.recordings_listed, g.recordings_open, g.list_error
         FROM gaps g JOIN session s ON s.id = g.session_id ORDER BY since, g.session_id LIMIT ?";
    // Only the last finished attempt of each recording, and only while it is not archived.
    NEWEST_ERRORS = "SELECT a.recording_id, a.number AS attempt, a.ended_at, a.http_status, a.outcome, a.error
         FROM recording r INDEXED BY recording_state CROSS JOIN attempt a ON a.id =
            (SELECT max(l.id) FROM attempt l WHERE l.recording_id = r.id AND l.outcome <> 'running')
         WHERE r.state IN ('pending', 'downloading', 'damaged') AND a.error IS NOT NULL
         ORDER BY a.id DESC LIMIT ?";
}

/// How many recordings there are of each kind that matters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Recordings by state, every state present.
    pub by_state: BTreeMap<State, u64>,
    /// Bytes of the archived files.
    pub archived_bytes: u64,
    /// Archived recordings with a concern, by kind, every kind present.
    pub concerns: Vec<(ConcernKind, u64)>,
    /// Rows of `gaps`.
    pub gaps: u64,
    /// Completed upstream and still there, wanted, and not archived.
    pub missing: u64,
    /// Sessions whose recordings can't be listed.
    pub unlisted: u64,
}

impl Counts {
    /// The number of recordings in a state.
    #[must_use]
    pub fn of(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    /// The number of archived recordings with a concern of a kind.
    #[must_use]
    pub fn with_concern(&self, kind: ConcernKind) -> u64 {
        let mut concerns = self.concerns.iter();
        let found = concerns.find(|(of, _)| *of == kind);
        found.map_or(0, |(_, count)| *count)
    }
}

/// The latest pass of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastPass {
    /// What it is for.
    pub kind: PassKind,
    /// When it began.
    pub started_at: String,
    /// When it ended; absent while it runs.
    pub ended_at: Option<String>,
    /// How it ended.
    pub outcome: PassOutcome,
    /// What kept it from being complete.
    pub error: Option<String>,
    /// When the last complete pass of its kind began.
    pub last_complete_at: Option<String>,
}

/// A recording that needs attention.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Failure {
    pub recording_id: String,
    pub room_name: Option<String>,
    pub state: State,
    pub started_at: Option<String>,
    pub duration_seconds: Option<f64>,
    /// Bytes: of the file if there is one, else as SignalWire reports it.
    pub size_bytes: Option<u64>,
    /// Since when it has been so, as well as it is known.
    pub since: String,
    /// What is wrong, in a sentence.
    pub reason: String,
}

/// A session that is over and not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The session.
    pub session_id: String,
    /// Its room.
    pub room_name: Option<String>,
    /// When it ended, as well as it is known.
    pub since: Option<String>,
    /// Recordings SignalWire listed for it.
    pub recordings_listed: i64,
    /// Of those, neither archived nor left out by the filter.
    pub recordings_open: i64,
    /// Why its recordings can't be listed, if so.
    pub list_error: Option<String>,
}

/// An attempt that ended with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct FailedAttempt {
    pub recording_id: String,
    pub attempt: i64,
    pub ended_at: Option<String>,
    /// The media server's last status.
    pub http_status: Option<i64>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    pub error: String,
}

impl Store {
    /// Counts of everything that matters.
    pub async fn counts(&self) -> Result<Counts> {
        during("count recordings", async {
            let mut counts = Counts {
                by_state: State::ALL.map(|state| (state, 0)).into(),
                concerns: self.concern_counts().await?,
                ..Counts::default()
            };
            let states: Vec<(String, i64)> =
                sqlx::query_as(COUNT_STATES).fetch_all(self.read()).await?;
            // From an index alone: 0.08 s of a million.
            let (archived, bytes): (i64, i64) = sqlx::query_as(COUNT_ARCHIVED)
                .fetch_one(self.read())
                .await?;
            counts.archived_bytes = bytes.cast_unsigned();
            counts
                .by_state
                .insert(State::Archived, archived.cast_unsigned());
            for (state, count) in states {
                counts
                    .by_state
                    .insert(state.parse()?, count.cast_unsigned());
            }
            let (gaps, unlisted, unfetched): (i64, i64, i64) =
                sqlx::query_as(COUNT_GAPS).fetch_one(self.read()).await?;
            counts.gaps = gaps.cast_unsigned();
            counts.unlisted = unlisted.cast_unsigned();
            // Those that are pending or being downloaded are completed and there: no need to look at each.
            counts.missing = counts.of(State::Pending)
                + counts.of(State::Downloading)
                + unfetched.cast_unsigned();
            Ok(counts)
        })
        .await
    }

    async fn concern_counts(&self) -> Result<Vec<(ConcernKind, u64)>> {
        // Those of a damaged file stay until another takes its place: few, where the archived ones may be many.
        let rows: Vec<(String, i64)> = sqlx::query_as(CONCERN_COUNTS)
            .fetch_all(self.read())
            .await?;
        let count = |kind: ConcernKind| {
            let mut rows = rows.iter();
            let row = rows.find(|(name, _)| name == kind.as_str());
            row.map_or(0, |(_, count)| count.cast_unsigned())
        };
        Ok(ConcernKind::ALL.map(|kind| (kind, count(kind))).into())
    }

    /// The latest pass of every kind.
    pub async fn last_passes(&self) -> Result<Vec<LastPass>> {
        during("read the last passes", async {
            sqlx::query(LAST_PASSES)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(|row| {
                    Ok(LastPass {
                        kind: word(row, "kind")?,
                        started_at: row.try_get("started_at")?,
                        ended_at: row.try_get("ended_at")?,
                        outcome: word(row, "outcome")?,
                        error: row.try_get("error")?,
                        last_complete_at: row.try_get("last_complete_at")?,
                    })
                })
                .collect()
        })
        .await
    }

    /// Up to `limit` rows of `failures`, the longest known first.
    pub async fn failures(&self, limit: u32) -> Result<Vec<Failure>> {
        during("list failures", async {
            sqlx::query(FAILURES)
                .bind(limit)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(|row| {
                    Ok(Failure {
                        recording_id: row.try_get("recording_id")?,
                        room_name: row.try_get("room_name")?,
                        state: word(row, "state")?,
                        started_at: row.try_get("started_at")?,
                        duration_seconds: row.try_get("duration_seconds")?,
                        size_bytes: bytes(row, "size_bytes")?,
                        since: row.try_get("since")?,
                        reason: row.try_get("reason")?,
                    })
                })
                .collect()
        })
        .await
    }

    /// Up to `limit` rows of `gaps`, those that ended first before the others.
    pub async fn gaps(&self, limit: u32) -> Result<Vec<Gap>> {
        during("list gaps", async {
            sqlx::query(GAPS)
                .bind(limit)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(|row| {
                    Ok(Gap {
                        session_id: row.try_get("session_id")?,
                        room_name: row.try_get("room_name")?,
                        since: row.try_get("since")?,
                        recordings_listed: row.try_get("recordings_listed")?,
                        recordings_open: row.try_get("recordings_open")?,
                        list_error: row.try_get("list_error")?,
                    })
                })
                .collect()
        })
        .await
    }

    /// The errors that still matter, the newest `limit` of them, the newest first: of recordings that are not
    /// archived, those with which their last attempts ended.
    pub async fn newest_errors(&self, limit: u32) -> Result<Vec<FailedAttempt>> {
        during("list errors", async {
            sqlx::query(NEWEST_ERRORS)
                .bind(limit)
                .fetch_all(self.read())
                .await?
                .iter()
                .map(|row| {
                    Ok(FailedAttempt {
                        recording_id: row.try_get("recording_id")?,
                        attempt: row.try_get("attempt")?,
                        ended_at: row.try_get("ended_at")?,
                        http_status: row.try_get("http_status")?,
                        outcome: word(row, "outcome")?,
                        error: row.try_get("error")?,
                    })
                })
                .collect()
        })
        .await
    }
}
