//! A machine that was lost gets its database back from the bucket alone.

use serde_json::Value;
use uuid::Uuid;

use super::{Offsite, text};

#[test]
fn an_empty_machine_gets_its_database_from_the_bucket_alone() {
    let offsite = Offsite::new(7, "");
    let setting = &offsite.setting;
    assert_eq!(offsite.bucket.objects().len(), 14);
    let columns = "SELECT recording_id, session_id, room_name, started_at, duration_seconds, size_bytes, sha256,
         archived_at FROM archive ORDER BY recording_id";
    let before = setting.sql(columns);
    offsite.lose_the_machine();
    let api = setting.space.journal().len();
    let output = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("rebuilt 7 recordings"), "{output:?}");
    assert_eq!(setting.space.journal().len(), api, "SignalWire was asked");
    assert_eq!(setting.sql(columns), before);
    let places = setting.sql("SELECT DISTINCT path IS NULL, copies FROM archive");
    assert_eq!(places, "1|1");
    // Nothing is downloaded or copied again, and the files can be had.
    let sent = offsite.bucket.count("put") + offsite.bucket.count("part");
    setting.once(0);
    assert_eq!(setting.media_requests().len(), 7);
    assert_eq!(
        offsite.bucket.count("put") + offsite.bucket.count("part"),
        sent
    );
    assert_eq!(setting.files().len(), 0);
    let fetched = setting.run(&["fetch", &offsite.ids[3].to_string()]);
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    assert!(offsite.is_here(3));
    // Again: there is nothing to do.
    let again = setting.run(&["rebuild", "--from", "offsite", "--json"]);
    let again: Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(
        (&again["recordings"], &again["complete"]),
        (&0.into(), &true.into())
    );
}

#[test]
fn files_that_are_on_the_disk_all_the_same_are_not_called_evicted() {
    let offsite = Offsite::new(2, "");
    let setting = &offsite.setting;
    std::fs::remove_file(setting.target(offsite.ids[1])).expect("a file");
    std::fs::remove_dir_all(setting.recordings.join(".partial")).ok();
    let moved = setting.directory.path().join("moved");
    std::fs::rename(&setting.recordings, &moved).expect("a directory");
    std::fs::create_dir(&setting.recordings).expect("a directory");
    for end in ["", "-wal", "-shm"] {
        let mut path = setting.database().into_os_string();
        path.push(end);
        _ = std::fs::remove_file(path);
    }
    std::fs::rename(moved.join("lesson"), setting.recordings.join("lesson")).expect("a directory");
    let output = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let here = setting.sql("SELECT recording_id FROM archive WHERE path IS NOT NULL");
    assert_eq!(here, offsite.ids[0].to_string());
}

#[test]
fn what_was_copied_just_before_the_machine_was_lost_needs_no_sidecar() {
    let offsite = Offsite::new(3, "");
    let setting = &offsite.setting;
    let columns = "SELECT recording_id, session_id, room_name, started_at, sha256 FROM archive ORDER BY recording_id";
    let before = setting.sql(columns);
    offsite.bucket.remove(&offsite.sidecar(0));
    // As good as none.
    offsite.bucket.cut(&offsite.sidecar(2));
    // Objects of others and what was set aside are no recordings.
    let other = format!("pre fix/lesson/{}.mp4", Uuid::from_u128(9));
    offsite.bucket.place(&other, b"somebody else's");
    let set_aside = offsite.key(1).replace("pre fix/", "pre fix/.altered/");
    offsite.bucket.place(&set_aside, b"altered");
    offsite.lose_the_machine();
    let output = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output);
    assert!(
        said.contains("rebuilt 3 recordings") && said.contains("1 sidecar could not be used"),
        "{said}"
    );
    assert_eq!(setting.sql("SELECT sum(copies) FROM archive"), "3");
    // The rest comes from SignalWire, without its files; then the sidecars are written.
    setting.once(0);
    assert_eq!(setting.sql(columns), before);
    assert_eq!(setting.media_requests().len(), 3);
    let sidecar: Value =
        serde_json::from_slice(&offsite.stored(&offsite.sidecar(0)).body).expect("JSON");
    assert_eq!(sidecar["room_name"], "lesson");
}

#[test]
fn hostile_sidecars_in_a_bucket_forge_nothing_and_lead_nowhere() {
    let offsite = Offsite::new(6, "");
    let setting = &offsite.setting;
    let forge = |n, name, value: Value| offsite.bucket.forge(&offsite.sidecar(n), name, value);
    let outside = format!("../../{}.mp4", offsite.ids[0]);
    forge(0, "path", outside.into());
    let hidden = format!(".partial/{}.mp4", offsite.ids[1]);
    forge(1, "path", hidden.into());
    forge(2, "recording_id", Uuid::from_u128(9).to_string().into());
    forge(3, "sha256", "0".repeat(64).into());
    offsite.bucket.remove(&offsite.key(4));
    offsite.lose_the_machine();
    let output = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = text(&output);
    assert!(
        said.contains("rebuilt 1 recording") && said.contains("5 sidecars could not be used"),
        "{said}"
    );
    let rows = setting.sql("SELECT recording_id FROM archive");
    assert_eq!(rows, offsite.ids[5].to_string());
    // The rest is downloaded again while SignalWire has it.
    setting.once(0);
    assert_eq!(setting.count("archive"), "6");
}

#[test]
fn rebuild_from_a_target_that_is_not_configured_or_refuses_creates_nothing() {
    let offsite = Offsite::new(1, "");
    let setting = &offsite.setting;
    offsite.lose_the_machine();
    let output = setting.run(&["rebuild", "--from", "elsewhere"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    offsite.bucket.refuse(true);
    let output = setting.run(&["rebuild", "--from", "offsite"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("refused the access key"), "{said}");
    assert!(!setting.database().exists());
}
