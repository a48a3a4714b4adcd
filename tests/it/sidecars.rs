//! Sidecars: a JSON file beside each recording that says all that its row needs, and a database rebuilt from them.

use std::path::{Path, PathBuf};

use fake_space::{NewRecording, NewSession};
use serde_json::Value;
use uuid::Uuid;

use super::harness::{BY_ID, MIB, Setting, media};

const ON: &str =
    "[archive]\nsidecars = true\npath_template = \"{{ room }}/{{ recording_id }}.{{ ext }}\"\n";

/// A space with recordings, and an archive with sidecars that has archived them.
fn archived(recordings: usize) -> (Setting, Vec<Uuid>) {
    let setting = Setting::with(ON);
    let ids = (0..recordings).map(|_| setting.add_media(&media(MIB)));
    let ids = ids.collect();
    setting.once(0);
    (setting, ids)
}

fn sidecar(setting: &Setting, id: Uuid) -> PathBuf {
    let file = setting.target(id);
    file.with_extension("mp4.json")
}

fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a sidecar");
    serde_json::from_str(&text).expect("JSON")
}

fn lose_the_database(setting: &Setting) {
    for end in ["", "-wal", "-shm"] {
        let mut path = setting.database().into_os_string();
        path.push(end);
        _ = std::fs::remove_file(path);
    }
}

#[test]
fn a_sidecar_says_all_that_a_row_needs_and_no_link() {
    let (setting, ids) = archived(1);
    let path = sidecar(&setting, ids[0]);
    let text = std::fs::read_to_string(&path).expect("a sidecar");
    let value = read(&path);
    let row = setting.sql("SELECT sha256 || ' ' || path || ' ' || archived_at FROM archive");
    let said = ["sha256", "path", "archived_at"].map(|key| value[key].as_str().unwrap_or("?"));
    assert_eq!(said.join(" "), row);
    assert_eq!(value["size_bytes"], MIB);
    assert_eq!(value["room_name"], "lesson");
    assert_eq!(value["recording"]["id"], ids[0].to_string());
    assert_eq!(value["session"]["name"], "lesson");
    assert_eq!(value["recording"].get("uri"), None);
    assert!(!text.contains("http"), "{text}");
    let mode = |path: &Path| {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().expect("a file").permissions().mode() & 0o777
    };
    assert_eq!(mode(&path), mode(&setting.target(ids[0])));
    assert_eq!(setting.parts(), [""; 0]);
}

#[test]
fn what_was_archived_before_the_option_was_switched_on_gets_its_sidecar_later() {
    let mut setting = Setting::with(BY_ID);
    let ids = [(); 3].map(|()| setting.add_media(&media(MIB)));
    setting.once(0);
    assert_eq!(setting.files().len(), 3);
    ON.clone_into(&mut setting.more);
    setting.once(0);
    assert!(ids.iter().all(|id| sidecar(&setting, *id).exists()));
    // Switched off they stay as they are, and nobody misses them.
    BY_ID.clone_into(&mut setting.more);
    std::fs::remove_file(sidecar(&setting, ids[0])).expect("a sidecar");
    setting.once(0);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
    assert_eq!(setting.files().len(), 5);
    ON.clone_into(&mut setting.more);
    setting.once(0);
    assert_eq!(setting.files().len(), 6);
    assert_eq!(setting.quarantined(), [""; 0]);
}

#[test]
fn the_service_writes_sidecars_and_updates_them_when_the_session_changes() {
    let setting = Setting::with(&format!("{ON}[poll]\nschedule = \"* * * * * *\"\n"));
    let session = setting.space.add_session(NewSession::running("lesson"));
    let recording = NewRecording::completed(media(MIB));
    let id = setting.space.add_recording(session, recording);
    let mut daemon = setting.daemon();
    let path = sidecar(&setting, id);
    setting.wait(|_| path.exists());
    assert_eq!(read(&path)["session"]["status"], "in-progress");
    setting.space.end_session(session);
    setting.wait(|_| read(&path)["session"]["status"] == "completed");
    daemon.stop();
    assert_eq!(setting.quarantined(), [""; 0]);
}

#[test]
fn a_missing_or_altered_sidecar_is_reported_and_written_again() {
    let (setting, ids) = archived(3);
    let paths: Vec<PathBuf> = ids.iter().map(|id| sidecar(&setting, *id)).collect();
    let before: Vec<Value> = paths.iter().map(|path| read(path)).collect();
    std::fs::remove_file(&paths[0]).expect("a sidecar");
    std::fs::write(&paths[1], "{}").expect("a sidecar");
    let verified = setting.run(&["verify", "--full"]);
    let text = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert_eq!(verified.status.code(), Some(5), "{text}");
    assert!(
        text.contains(&format!("missing: lesson/{}.mp4.json", ids[0])),
        "{text}"
    );
    assert!(
        text.contains(&format!("altered: lesson/{}.mp4.json", ids[1])),
        "{text}"
    );
    let after: Vec<Value> = paths.iter().map(|path| read(path)).collect();
    assert_eq!(after, before);
    // What someone wrote is kept.
    assert_eq!(setting.quarantined().len(), 1);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
    assert_eq!(setting.count("archive"), "3");
}

#[test]
fn after_a_crash_missing_sidecars_are_found_and_none_is_taken_for_a_recording() {
    let (setting, ids) = archived(2);
    std::fs::remove_file(sidecar(&setting, ids[0])).expect("a sidecar");
    // As after a crash: the files and the rows are compared.
    setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
    setting.once(0);
    assert!(sidecar(&setting, ids[0]).exists());
    assert_eq!(setting.sql("SELECT count(*) FROM stray"), "0");
    assert_eq!(setting.quarantined(), [""; 0]);
    assert_eq!(setting.media_requests().len(), 2);
}

#[test]
fn a_lost_database_is_rebuilt_with_what_the_vendor_no_longer_has() {
    let (setting, ids) = archived(3);
    let columns = "SELECT recording_id, session_id, room_name, started_at, finished_at, duration_seconds, size_bytes,
         sha256, path, archived_at, concerns, cost_in_dollars FROM archive ORDER BY recording_id";
    let before = setting.sql(columns);
    setting.space.delete_recording(ids[0]);
    lose_the_database(&setting);
    let output = setting.run(&["once", "--rebuild"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        text.contains("rebuilt 3 recordings from sidecars"),
        "{text}"
    );
    assert_eq!(setting.sql(columns), before);
    let gone = "SELECT recording_id FROM archive WHERE upstream_gone_at IS NOT NULL";
    assert_eq!(setting.sql(gone), ids[0].to_string());
    assert_eq!(setting.media_requests().len(), 3);
    // Their sidecars are as they should be: nothing is moved away or reported.
    assert_eq!(setting.quarantined(), [""; 0]);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[test]
fn a_lost_database_that_is_not_rebuilt_keeps_the_sidecars_too() {
    let (setting, _) = archived(2);
    lose_the_database(&setting);
    setting.once(0);
    assert_eq!(setting.count("archive"), "2");
    assert_eq!(setting.quarantined(), [""; 0]);
    assert_eq!(setting.media_requests().len(), 2);
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

/// Changes a value of a sidecar.
fn forge(path: &Path, key: &str, value: Value) {
    let mut all = read(path);
    all[key] = value;
    std::fs::write(path, all.to_string()).expect("a sidecar");
}

#[test]
fn forged_sidecars_change_nothing() {
    let (setting, ids) = archived(8);
    let paths: Vec<PathBuf> = ids.iter().map(|id| sidecar(&setting, *id)).collect();
    for id in &ids {
        setting.space.delete_recording(*id);
    }
    let other = Uuid::from_u128(7).to_string();
    forge(
        &paths[0],
        "path",
        format!("../../etc/{}.mp4", ids[0]).into(),
    );
    forge(&paths[1], "recording_id", other.clone().into());
    forge(&paths[2], "sha256", "0".repeat(64).into());
    forge(&paths[3], "project_id", "another".into());
    forge(&paths[4], "size_bytes", (-1).into());
    forge(&paths[5], "archived_at", "soon".into());
    std::fs::write(&paths[6], "[".repeat(100_000)).expect("a sidecar");
    lose_the_database(&setting);
    let output = setting.run(&["once", "--rebuild"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("rebuilt 1 recording from sidecars"), "{text}");
    assert!(text.contains("7 sidecars could not be used:"), "{text}");
    assert_eq!(
        setting.sql("SELECT recording_id FROM archive"),
        ids[7].to_string()
    );
    assert_eq!(setting.count("recording"), "1");
}

#[test]
fn the_json_of_a_rebuild_says_what_it_restored_and_what_it_could_not_use() {
    let (setting, ids) = archived(3);
    let forged = sidecar(&setting, ids[1]);
    forge(&forged, "sha256", "0".repeat(64).into());
    lose_the_database(&setting);
    let json = |args: &[&str]| {
        let output = setting.run(args);
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let rebuilt = &json(&["once", "--rebuild", "--json"])["rebuilt"];
    assert_eq!(rebuilt["recordings"], 2);
    assert_eq!(rebuilt["unusable_sidecars"], 1);
    assert_eq!(rebuilt["unreadable_places"], 0);
    let path = rebuilt["sidecars"][0]["path"].as_str().expect("a path");
    assert!(forged.ends_with(path), "{path}");
    let error = rebuilt["sidecars"][0]["error"].as_str().expect("an error");
    assert!(error.contains("SHA-256"), "{error}");
    assert_eq!(json(&["once", "--json"])["rebuilt"], Value::Null);
}
