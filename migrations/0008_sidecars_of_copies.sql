-- Each copy has a sidecar beside it, which follows the copy: it is due once the recording is copied.
DROP TRIGGER sidecar_copy;
CREATE TRIGGER sidecar_copy AFTER INSERT ON copy
BEGIN
    INSERT OR IGNORE INTO sidecar (recording, place, due) SELECT new.recording, name, 0 FROM copy_target WHERE id = new.target;
END;

DROP VIEW copy_targets;
CREATE VIEW copy_targets AS SELECT -- every object store that has or had copies
    t.name AS target,              -- NAME of [copies.NAME]
    t.url,                         -- bucket and prefix
    t.configured,                  -- 1: it is in the configuration; 0: it was removed from it
    (SELECT count(*) FROM copy WHERE target = t.id AND state = 'copied') AS copied,
    (SELECT count(*) FROM copy WHERE target = t.id AND state <> 'copied') AS pending, -- still to be copied
    (SELECT count(*) FROM sidecar INDEXED BY sidecar_due WHERE place = t.name AND due > 0) AS sidecars_pending, -- still to be written
    t.copied_at,                   -- when a recording was last copied to it
    t.verified_at,                 -- when all its copies were last looked for
    t.failing_since,               -- since when it fails; null: it works
    t.error                        -- how it fails
FROM copy_target t;
