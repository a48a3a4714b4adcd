//! The archive heals by itself: files that vanish or change, a lost database, parts that nobody needs,
//! credentials that come and go, verification by schedule.

use std::path::Path;
use std::time::Duration;

use fake_space::{Action, Rule};
use room_archiver::clock::Clock;
use room_archiver::store::PauseKind;
use room_archiver::verify::Scope;
use uuid::Uuid;

use super::harness::{BY_ID, MIB, Setting, media, sha256};

/// A space with so many recordings, whose paths are told by the id alone.
fn setting(recordings: usize) -> (Setting, Vec<Uuid>) {
    let setting = Setting::with(BY_ID);
    let ids = (0..recordings)
        .map(|_| setting.add_media(&media(MIB)))
        .collect();
    (setting, ids)
}

fn alter(file: &Path) {
    let mut bytes = std::fs::read(file).expect("the file");
    bytes[500_000] ^= 1;
    std::fs::write(file, bytes).expect("the file");
}

#[test]
fn what_a_user_deletes_or_edits_is_damaged_until_it_was_fetched_again() {
    let (setting, ids) = setting(2);
    setting.once(0);
    std::fs::remove_file(setting.target(ids[0])).expect("the file");
    alter(&setting.target(ids[1]));
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    let queue = setting.sql("SELECT DISTINCT state FROM queue");
    assert_eq!(queue, "damaged");
    // They are repaired by themselves: nobody need do anything.
    assert_eq!(setting.count("failures"), "0");
    setting.once(0);
    assert_eq!(setting.count("archive"), "2");
    for id in ids {
        assert_eq!(
            sha256(&std::fs::read(setting.target(id)).expect("the file")),
            media(MIB).sha256()
        );
    }
}

#[tokio::test]
async fn what_a_user_moves_within_the_archive_is_recognised_without_a_download() {
    let (setting, ids) = setting(1);
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
    // Not closed: as if it had been killed.
    drop(archive);
    let elsewhere = setting.recordings().join("sorted/by hand");
    std::fs::create_dir_all(&elsewhere).expect("a directory");
    let moved = elsewhere.join(format!("{}.mp4", ids[0]));
    std::fs::rename(setting.target(ids[0]), &moved).expect("the file");
    let archive = setting.open(&Clock::system()).await;
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.media_requests().len(), 1);
    let path = setting.sql("SELECT path FROM archive");
    assert_eq!(path, format!("sorted/by hand/{}.mp4", ids[0]));
}

#[test]
fn a_deleted_file_that_the_vendor_no_longer_has_keeps_its_row_and_can_be_put_back() {
    let (setting, ids) = setting(1);
    setting.once(0);
    let (file, backup) = (
        setting.target(ids[0]),
        setting.directory.path().join("backup"),
    );
    std::fs::rename(&file, &backup).expect("the file");
    setting.space.delete_recording(ids[0]);
    assert_eq!(setting.run(&["once", "--sweep"]).status.code(), Some(0));
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    for _ in 0..2 {
        // Nothing that is completed upstream is missing.
        assert_eq!(setting.run(&["once", "--sweep"]).status.code(), Some(0));
        let row = setting.sql("SELECT state, reason FROM failures");
        assert_eq!(
            row,
            "damaged|the archived file is missing and SignalWire no longer has it"
        );
    }
    std::fs::rename(&backup, &file).expect("the file");
    let id = ids[0].to_string();
    assert_eq!(setting.run(&["retry", &id]).status.code(), Some(0));
    setting.once(0);
    assert_eq!(
        setting.sql("SELECT sha256 FROM archive"),
        media(MIB).sha256()
    );
    assert_eq!(setting.media_requests().len(), 1);
}

#[test]
fn a_lost_database_is_rebuilt_though_the_template_was_changed_meanwhile() {
    let (mut setting, _) = setting(3);
    setting.once(0);
    let before = setting.sql("SELECT recording_id, path, sha256 FROM archive ORDER BY 1");
    for suffix in ["", "-wal", "-shm"] {
        let file = setting.directory.path().join(format!("archive.db{suffix}"));
        _ = std::fs::remove_file(file);
    }
    setting.more.clear();
    setting
        .more
        .push_str("[archive]\npath_template = \"{{ year }}/{{ recording_id }}.{{ ext }}\"\n");
    setting.space.clear_journal();
    setting.once(0);
    assert_eq!(setting.media_requests().len(), 0);
    let after = setting.sql("SELECT recording_id, path, sha256 FROM archive ORDER BY 1");
    assert_eq!(after, before, "where they are, they stay");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[tokio::test]
async fn parts_that_no_download_will_go_on_with_are_removed_at_start() {
    let (mut setting, ids) = setting(4);
    setting.more += "[download]\nretry_initial = \"10m\"\n";
    let (archived, lost, skipped, pending) = (ids[0], ids[1], ids[2], ids[3]);
    let unknown = Uuid::from_u128(7);
    for id in [lost, skipped, pending] {
        let outage = Rule::media(Action::error(500)).of(id);
        setting.space.inject(outage);
    }
    let archive = setting.open(&Clock::system()).await;
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
    setting.space.delete_recording(lost);
    archive.sweep().await;
    archive.close().await;
    setting.write_sql(&format!(
        "UPDATE recording SET state = 'skipped' WHERE id = '{skipped}'"
    ));
    let partial = setting.recordings().join(".partial");
    for id in [archived, lost, skipped, pending, unknown] {
        std::fs::write(partial.join(format!("{id}.part")), "bytes").expect("a part");
    }
    std::fs::write(partial.join("notes"), "somebody's").expect("a file");
    let archive = setting.open(&Clock::system()).await;
    let left = || {
        let entries = std::fs::read_dir(&partial).expect("a directory").flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    };
    let mut kept = vec![format!("{pending}.part"), "notes".to_owned()];
    kept.sort();
    assert_eq!(left(), kept);
    setting.space.clear_faults();
    setting.due();
    assert_eq!(archive.download().await, 1);
    assert_eq!(left(), ["notes"]);
}

#[test]
fn credentials_that_stop_and_start_working_while_the_daemon_runs_lose_nothing() {
    let (mut setting, _) = setting(1);
    setting.more += "[poll]\nschedule = \"* * * * * *\"\n";
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    for status in [401, 403] {
        setting.space.refuse_credentials(Some(status));
        daemon.line("refused the credentials");
        setting.add_media(&media(MIB));
        daemon.line("refused the credentials");
        setting.space.refuse_credentials(None);
        daemon.line("archived a recording");
    }
    daemon.stop();
    assert_eq!(setting.count("archive"), "3");
    assert_eq!(setting.count("attempts"), "3");
}

#[tokio::test]
async fn a_link_that_refused_credentials_keep_from_being_minted_is_waited_for() {
    let (setting, _) = setting(1);
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    archive.poll().await;
    setting.space.kill_links();
    setting.space.refuse_credentials(Some(401));
    assert_eq!(archive.download().await, 0);
    let pause = archive.downloader.paused().expect("a pause");
    assert_eq!(pause.reason, PauseKind::Api);
    assert_eq!(
        setting.sql("SELECT state, attempts FROM queue"),
        "pending|0"
    );
    setting.space.refuse_credentials(None);
    clock.advance(Duration::from_secs(30));
    assert_eq!(archive.download().await, 1);
}

#[test]
fn the_daemon_verifies_by_schedule_and_mends_what_it_finds() {
    let (mut setting, ids) = setting(2);
    setting.more += "[verify]\nschedule = \"* * * * * *\"\n";
    let mut daemon = setting.daemon();
    for _ in 0..2 {
        daemon.line("archived a recording");
    }
    alter(&setting.target(ids[0]));
    daemon.line("an archived file is altered");
    daemon.line("archived a recording");
    std::fs::remove_file(setting.target(ids[1])).expect("the file");
    daemon.line("an archived file is missing");
    daemon.line("archived a recording");
    daemon.stop();
    for id in &ids {
        assert_eq!(
            sha256(&std::fs::read(setting.target(*id)).expect("the file")),
            media(MIB).sha256()
        );
    }
    let events = setting.sql("SELECT count(*) FROM events WHERE kind = 'damage'");
    assert_eq!(events, "2");
    let quarantine = std::fs::read_dir(setting.recordings().join(".quarantine"));
    assert_eq!(
        quarantine.expect("a directory").count(),
        1,
        "the altered one"
    );
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(0));
}

#[tokio::test]
async fn a_verification_reads_the_longest_unverified_within_its_budget() {
    let (setting, _) = setting(0);
    let clock = Clock::manual(setting.space.now());
    let archive = setting.open(&clock).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(setting.add_media(&media(MIB)));
        archive.poll().await;
        assert_eq!(archive.download().await, 1);
        clock.advance(Duration::from_mins(1));
        setting.space.advance(Duration::from_mins(1));
    }
    let verifier = archive.app.verifier(std::sync::Arc::new(|_| {}));
    let budget = Scope::Budget(MIB);
    for id in ids.iter().chain(&ids[..1]) {
        clock.advance(Duration::from_mins(1));
        let oldest = setting.sql("SELECT recording_id FROM archive ORDER BY verified_at LIMIT 1");
        assert_eq!(oldest, id.to_string());
        let findings = verifier.run(&budget).await.expect("a database");
        assert_eq!((findings.files, findings.bytes), (1, MIB));
    }
    // A budget below a file's size reads that file all the same: none is left out for ever.
    let findings = verifier.run(&Scope::Budget(1)).await.expect("a database");
    assert_eq!(findings.files, 1);
}
