-- The archive's memory. Tables are private to room-archiver; the views of 0002 are its public face.
--
-- Ids are hyphenated lower-case UUIDs. Times are UTC text of fixed width, 2026-11-23T20:02:27.123Z, so that
-- their order as text is their order in time. Sizes are bytes, durations seconds.
-- No table ever holds a media link or a credential.
PRAGMA application_id = 0x524d4152; -- "RMAR"

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id               TEXT PRIMARY KEY CHECK (length(id) = 36 AND id = lower(id)),
    room_name        TEXT,
    status           TEXT,            -- the vendor's word
    start_time       TEXT,
    end_time         TEXT,
    created_at       TEXT,
    ended_at         TEXT,            -- the best known end, once it is over
    first_seen_at    TEXT NOT NULL,
    described_at     TEXT,            -- null: known from a recording alone, still to be asked for
    next_list_at     TEXT,            -- when its recordings are to be listed again; null: settled or gone
    listed_at        TEXT,            -- when they were last listed in full
    settled_at       TEXT,
    upstream_gone_at TEXT,
    upstream         TEXT             -- the vendor's object as JSON, without links
) STRICT;
CREATE INDEX session_due ON session (next_list_at, id) WHERE next_list_at IS NOT NULL;
CREATE INDEX session_stub ON session (id) WHERE described_at IS NULL AND upstream_gone_at IS NULL;
CREATE INDEX session_start ON session (start_time);

CREATE TABLE recording (
    id                  TEXT PRIMARY KEY CHECK (length(id) = 36 AND id = lower(id)),
    session_id          TEXT REFERENCES session (id),
    upstream_status     TEXT,         -- the vendor's word
    started_at          TEXT,
    finished_at         TEXT,
    duration_seconds    REAL,
    size_bytes          INTEGER CHECK (size_bytes > 0),
    format              TEXT,
    cost_in_dollars     REAL,
    updated_at          TEXT,
    first_seen_at       TEXT NOT NULL,
    completed_seen_at   TEXT,
    upstream_gone_at    TEXT,
    upstream_changed_at TEXT,         -- size or updated_at changed after it was archived
    state               TEXT NOT NULL CHECK (state IN
        ('waiting', 'skipped', 'pending', 'downloading', 'archived', 'failed', 'lost', 'damaged')),
    skip_reason         TEXT,
    -- download
    attempts            INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    retries             INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),  -- in a row; sets the back-off
    faults              INTEGER NOT NULL DEFAULT 0 CHECK (faults >= 0),   -- evidence of wrong content
    next_attempt_at     TEXT,
    last_error          TEXT,
    no_link_since       TEXT,         -- completed upstream, yet without a link
    part_bytes          INTEGER NOT NULL DEFAULT 0 CHECK (part_bytes >= 0),  -- durable bytes of the part
    part_validator      TEXT,         -- the strong ETag they belong to
    part_total          INTEGER CHECK (part_total > 0),
    -- the archived file
    path                TEXT UNIQUE,
    archived_bytes      INTEGER CHECK (archived_bytes > 0),
    sha256              TEXT CHECK (length(sha256) = 64),
    archived_at         TEXT,
    verified_at         TEXT,
    damage              TEXT,         -- what is wrong with the file: set while it is to be fetched again
    upstream            TEXT NOT NULL, -- the vendor's object as JSON, without its uri
    CHECK (state <> 'archived' OR (path IS NOT NULL AND archived_bytes IS NOT NULL
        AND sha256 IS NOT NULL AND archived_at IS NOT NULL AND verified_at IS NOT NULL AND damage IS NULL)),
    CHECK (state <> 'damaged' OR damage IS NOT NULL)
) STRICT;
CREATE INDEX recording_session ON recording (session_id, state);
CREATE INDEX recording_state ON recording (state, archived_bytes);
CREATE INDEX recording_started ON recording (started_at, id);
CREATE INDEX recording_due ON recording (started_at, next_attempt_at) WHERE state IN ('pending', 'damaged');
CREATE INDEX recording_verified ON recording (verified_at) WHERE state = 'archived';

CREATE TABLE attempt (
    id           INTEGER PRIMARY KEY,
    recording_id TEXT NOT NULL REFERENCES recording (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    started_at   TEXT NOT NULL,
    ended_at     TEXT,
    from_byte    INTEGER NOT NULL DEFAULT 0 CHECK (from_byte >= 0),
    bytes        INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
    http_status  INTEGER,
    outcome      TEXT NOT NULL DEFAULT 'running' CHECK (outcome IN
        ('running', 'archived', 'adopted', 'retry', 'failed', 'lost', 'not_ready', 'stopped', 'interrupted')),
    error        TEXT,
    UNIQUE (recording_id, number)
) STRICT;
CREATE INDEX attempt_running ON attempt (id) WHERE outcome = 'running';

CREATE TABLE pass (
    id              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL CHECK (kind IN ('poll', 'sweep', 'verify')),
    started_at      TEXT NOT NULL,
    ended_at        TEXT,
    sessions_seen   INTEGER NOT NULL DEFAULT 0,
    sessions_listed INTEGER NOT NULL DEFAULT 0,
    recordings_seen INTEGER NOT NULL DEFAULT 0,
    recordings_new  INTEGER NOT NULL DEFAULT 0,
    requests        INTEGER NOT NULL DEFAULT 0,
    outcome         TEXT NOT NULL DEFAULT 'running' CHECK (outcome IN
        ('running', 'complete', 'incomplete', 'refused', 'failed', 'stopped', 'interrupted')),
    error           TEXT
) STRICT;
CREATE INDEX pass_kind ON pass (kind, outcome, started_at);

-- A host that asked for patience (Retry-After), and until when.
CREATE TABLE cooldown (
    host  TEXT PRIMARY KEY,
    until TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What an operator should be able to look up later: files put aside, items that could not be read, damage.
CREATE TABLE event (
    id           INTEGER PRIMARY KEY,
    at           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    recording_id TEXT,
    text         TEXT NOT NULL
) STRICT;

-- Files found in the archive that no row tells of, waiting to be adopted.
CREATE TABLE stray (
    path         TEXT PRIMARY KEY,
    recording_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stray_recording ON stray (recording_id);
