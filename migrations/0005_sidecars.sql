-- The sidecars: a JSON file beside each recording that says all that its row needs. Rows are here only while
-- archive.sidecars is on, or after it was; triggers, which exist only while it is on, count what changes.
CREATE TABLE sidecar (
    recording INTEGER NOT NULL REFERENCES recording (row),
    place     TEXT NOT NULL,              -- empty: beside the file on the disk
    due       INTEGER NOT NULL DEFAULT 1 CHECK (due >= 0), -- changes since it was written; 0: it is as it should be
    bytes     INTEGER CHECK (bytes > 0),  -- its length when it was last written; null: never
    sha256    TEXT CHECK (length(sha256) = 64),
    PRIMARY KEY (recording, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX sidecar_due ON sidecar (place, recording) WHERE due > 0;
