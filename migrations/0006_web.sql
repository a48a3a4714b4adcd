-- What the read-only page (room-archiver web) asks, and others may ask too.

CREATE VIEW recordings AS SELECT   -- every recording, whatever its state
    r.id AS recording_id,          -- SignalWire's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.state,                       -- waiting, skipped, pending, downloading, archived, lost or damaged
    r.upstream_status,             -- SignalWire's word: recording, paused, processing, completed, …
    r.started_at,                  -- when the recording started
    r.finished_at,                 -- when it stopped
    r.duration_seconds,            -- its length as SignalWire reports it
    r.format,                      -- MIME type as SignalWire reports it
    coalesce(r.archived_bytes, r.size_bytes) AS size_bytes, -- bytes of the archived file, else as SignalWire reports them
    r.concerns,                    -- what is odd about the archived file, as in archive
    r.skip_reason,                 -- why the filter left it out, for the state skipped
    r.damage,                      -- what is wrong with its file, for the state damaged
    r.attempts,                    -- downloads tried so far
    r.next_attempt_at,             -- not tried again before then
    r.last_error,                  -- why the last attempt failed
    r.first_seen_at,               -- when the archiver first saw it
    r.upstream_gone_at             -- since when SignalWire no longer has it; null: it still does
FROM recording r LEFT JOIN session s ON s.id = r.session_id;

-- The odd files in the order of time. There are few, so it costs next to nothing.
CREATE INDEX recording_concerns ON recording (started_at) WHERE concerns IS NOT NULL;
