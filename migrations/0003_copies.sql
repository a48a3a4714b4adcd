-- Copies of archived recordings in object stores.

CREATE TABLE copy_target (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    url           TEXT NOT NULL,      -- bucket and prefix: the place that its copies are in
    configured    INTEGER NOT NULL CHECK (configured IN (0, 1)),
    added_at      TEXT NOT NULL,
    enrolled_to   TEXT NOT NULL DEFAULT '', -- recordings verified before then have their rows in copy
    copied_at     TEXT,               -- when a recording was last copied to it
    verified_at   TEXT,               -- when all its copies were last looked for
    strays_at     TEXT,               -- when unfinished uploads that nobody knows were last looked for
    failing_since TEXT,               -- since when it fails
    error         TEXT,               -- how
    needs_help    INTEGER NOT NULL DEFAULT 0 CHECK (needs_help IN (0, 1)) -- it does not pass by itself
) STRICT;

CREATE TABLE copy (
    target          INTEGER NOT NULL REFERENCES copy_target (id),
    recording       INTEGER NOT NULL REFERENCES recording (row),
    -- pending: to be uploaded; missing, differs: it was there, or something else is
    state           TEXT NOT NULL CHECK (state IN ('pending', 'copied', 'missing', 'differs')),
    key             TEXT,             -- below the prefix; null: not uploaded yet
    bytes           INTEGER CHECK (bytes > 0),
    sha256          TEXT CHECK (length(sha256) = 64),
    etag            TEXT,
    version         TEXT,
    due_since       TEXT,             -- since when it should be there; null: it was archived before the target was added
    copied_at       TEXT,
    verified_at     TEXT,             -- when it was last there with the right size and ETag
    read_at         TEXT,             -- when it was last read back in full, and its hash was right
    retries         INTEGER NOT NULL DEFAULT 0 CHECK (retries >= 0),
    next_attempt_at TEXT,
    waits_for_target INTEGER NOT NULL DEFAULT 0 CHECK (waits_for_target IN (0, 1)),
    error           TEXT,
    PRIMARY KEY (target, recording),
    CHECK (state <> 'copied' OR (key IS NOT NULL AND bytes IS NOT NULL AND sha256 IS NOT NULL
        AND copied_at IS NOT NULL AND verified_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX copy_open ON copy (target, due_since, next_attempt_at) WHERE state <> 'copied';
CREATE INDEX copy_wrong ON copy (target, state) WHERE state IN ('missing', 'differs');
CREATE INDEX copy_verified ON copy (target, verified_at) WHERE state = 'copied';
CREATE INDEX copy_recording ON copy (recording);

-- Multipart uploads under way, and those to be aborted. Written before the store is asked for an upload, so that one
-- whose answer was lost is looked for.
CREATE TABLE upload (
    id         INTEGER PRIMARY KEY,
    target     INTEGER NOT NULL REFERENCES copy_target (id),
    recording  INTEGER NOT NULL REFERENCES recording (row),
    key        TEXT NOT NULL,
    upload_id  TEXT,                  -- the store's; null: asked for, the answer is not known
    token      TEXT NOT NULL,         -- in the object's metadata: tells this upload from any other
    sha256     TEXT NOT NULL,         -- of the content it is for
    part_bytes INTEGER NOT NULL CHECK (part_bytes > 0),
    started_at TEXT NOT NULL,
    abandoned  INTEGER NOT NULL DEFAULT 0 CHECK (abandoned IN (0, 1))
) STRICT;
CREATE INDEX upload_copy ON upload (target, recording);

CREATE TABLE upload_part (
    upload  INTEGER NOT NULL REFERENCES upload (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL CHECK (number >= 0),
    receipt TEXT NOT NULL,            -- what the store answered: needed to complete the upload
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- When the local file was removed because copies hold the recording; null: it is there.
ALTER TABLE recording ADD COLUMN evicted_at TEXT;

CREATE VIEW copies AS SELECT       -- every copy in an object store, made or still to be made
    r.id AS recording_id,          -- the recording
    t.name AS target,              -- NAME of [copies.NAME]
    c.state,                       -- pending, copied, missing (no longer there), differs (another object is there)
    t.url || '/' || c.key AS key,  -- the object: bucket, prefix and path; null: not copied yet
    c.bytes,                       -- its size
    c.copied_at,                   -- when it was copied
    c.verified_at,                 -- when it was last found there with the right size and checksum
    c.read_at,                     -- when it was last read back in full, and its SHA-256 was right; null: never
    c.due_since,                   -- since when it should be there; null: archived before the target was added
    c.next_attempt_at,             -- not tried again before then; null: as soon as it is its turn
    c.error                        -- why the last attempt failed
FROM copy c JOIN recording r ON r.row = c.recording JOIN copy_target t ON t.id = c.target;

CREATE VIEW copy_targets AS SELECT -- every object store that has or had copies
    t.name AS target,              -- NAME of [copies.NAME]
    t.url,                         -- bucket and prefix
    t.configured,                  -- 1: it is in the configuration; 0: it was removed from it
    (SELECT count(*) FROM copy WHERE target = t.id AND state = 'copied') AS copied,
    (SELECT count(*) FROM copy WHERE target = t.id AND state <> 'copied') AS pending, -- still to be copied
    t.copied_at,                   -- when a recording was last copied to it
    t.verified_at,                 -- when all its copies were last looked for
    t.failing_since,               -- since when it fails; null: it works
    t.error                        -- how it fails
FROM copy_target t;

DROP VIEW archive;
CREATE VIEW archive AS SELECT      -- every recording whose whole file is durable on the disk or in an object store
    r.id AS recording_id,          -- SignalWire's id of the recording
    r.session_id,                  -- the session it was made in
    s.room_name,                   -- the room's name
    r.started_at,                  -- when the recording started
    r.finished_at,                 -- when it stopped
    r.duration_seconds,            -- its length as SignalWire reports it
    r.format,                      -- MIME type as SignalWire reports it
    r.archived_bytes AS size_bytes, -- bytes of the file
    r.sha256,                      -- SHA-256 of the file, hexadecimal
    CASE WHEN r.evicted_at IS NULL THEN r.path END
        AS path,                   -- the file, relative to archive.directory; null: only copies are left
    r.archived_at,                 -- when it was archived
    r.verified_at,                 -- when the file was last read in full and its hash was correct
    r.concerns,                    -- what is odd about the file: duration, size, type, structure, truncated; null: nothing
    r.cost_in_dollars,             -- what SignalWire charged for it
    r.upstream_gone_at,            -- since when SignalWire no longer has it; null: it still does
    (SELECT count(*) FROM copy c WHERE c.recording = r.row AND c.state = 'copied')
        AS copies                  -- verified copies in object stores
FROM recording r LEFT JOIN session s ON s.id = r.session_id
WHERE r.state = 'archived';
