-- What leads straight to the few rows that are asked for; a row that is none of them costs these indexes nothing.

-- Whether a session has recordings that are not completed upstream: a sweep asks it of every session.
CREATE INDEX recording_unfinished ON recording (session_id)
    WHERE upstream_status IS NOT 'completed' AND upstream_gone_at IS NULL;
-- The newest attempts that went wrong.
CREATE INDEX attempt_error ON attempt (id) WHERE error IS NOT NULL;
-- What happened to a recording.
CREATE INDEX event_recording ON event (recording_id) WHERE recording_id IS NOT NULL;

-- With the session it also tells which sessions something is open of, in the order of time: an index of its own for
-- that, in the random order of sessions, cost a sweep more than all the others but one.
DROP INDEX recording_state;
CREATE INDEX recording_state ON recording (state, started_at, next_attempt_at, session_id);
DROP VIEW gaps;
DROP INDEX recording_open;
CREATE VIEW gaps AS SELECT *       -- the sessions that are over and not complete
FROM sessions
WHERE complete = 0 AND session_id IN (
    SELECT id FROM session WHERE next_list_at IS NOT NULL AND (ended_at IS NOT NULL OR upstream_gone_at IS NOT NULL)
    UNION
    SELECT s.id FROM (SELECT DISTINCT session_id FROM recording INDEXED BY recording_state
        WHERE state IN ('waiting', 'pending', 'downloading', 'failed', 'lost', 'damaged')) r
    JOIN session s ON s.id = r.session_id WHERE s.ended_at IS NOT NULL OR s.upstream_gone_at IS NOT NULL);
