//! What must hold of an archive whatever was done to the program before: each completed recording of the
//! space is archived exactly once, and nothing else lies there.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Setting;

/// Checks an archive with which nothing works any more, and that should hold these recordings.
pub fn check(setting: &Setting, expected: &[Uuid]) {
    let checks = setting.sql("PRAGMA integrity_check; PRAGMA foreign_key_check");
    assert_eq!(checks, "ok");
    assert_eq!(
        setting.sql("SELECT * FROM queue WHERE state <> 'waiting'"),
        ""
    );
    let running = "SELECT count(*) FROM attempts WHERE outcome = 'running'";
    assert_eq!(setting.sql(running), "0", "attempts that still run");

    let mut wanted: BTreeMap<String, String> = expected
        .iter()
        .map(|id| (id.to_string(), digest(setting, *id)))
        .collect();
    let mut files = setting.files();
    let rows = setting.sql("SELECT recording_id, sha256, path FROM archive ORDER BY recording_id");
    for row in rows.lines() {
        let columns: Vec<&str> = row.split('|').collect();
        let &[id, sha256, path] = columns.as_slice() else {
            panic!("a path with a bar in it: {row}");
        };
        assert_eq!(
            wanted.remove(id).as_deref(),
            Some(sha256),
            "{id} in the database"
        );
        let path = setting.recordings().join(path);
        let bytes = std::fs::read(&path).expect("the file of a row");
        assert_eq!(super::sha256(&bytes), sha256, "{}", path.display());
        files.retain(|file| *file != path);
    }
    assert!(wanted.is_empty(), "not archived: {:?}", wanted.keys());
    assert!(files.is_empty(), "files without a row: {files:?}");
    for entry in std::fs::read_dir(setting.recordings()).expect("an archive") {
        let entry = entry.expect("an entry");
        match entry.file_name().to_str() {
            Some(".partial" | ".quarantine") => {
                let left: Vec<_> = std::fs::read_dir(entry.path()).expect("it").collect();
                assert!(left.is_empty(), "left over: {left:?}");
            }
            Some(name) => assert!(name == ".room-archiver" || !name.starts_with('.'), "{name}"),
            None => panic!("a strange name: {entry:?}"),
        }
    }
}

fn digest(setting: &Setting, id: Uuid) -> String {
    let recording = setting.space.recording(id);
    recording.expect("a recording").media.sha256()
}
