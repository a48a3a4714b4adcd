-- What leads straight to the few rows that are asked for; a row that is none of them costs these indexes nothing.

-- Whether a session has recordings that are not completed upstream: a sweep asks it of every session.
CREATE INDEX recording_unfinished ON recording (session_id)
    WHERE upstream_status IS NOT 'completed' AND upstream_gone_at IS NULL;
-- The newest attempts that went wrong.
CREATE INDEX attempt_error ON attempt (id) WHERE error IS NOT NULL;
-- What happened to a recording.
CREATE INDEX event_recording ON event (recording_id) WHERE recording_id IS NOT NULL;
