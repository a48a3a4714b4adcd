-- The public interface: names and columns of these views are stable.
-- SQLite keeps a view's text with its comments, so `.schema archive` explains the columns.

CREATE VIEW archive AS SELECT      -- every recording whose whole, verified file is durable on the disk
    r.id AS recording_id,          -- the vendor's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.started_at,                  -- when the recording started
    r.finished_at,                 -- when it stopped
    r.duration_seconds,            -- its length as the vendor tells it
    r.format,                      -- MIME type
    r.archived_bytes AS size_bytes, -- bytes of the file on the disk
    r.sha256,                      -- SHA-256 of the file, hexadecimal
    r.path,                        -- the file, relative to archive.directory
    r.archived_at,                 -- when it was archived
    r.verified_at,                 -- when the file was last read in full and its hash held
    r.cost_in_dollars,             -- what the vendor charged for it
    r.upstream_gone_at             -- since when the vendor no longer has it; null: it still does
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state = 'archived';

CREATE VIEW queue AS SELECT        -- every recording that is neither archived nor left out by the filter
    r.id AS recording_id,          -- the vendor's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.state,                       -- waiting, pending, downloading, failed, lost or damaged
    r.upstream_status,             -- the vendor's word: recording, paused, processing, completed, …
    r.size_bytes,                  -- bytes as the vendor tells them; null: unknown
    r.attempts,                    -- downloads tried so far
    r.next_attempt_at,             -- not tried again before; null: as soon as there is room
    r.last_error,                  -- why the last attempt ended
    r.first_seen_at,               -- when the archiver first saw it
    r.completed_seen_at            -- when it first saw it completed upstream
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state IN ('waiting', 'pending', 'downloading', 'failed', 'lost', 'damaged');

CREATE VIEW failures AS SELECT     -- the rows of queue that need a person
    q.*,
    CASE q.state                   -- reason: what is wrong, in a sentence
        WHEN 'failed' THEN 'its content was wrong ' || r.faults || ' times: ' || coalesce(r.last_error, 'no error kept')
        WHEN 'lost' THEN 'gone upstream before it was archived'
        WHEN 'damaged' THEN CASE WHEN r.upstream_gone_at IS NULL
            THEN 'the archived file is ' || r.damage || ' and is being fetched again'
            ELSE 'the archived file is ' || r.damage || ' and the vendor no longer has it' END
        WHEN 'waiting' THEN 'still ' || coalesce(q.upstream_status, 'without a status') || ' upstream since '
            || q.first_seen_at
        ELSE 'completed upstream without a link since ' || r.no_link_since
    END AS reason
FROM queue q JOIN recording r ON r.id = q.recording_id
WHERE q.state IN ('failed', 'lost', 'damaged')
   OR (q.state = 'pending' AND r.no_link_since < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
        '-' || (SELECT value FROM meta WHERE name = 'stuck_after_seconds') || ' seconds'))
   OR (q.state = 'waiting' AND q.first_seen_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
        '-' || (SELECT value FROM meta WHERE name = 'stuck_after_seconds') || ' seconds'));

CREATE VIEW sessions AS SELECT     -- every room session
    s.id AS session_id,            -- the vendor's id
    s.room_name,                   -- the room's name
    s.status,                      -- the vendor's word: in-progress, completed
    s.start_time,                  -- when it started
    s.end_time,                    -- when it ended
    count(r.id) AS recordings_listed,                   -- recordings the vendor listed for it
    count(r.id) FILTER (WHERE r.state = 'archived') AS recordings_archived,
    count(r.id) FILTER (WHERE r.state NOT IN ('archived', 'skipped')) AS recordings_open,
    (s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL)
        AND (s.listed_at IS NOT NULL AND s.listed_at >= coalesce(s.ended_at, '') OR s.settled_at IS NOT NULL)
        AND count(r.id) FILTER (WHERE r.state NOT IN ('archived', 'skipped')) = 0
        AS complete,               -- 1: over, listed since it ended, and nothing open
    s.settled_at                   -- since when no recording is expected any more
FROM session s LEFT JOIN recording r ON r.session_id = s.id
GROUP BY s.id;

CREATE VIEW gaps AS SELECT *       -- the sessions that are over and not complete
FROM sessions
WHERE complete = 0 AND session_id IN
    (SELECT id FROM session WHERE ended_at IS NOT NULL OR upstream_gone_at IS NOT NULL);

CREATE VIEW attempts AS SELECT     -- every download tried
    recording_id,                  -- the recording
    number AS attempt,             -- 1, 2, 3 … for each recording
    started_at,                    -- when it began
    ended_at,                      -- when it ended; null: it is running
    from_byte,                     -- the byte it went on from; 0: a fresh start
    bytes,                         -- bytes it received
    http_status,                   -- the media server's last status
    outcome,                       -- running, archived, adopted, retry, failed, lost, not_ready, stopped, interrupted
    error                          -- what ended it
FROM attempt;

CREATE VIEW passes AS SELECT       -- every look at the space, and every verification
    id,
    kind,                          -- poll, sweep or verify
    started_at,
    ended_at,                      -- null: it is running
    sessions_seen,                 -- session rows the vendor sent
    sessions_listed,               -- sessions whose recordings were listed
    recordings_seen,               -- recording rows the vendor sent; files read, for verify
    recordings_new,                -- of those, unknown before
    requests,                      -- requests sent to the API
    outcome,                       -- running, complete, incomplete, refused, failed, stopped, interrupted
    error                          -- what kept it from being complete, or what it set aside
FROM pass;

CREATE VIEW events AS SELECT       -- what happened besides: quarantined files, damage, items set aside
    id, at, kind, recording_id, text
FROM event;

CREATE VIEW storage_by_room AS SELECT  -- what each room's archived recordings take
    room_name,                     -- the room
    count(*) AS recordings,
    sum(size_bytes) AS bytes,
    sum(duration_seconds) AS duration_seconds,
    min(started_at) AS first_started_at,
    max(started_at) AS last_started_at
FROM archive GROUP BY room_name;

CREATE VIEW storage_by_day AS SELECT   -- what each day's archived recordings take
    substr(started_at, 1, 10) AS day,  -- the day the recordings started, UTC; null: unknown
    count(*) AS recordings,
    sum(size_bytes) AS bytes,
    sum(duration_seconds) AS duration_seconds
FROM archive GROUP BY substr(started_at, 1, 10);
