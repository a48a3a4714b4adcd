//! Comparing the archive's files with the database: which directory is the archive, what is missing, altered, unknown
//! or unreadable there, and that each kind is reported with its number.

use std::os::unix::fs::PermissionsExt;

use room_archiver::clock::Clock;
use room_archiver::reconcile;

use super::harness::users::{NOBODY, give, run_as};
use super::harness::{Capability, Setting, has};
use super::text;

/// Paths that tell the room, and sidecars.
const MORE: &str =
    "[archive]\nsidecars = true\npath_template = \"{{ room }}/{{ recording_id }}.{{ ext }}\"\n";

/// The lines that report what was found, after an end like that of a crash.
fn found(setting: &Setting) -> Vec<String> {
    setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
    let output = setting.once(0);
    let lines = text(&output.stderr).lines();
    let lines = lines.filter_map(|line| line.find("found ").map(|at| line[at..].to_owned()));
    lines.collect()
}

#[test]
fn a_comparison_reports_each_kind_of_finding_with_its_number_and_nothing_while_all_is_well() {
    let setting = Setting::with(MORE);
    for room in ["a", "b", "c"] {
        setting.space.archivable(room);
    }
    setting.once(0);
    assert_eq!(found(&setting), Vec::<String>::new());

    let mut files = setting.files();
    files.sort();
    let ends = |end: &'static str| {
        let files = files.iter();
        files.filter(move |file| file.to_string_lossy().ends_with(end))
    };
    for file in ends(".mp4").take(2).chain(ends(".json").skip(2)) {
        std::fs::remove_file(file).expect("a file");
    }
    // By its name each is a recording's.
    for number in 1..=3 {
        let name = format!("00000000-0000-4000-8000-{number:012}.mp4");
        std::fs::write(setting.recordings().join(name), "x").expect("a file");
    }
    let mut lines = found(&setting);
    lines.sort();
    assert_eq!(
        lines,
        [
            "found 1 sidecar missing or altered, to be written again",
            "found 2 archived files missing or altered; their recordings are downloaded again",
            "found 3 files that the database does not know; downloads adopt what fits",
        ]
    );
    let events = "SELECT count(*) FROM events WHERE text = 'the archived file is missing'";
    assert_eq!(setting.sql(events), "2");
    assert_eq!(setting.count("archive"), "3");
}

#[test]
fn directories_that_cannot_be_read_are_reported_in_one_line_with_their_number() {
    if !has(Capability::Root) {
        return;
    }
    let setting = Setting::with(MORE);
    let rooms = ["a", "b", "c"];
    for room in rooms {
        setting.space.archivable(room);
    }
    setting.once(0);
    give(&setting, NOBODY);
    let report = || {
        setting.write_sql("DELETE FROM meta WHERE name = 'clean_stop'");
        let output = run_as(&setting, NOBODY, &["once"]);
        let lines = text(&output.stderr).lines();
        let lines = lines.filter_map(|line| {
            line.find("could not read '")
                .map(|at| line[at..].to_owned())
        });
        lines.collect::<Vec<_>>()
    };
    for (closed, more) in [
        (1, "archive: "),
        (2, " (and 1 more): "),
        (3, " (and 2 more): "),
    ] {
        let room = setting.recordings().join(rooms[closed - 1]);
        std::fs::set_permissions(room, PermissionsExt::from_mode(0o000)).expect("chmod");
        let lines = report();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(more), "{lines:?}");
        assert_eq!(setting.count("archive"), "3");
    }
    for room in rooms {
        let room = setting.recordings().join(room);
        std::fs::set_permissions(room, PermissionsExt::from_mode(0o750)).expect("chmod");
    }
}

#[tokio::test]
async fn a_comparison_of_an_archive_that_goes_away_meanwhile_marks_nothing_and_is_made_again() {
    let setting = Setting::archived();
    let archive = setting.open(&Clock::system()).await;
    // One that would count as missing.
    std::fs::remove_file(&setting.files()[0]).expect("the file");
    let away = setting.directory.path().join("away");
    std::fs::rename(setting.recordings(), &away).expect("the archive");
    std::fs::create_dir(setting.recordings()).expect("a mount point");
    let (store, now) = (&archive.app.store, setting.space.now());
    let compare = async || {
        let root = archive.app.root.clone();
        reconcile::compare(root, store, now, &|| {})
            .await
            .expect("a database");
    };
    let again = "SELECT count(*) FROM meta WHERE name = 'compare_again'";
    compare().await;
    assert_eq!(
        (setting.count("archive"), setting.sql(again)),
        ("1".to_owned(), "1".to_owned())
    );
    std::fs::remove_dir(setting.recordings()).expect("a mount point");
    std::fs::rename(&away, setting.recordings()).expect("the archive");
    compare().await;
    assert_eq!(setting.sql(again), "0");
    assert_eq!(
        setting.sql("SELECT state, damage FROM recording"),
        "damaged|missing"
    );
}

#[test]
fn a_directory_that_is_not_the_archive_is_refused_and_left_alone() {
    for foreign in [false, true] {
        let setting = Setting::archived();
        let marker = setting.recordings().join(".room-archiver");
        let sentence = if foreign {
            std::fs::write(&marker, "00000000-0000-4000-8000-000000000000\n").expect("a marker");
            "is the archive of another database"
        } else {
            // As an empty mount point is.
            std::fs::remove_dir_all(setting.recordings()).expect("the archive");
            std::fs::create_dir(setting.recordings()).expect("a directory");
            "Is the disk mounted?"
        };
        let list = || {
            let mut names: Vec<_> = std::fs::read_dir(setting.recordings())
                .expect("a directory")
                .flatten()
                .map(|entry| entry.file_name())
                .collect();
            names.sort();
            names
        };
        let (before, rows) = (list(), setting.sql("SELECT * FROM archive"));
        setting.space.archivable("new");
        let output = setting.once(1);
        assert!(text(&output.stderr).contains(sentence), "{output:?}");
        let output = setting.run(&["verify"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(text(&output.stderr).contains(sentence), "{output:?}");
        assert_eq!(list(), before);
        assert_eq!(setting.sql("SELECT * FROM archive"), rows);
    }
}
