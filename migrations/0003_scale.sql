-- What a million recordings need: indexes that lead to the few rows that matter, and sums that are kept.

-- Statistics mislead: nearly all recordings are in one state.
DROP TABLE IF EXISTS sqlite_stat1;
DROP TABLE IF EXISTS sqlite_stat4;

-- Few, as each costs every row that is written. This one serves the listings, the view `archive`, the claims (who
-- waits for a next attempt is told by the index alone), the counts.
DROP INDEX recording_state;
DROP INDEX recording_started;
DROP INDEX recording_due;
CREATE INDEX recording_state ON recording (state, started_at, next_attempt_at);
DROP INDEX recording_verified;
CREATE INDEX recording_verified ON recording (state, verified_at) WHERE state = 'archived';
-- The largest files.
CREATE INDEX recording_size ON recording (state, archived_bytes) WHERE state = 'archived';
-- When the next one falls due, without a look at all that are waiting for their turn.
CREATE INDEX recording_next ON recording (next_attempt_at)
    WHERE state IN ('pending', 'damaged') AND next_attempt_at IS NOT NULL;
-- What only the archive has.
CREATE INDEX recording_gone ON recording (state, upstream_gone_at) WHERE upstream_gone_at IS NOT NULL;
-- What is completed upstream, but has no link.
CREATE INDEX recording_no_link ON recording (no_link_since) WHERE no_link_since IS NOT NULL;
-- The sessions that something is open of.
CREATE INDEX recording_open ON recording (session_id, state)
    WHERE state IN ('waiting', 'pending', 'downloading', 'failed', 'lost', 'damaged');
CREATE INDEX session_room ON session (room_name, start_time);
-- Those that fall due together are kept in the order they came, not in the random one of their ids.
DROP INDEX session_due;
CREATE INDEX session_due ON session (next_list_at) WHERE next_list_at IS NOT NULL;

-- What the archived recordings of a day and room come to. Exact but for the days in storage_stale, whose rows
-- are reckoned anew from time to time; until then the views add those days up from the recordings themselves.
-- An empty day or room stands for an unknown one.
CREATE TABLE storage (
    day              TEXT NOT NULL,
    room_name        TEXT NOT NULL,
    recordings       INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    duration_seconds REAL,
    first_started_at TEXT,
    last_started_at  TEXT,
    PRIMARY KEY (day, room_name)
) STRICT, WITHOUT ROWID;
CREATE TABLE storage_stale (day TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TRIGGER storage_of_recording
AFTER UPDATE OF state, session_id, started_at, duration_seconds, archived_bytes ON recording
WHEN (old.state = 'archived' OR new.state = 'archived')
    AND (old.state IS NOT new.state OR old.session_id IS NOT new.session_id OR old.started_at IS NOT new.started_at
        OR old.duration_seconds IS NOT new.duration_seconds OR old.archived_bytes IS NOT new.archived_bytes)
BEGIN
    INSERT OR IGNORE INTO storage_stale
    VALUES (coalesce(substr(old.started_at, 1, 10), '')), (coalesce(substr(new.started_at, 1, 10), ''));
END;
CREATE TRIGGER storage_of_session AFTER UPDATE OF room_name ON session WHEN old.room_name IS NOT new.room_name
BEGIN
    INSERT OR IGNORE INTO storage_stale
    SELECT DISTINCT coalesce(substr(started_at, 1, 10), '') FROM recording
    WHERE session_id = new.id AND state = 'archived';
END;
INSERT INTO storage_stale
SELECT DISTINCT coalesce(substr(started_at, 1, 10), '') FROM recording WHERE state = 'archived';

-- The sums of the stale days, as they are now.
CREATE VIEW _storage_now AS
SELECT d.day, coalesce(s.room_name, '') AS room_name, count(*) AS recordings, sum(r.archived_bytes) AS bytes,
    sum(r.duration_seconds) AS duration_seconds, min(r.started_at) AS first_started_at,
    max(r.started_at) AS last_started_at
FROM storage_stale d
-- 'U' follows the 'T' between date and time.
CROSS JOIN recording r ON r.state = 'archived' AND r.started_at >= d.day AND r.started_at < d.day || 'U'
LEFT JOIN session s ON s.id = r.session_id
WHERE d.day <> ''
GROUP BY d.day, coalesce(s.room_name, '')
UNION ALL
SELECT '', coalesce(s.room_name, ''), count(*), sum(r.archived_bytes), sum(r.duration_seconds), NULL, NULL
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state = 'archived' AND r.started_at IS NULL AND EXISTS (SELECT 1 FROM storage_stale WHERE day = '')
GROUP BY coalesce(s.room_name, '');

CREATE VIEW _storage_all AS
SELECT * FROM storage WHERE day NOT IN (SELECT day FROM storage_stale) UNION ALL SELECT * FROM _storage_now;

DROP VIEW storage_by_room;
CREATE VIEW storage_by_room AS SELECT  -- what each room's archived recordings take
    nullif(room_name, '') AS room_name, -- the room; null: unknown
    sum(recordings) AS recordings,
    sum(bytes) AS bytes,
    sum(duration_seconds) AS duration_seconds,
    min(first_started_at) AS first_started_at,
    max(last_started_at) AS last_started_at
FROM _storage_all GROUP BY room_name;

DROP VIEW storage_by_day;
CREATE VIEW storage_by_day AS SELECT   -- what each day's archived recordings take
    nullif(day, '') AS day,            -- the day the recordings started, UTC; null: unknown
    sum(recordings) AS recordings,
    sum(bytes) AS bytes,
    sum(duration_seconds) AS duration_seconds
FROM _storage_all GROUP BY day;

DROP VIEW failures;
CREATE VIEW failures AS SELECT     -- the rows of queue that need a person
    q.*,
    CASE q.state                   -- reason: what is wrong, in a sentence
        WHEN 'failed' THEN 'its content was wrong ' || r.faults || ' times: ' || coalesce(r.last_error, 'no error kept')
        WHEN 'lost' THEN 'gone upstream before it was archived'
        WHEN 'damaged' THEN CASE WHEN r.upstream_gone_at IS NULL
            THEN 'the archived file is ' || r.damage || ' and is being fetched again'
            ELSE 'the archived file is ' || r.damage || ' and the vendor no longer has it' END
        WHEN 'waiting' THEN CASE WHEN q.upstream_status = 'completed'
            THEN 'its session is still unknown, since ' || q.first_seen_at
            ELSE 'still ' || coalesce(q.upstream_status, 'without a status') || ' upstream since '
                || q.first_seen_at END
        ELSE 'completed upstream without a link since ' || r.no_link_since
    END AS reason
FROM recording r JOIN queue q ON q.recording_id = r.id
WHERE r.rowid IN (
    SELECT rowid FROM recording WHERE state IN ('failed', 'lost', 'damaged')
    UNION ALL SELECT rowid FROM recording INDEXED BY recording_no_link
        WHERE state = 'pending' AND no_link_since IS NOT NULL
        AND no_link_since < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
            '-' || (SELECT value FROM meta WHERE name = 'stuck_after_seconds') || ' seconds')
    UNION ALL SELECT rowid FROM recording WHERE state = 'waiting'
        AND first_seen_at < strftime('%Y-%m-%dT%H:%M:%fZ', 'now',
            '-' || (SELECT value FROM meta WHERE name = 'stuck_after_seconds') || ' seconds'));

DROP VIEW gaps;
DROP VIEW sessions;
CREATE VIEW sessions AS SELECT     -- every room session
    s.id AS session_id,            -- the vendor's id
    s.room_name,                   -- the room's name
    s.status,                      -- the vendor's word: in-progress, completed
    s.start_time,                  -- when it started
    s.end_time,                    -- when it ended
    (SELECT count(*) FROM recording WHERE session_id = s.id)
        AS recordings_listed,      -- recordings the vendor listed for it
    (SELECT count(*) FROM recording WHERE session_id = s.id AND state = 'archived')
        AS recordings_archived,
    (SELECT count(*) FROM recording WHERE session_id = s.id AND state NOT IN ('archived', 'skipped'))
        AS recordings_open,        -- neither archived nor left out by the filter
    (s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL)
        AND (s.listed_at IS NOT NULL AND s.listed_at >= coalesce(s.ended_at, '') OR s.settled_at IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM recording WHERE session_id = s.id AND state NOT IN ('archived', 'skipped'))
        AS complete,               -- 1: over, listed since it ended, and nothing open
    s.settled_at                   -- since when no recording is expected any more
FROM session s;

CREATE VIEW gaps AS SELECT *       -- the sessions that are over and not complete
FROM sessions
WHERE complete = 0 AND session_id IN (
    SELECT id FROM session WHERE next_list_at IS NOT NULL AND (ended_at IS NOT NULL OR upstream_gone_at IS NOT NULL)
    UNION
    SELECT s.id FROM (SELECT DISTINCT session_id FROM recording INDEXED BY recording_open
        WHERE state IN ('waiting', 'pending', 'downloading', 'failed', 'lost', 'damaged')) r
    JOIN session s ON s.id = r.session_id WHERE s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL);
