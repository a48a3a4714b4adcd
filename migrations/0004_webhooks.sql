-- Webhooks: what happened and is to be told, and to whom it was told. Empty while no webhook is configured.

CREATE TABLE webhook (               -- as configured, when the service last read its configuration
    name          TEXT PRIMARY KEY,
    events        TEXT NOT NULL,     -- the types of events it gets, each between two spaces
    url_sha256    TEXT NOT NULL CHECK (length(url_sha256) = 64), -- shows another URL; the URL itself may hold a secret
    routed        INTEGER NOT NULL,  -- up to this event of the outbox it has its deliveries
    failures      INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- requests that failed, in a row
    failing_since TEXT,
    next_at       TEXT,              -- nothing is sent before then
    last_error    TEXT,
    disabled_at   TEXT,              -- it answered that it is gone for good
    delivered_at  TEXT,              -- when it last accepted an event
    dropped       INTEGER NOT NULL DEFAULT 0 CHECK (dropped >= 0) -- events it never got, as there were too many
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (                -- what happened: written in the transaction of the change itself
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL,      -- the webhook-id of its deliveries
    at           TEXT NOT NULL,
    type         TEXT NOT NULL,
    recording_id TEXT,               -- null: it concerns the archive
    room_name    TEXT,
    data         TEXT NOT NULL       -- JSON
) STRICT;

CREATE TABLE delivery (
    webhook          TEXT NOT NULL REFERENCES webhook (name) ON DELETE CASCADE,
    seq              INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    subject          TEXT NOT NULL,  -- the recording; empty: the archive. Its events are delivered one after another
    state            TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts         INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    first_attempt_at TEXT,
    next_attempt_at  TEXT NOT NULL DEFAULT '', -- empty: as soon as it is its turn
    unreachable      INTEGER NOT NULL DEFAULT 0, -- the last attempt failed for a reason that has nothing to do with the event
    ended_at         TEXT,
    http_status      INTEGER,
    error            TEXT,
    PRIMARY KEY (webhook, seq)
) STRICT, WITHOUT ROWID;
-- What is due, and whether an earlier event of the same subject is still to be delivered.
CREATE INDEX delivery_due ON delivery (webhook, next_attempt_at, seq) WHERE state = 'pending';
CREATE INDEX delivery_subject ON delivery (webhook, subject, seq) WHERE state = 'pending';
CREATE INDEX delivery_failed ON delivery (webhook, seq) WHERE state = 'failed';
CREATE INDEX delivery_ended ON delivery (ended_at) WHERE state <> 'pending';
CREATE INDEX delivery_seq ON delivery (seq);

-- Recordings that were reported as stuck, so that each is reported once.
CREATE TABLE stuck_reported (recording_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- What waits, and since when: to be archived, or to be completed upstream.
CREATE VIEW _waits AS
SELECT id, pending_since AS since FROM recording INDEXED BY recording_pending
WHERE pending_since IS NOT NULL AND (state <> 'damaged' OR upstream_gone_at IS NULL)
UNION ALL SELECT id, first_seen_at FROM recording WHERE state = 'waiting';

-- What an event says of a recording.
CREATE VIEW _event AS
SELECT r.id AS recording_id, r.state AS state, r.pending_since AS pending_since, s.room_name AS room_name, json_object(
    'recording_id', r.id,
    'session_id', r.session_id,
    'room_name', s.room_name,
    'state', r.state,
    'upstream_status', r.upstream_status,
    'started_at', r.started_at,
    'finished_at', r.finished_at,
    'duration_seconds', r.duration_seconds,
    'format', r.format,
    'size_bytes', coalesce(r.archived_bytes, r.size_bytes),
    'sha256', r.sha256,
    'path', r.path,
    'archived_at', r.archived_at,
    'damage', r.damage,
    'concerns', json((SELECT json_group_array(json_object('concern', c.kind, 'detail', c.detail))
        FROM concern c WHERE c.recording_id = r.id)),
    'upstream_gone_at', r.upstream_gone_at,
    'pending_since', r.pending_since,
    'error', r.last_error
) AS data
FROM recording r LEFT JOIN session s ON s.id = r.session_id;

CREATE VIEW deliveries AS SELECT   -- what was sent to which webhook, and what is still to be sent
    d.webhook,                     -- its name in the configuration
    o.id AS event_id,              -- the webhook-id, the same in every attempt
    o.type,                        -- recording.archived, archive.unhealthy, …
    o.recording_id,                -- the recording; null: the event concerns the archive
    o.at AS created_at,            -- when it happened
    d.state,                       -- pending, delivered or failed
    d.attempts,                    -- requests so far
    nullif(d.next_attempt_at, '') AS next_attempt_at, -- not tried again before then; null: as soon as it is its turn
    d.ended_at,                    -- when it was delivered or given up
    d.http_status,                 -- the last answer's status; null: there was none
    d.error                        -- why the last attempt failed
FROM delivery d JOIN outbox o ON o.seq = d.seq;
