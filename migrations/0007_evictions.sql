-- Files that leave the disk because copies hold them, and the sidecars of copies.

ALTER TABLE sidecar ADD COLUMN seen_at TEXT; -- when one beside a copy was last there with the right size
-- Each copy has a sidecar beside it. Its first one is uploaded with the copy itself: it is not due.
CREATE TRIGGER sidecar_copy AFTER INSERT ON copy
BEGIN
    INSERT OR IGNORE INTO sidecar (recording, place, due) SELECT new.recording, name, 0 FROM copy_target WHERE id = new.target;
END;
INSERT OR IGNORE INTO sidecar (recording, place, due)
    SELECT c.recording, t.name, c.state = 'copied' FROM copy c JOIN copy_target t ON t.id = c.target;

-- Files that were removed from the disk because copies hold the recordings.
CREATE TABLE eviction (
    recording  INTEGER PRIMARY KEY REFERENCES recording (row),
    evicted_at TEXT NOT NULL,
    removed    INTEGER NOT NULL DEFAULT 0 CHECK (removed IN (0, 1)), -- 0: the file is to be removed
    fetched_at TEXT                       -- when it was last brought back
) STRICT;
CREATE INDEX eviction_unremoved ON eviction (recording) WHERE removed = 0;
-- What is in object stores only.
CREATE INDEX recording_evicted ON recording (evicted_at) WHERE evicted_at IS NOT NULL;
