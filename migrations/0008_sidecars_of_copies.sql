-- The sidecar of a copy follows it: it is due once the recording is copied.

DROP VIEW copy_targets;
CREATE VIEW copy_targets AS SELECT -- every object store that has or had copies
    t.name AS target,              -- NAME of [copies.NAME]
    t.url,                         -- bucket and prefix
    t.configured,                  -- 1: it is in the configuration; 0: it was removed from it
    (SELECT count(*) FROM copy WHERE target = t.id AND state = 'copied') AS copied,
    (SELECT count(*) FROM copy WHERE target = t.id AND state <> 'copied') AS pending, -- still to be copied
    (SELECT count(*) FROM sidecar s INDEXED BY sidecar_due CROSS JOIN copy c ON c.target = t.id AND c.recording = s.recording
     WHERE s.place = t.name AND s.due > 0 AND c.state = 'copied') AS sidecars_pending, -- still to be written
    t.copied_at,                   -- when a recording was last copied to it
    t.verified_at,                 -- when all its copies were last looked for
    t.failing_since,               -- since when it fails; null: it works
    t.error                        -- how it fails
FROM copy_target t;
