-- The public interface: names and columns of these views are stable. Views whose names begin with _ are private.
-- SQLite keeps the text of a view with its comments, so that `.schema archive` explains the columns.
-- Use only what SQLite 3.40 understands: operators read the database with the sqlite3 of their system.

CREATE VIEW archive AS SELECT      -- every recording whose whole file is durable on the disk
    r.id AS recording_id,          -- SignalWire's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.started_at,                  -- when the recording started
    r.finished_at,                 -- when it stopped
    r.duration_seconds,            -- its length as SignalWire reports it
    r.format,                      -- MIME type as SignalWire reports it
    r.archived_bytes AS size_bytes, -- bytes of the file on the disk
    r.sha256,                      -- SHA-256 of the file, hexadecimal
    r.path,                        -- the file, relative to archive.directory
    r.archived_at,                 -- when it was archived
    r.verified_at,                 -- when the file was last read in full and its hash was correct
    r.concerns,                    -- what is odd about the file: duration, size, type, structure, truncated; null: nothing
    r.cost_in_dollars,             -- what SignalWire charged for it
    r.upstream_gone_at             -- since when SignalWire no longer has it; null: it still does
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state = 'archived';

CREATE VIEW concerns AS SELECT     -- what is odd about archived files
    c.recording_id,                -- the recording
    c.kind AS concern,             -- duration, size, type, structure or truncated
    c.detail,                      -- in a sentence
    c.noted_at                     -- when the file was archived with it
FROM concern c JOIN recording r ON r.id = c.recording_id
WHERE r.state = 'archived';

CREATE VIEW queue AS SELECT        -- every recording that is neither archived nor left out by the filter
    r.id AS recording_id,          -- SignalWire's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.state,                       -- waiting, pending, downloading, lost or damaged
    r.upstream_status,             -- SignalWire's word: recording, paused, processing, completed, …
    r.size_bytes,                  -- bytes as SignalWire reports them; null: unknown
    r.attempts,                    -- downloads tried so far
    r.next_attempt_at,             -- not tried again before then; null: as soon as it is its turn
    r.last_error,                  -- why the last attempt failed
    r.first_seen_at,               -- when the archiver first saw it
    r.completed_seen_at,           -- when it first saw it completed upstream
    r.pending_since                -- since when it should be in the archive and is not
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state IN ('waiting', 'pending', 'downloading', 'lost', 'damaged');

CREATE VIEW _stuck_before AS       -- whatever is older than this is stuck
SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-' || value || ' seconds') AS time
FROM meta WHERE name = 'stuck_after_seconds';

CREATE VIEW failures AS SELECT     -- the rows of queue that need attention
    q.*,
    CASE                           -- reason: what is wrong, in a sentence
        WHEN q.state = 'lost' THEN 'gone upstream before it was archived'
        WHEN q.state = 'damaged' AND r.upstream_gone_at IS NOT NULL
            THEN 'the archived file is ' || r.damage || ' and SignalWire no longer has it'
        WHEN q.state = 'damaged'
            THEN 'the archived file is ' || r.damage || ' and could not be downloaded again since ' || r.pending_since
        WHEN q.state = 'waiting' AND q.upstream_status = 'completed'
            THEN 'completed upstream, but its session is unknown since ' || q.first_seen_at
        WHEN q.state = 'waiting' THEN 'still ' || coalesce(q.upstream_status, 'without a status')
            || ' upstream since ' || q.first_seen_at
        ELSE 'completed upstream and not archived since ' || r.pending_since
    END || CASE WHEN q.state IN ('pending', 'downloading', 'damaged') AND r.upstream_gone_at IS NULL
            AND q.last_error IS NOT NULL
        THEN ': ' || q.last_error ELSE '' END AS reason
FROM recording r JOIN queue q ON q.recording_id = r.id
WHERE r.row IN (
    SELECT row FROM recording WHERE state = 'lost'
    UNION ALL SELECT row FROM recording INDEXED BY recording_gone
        WHERE state = 'damaged' AND upstream_gone_at IS NOT NULL
    UNION ALL SELECT row FROM recording INDEXED BY recording_pending
        WHERE pending_since < (SELECT time FROM _stuck_before)
    UNION ALL SELECT row FROM recording WHERE state = 'waiting' AND first_seen_at < (SELECT time FROM _stuck_before));

CREATE VIEW pauses AS SELECT       -- why downloads do not start now, or only one at a time
    reason,                        -- disk, api, host (a media host fails), failures (one after another)
    nullif(subject, '') AS host,   -- the host and port, for reason host
    error,                         -- what happened last
    since                          -- since when
FROM pause;

CREATE VIEW sessions AS SELECT     -- every room session
    s.id AS session_id,            -- SignalWire's id
    s.room_name,                   -- the room's name
    s.status,                      -- SignalWire's word: in-progress, completed
    s.start_time,                  -- when it started
    s.end_time,                    -- when it ended
    (SELECT count(*) FROM recording WHERE session_id = s.id)
        AS recordings_listed,      -- recordings SignalWire listed for it
    (SELECT count(*) FROM recording WHERE session_id = s.id AND state = 'archived')
        AS recordings_archived,
    (SELECT count(*) FROM recording WHERE session_id = s.id AND state NOT IN ('archived', 'skipped'))
        AS recordings_open,        -- neither archived nor left out by the filter
    (s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL)
        AND (s.listed_at IS NOT NULL AND s.listed_at >= coalesce(s.ended_at, '') OR s.settled_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM recording WHERE session_id = s.id AND state NOT IN ('archived', 'skipped'))
        AS complete,               -- 1: over, listed since it ended, and nothing open
    s.settled_at,                  -- since when no recording is expected any more
    s.list_error,                  -- why its recordings can't be listed
    s.unlisted_since               -- since when
FROM session s;

CREATE VIEW gaps AS SELECT *       -- the sessions that are over and not complete
FROM sessions
WHERE complete = 0 AND session_id IN (
    SELECT id FROM session WHERE next_list_at IS NOT NULL AND (ended_at IS NOT NULL OR upstream_gone_at IS NOT NULL)
    UNION
    SELECT s.id FROM (SELECT DISTINCT session_id FROM recording INDEXED BY recording_state
        WHERE state IN ('waiting', 'pending', 'downloading', 'lost', 'damaged')) r
    JOIN session s ON s.id = r.session_id WHERE s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL);

CREATE VIEW attempts AS SELECT     -- the last 20 downloads of each recording
    recording_id,                  -- the recording
    number AS attempt,             -- 1, 2, 3 … for each recording
    started_at,                    -- when it began
    ended_at,                      -- when it ended; null: it is running
    from_byte,                     -- the byte it resumed from; 0: from the start
    bytes,                         -- bytes it received
    http_status,                   -- the media server's last status
    outcome,                       -- running, archived, adopted, retry, lost, stopped, interrupted
    error                          -- why it failed
FROM attempt;

CREATE VIEW passes AS SELECT       -- every poll, sweep and verification
    id,
    kind,                          -- poll, sweep or verify
    started_at,
    ended_at,                      -- null: it is running
    sessions_seen,                 -- session rows SignalWire sent
    sessions_listed,               -- sessions whose recordings were listed
    recordings_seen,               -- recording rows SignalWire sent; files read, for verify
    recordings_new,                -- of those, unknown before
    requests,                      -- requests sent to the API
    outcome,                       -- running, complete, incomplete, refused, failed, stopped, interrupted
    error                          -- what kept it from being complete, or what was put off or rejected
FROM pass;

CREATE VIEW events AS SELECT       -- what else happened: quarantined files, damage, rejected items
    id, at, kind, recording_id, text
FROM event;

CREATE VIEW storage_by_room AS SELECT  -- what each room's archived recordings take
    s.room_name,                       -- the room; null: unknown
    sum(r.recordings) AS recordings,
    sum(r.bytes) AS bytes,
    sum(r.duration_seconds) AS duration_seconds,
    min(r.first_started_at) AS first_started_at,
    max(r.last_started_at) AS last_started_at
-- By session first: there are far fewer sessions to look up than recordings.
FROM (SELECT session_id, count(*) AS recordings, sum(archived_bytes) AS bytes, sum(duration_seconds) AS duration_seconds,
        min(started_at) AS first_started_at, max(started_at) AS last_started_at
    FROM recording INDEXED BY recording_state WHERE state = 'archived' GROUP BY session_id) r
LEFT JOIN session s ON s.id = r.session_id
GROUP BY s.room_name;

CREATE VIEW storage_by_day AS SELECT   -- what each day's archived recordings take
    substr(started_at, 1, 10) AS day,  -- the day the recordings started, UTC; null: unknown
    count(*) AS recordings,
    sum(archived_bytes) AS bytes,
    sum(duration_seconds) AS duration_seconds
FROM recording INDEXED BY recording_state WHERE state = 'archived'
GROUP BY day;
