use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;
use crate::model::RecordingId;

fn archive() -> (TempDir, Root) {
    let directory = tempfile::tempdir().unwrap();
    let root = Root::open(directory.path()).unwrap();
    (directory, root)
}

fn id() -> RecordingId {
    "0b5c3c7e-58a1-4c50-9ea5-000000000001".parse().unwrap()
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).unwrap()
}

fn write_part(root: &Root, text: &str) {
    let mut part = root.open_part(id()).unwrap();
    part.write_all(text.as_bytes()).unwrap();
}

fn mode_of(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn opening_writes_nothing() {
    let (directory, root) = archive();
    assert_eq!(root.marker().unwrap(), None);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(root.free_space().unwrap() > 0);
    assert!(Root::open(&directory.path().join("none")).is_err());
}

#[test]
fn the_operators_link_to_the_archive_is_followed() {
    let (directory, root) = archive();
    root.write_marker(Uuid::from_u128(5)).unwrap();
    let link = directory.path().join("link");
    symlink(directory.path(), &link).unwrap();
    let marker = Root::open(&link).unwrap().marker().unwrap();
    assert_eq!(marker, Some(Uuid::from_u128(5)));
}

#[test]
fn a_marker_is_written_once() {
    let (directory, root) = archive();
    fs::write(directory.path().join(".room-archiver.new"), "torn").unwrap();
    root.write_marker(Uuid::from_u128(1)).unwrap();
    let error = root.write_marker(Uuid::from_u128(2)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(root.marker().unwrap(), Some(Uuid::from_u128(1)));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    fs::write(directory.path().join(MARKER), "nonsense").unwrap();
    assert_eq!(
        root.marker().unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
}

#[test]
fn parts_are_the_owners_and_can_be_listed_and_removed() {
    let (directory, root) = archive();
    assert_eq!(root.part_len(id()).unwrap(), None);
    write_part(&root, "abc");
    assert_eq!(root.part_len(id()).unwrap(), Some(3));
    let partial = directory.path().join(PARTIAL);
    assert_eq!(mode_of(&partial), 0o700);
    assert_eq!(mode_of(partial.join(format!("{}.part", id()))), 0o600);
    fs::write(partial.join("notes.part"), "").unwrap();
    assert_eq!(root.parts().unwrap(), [id()]);
    root.remove_part(id()).unwrap();
    root.remove_part(id()).unwrap();
    assert!(root.parts().unwrap().is_empty());
}

#[test]
fn a_part_that_is_no_file_of_its_own_gives_way_to_a_fresh_one() {
    let (directory, root) = archive();
    write_part(&root, "abc");
    let part = directory.path().join(Root::part_path(id()).as_str());
    let outside = directory.path().join("outside");
    fs::hard_link(&part, &outside).unwrap();
    assert_eq!(root.open_part(id()).unwrap().metadata().unwrap().len(), 0);
    for other in ["link", "directory"] {
        root.remove_part(id()).unwrap();
        if other == "link" {
            symlink(&outside, &part).unwrap();
        } else {
            fs::create_dir_all(part.join("inner")).unwrap();
        }
        let landed = root.land(id(), &path("a"), 0o640);
        assert!(matches!(landed, Err(LandError::Part { .. })), "{landed:?}");
        write_part(&root, "new");
        assert_eq!(fs::read_to_string(&part).unwrap(), "new", "{other}");
    }
    assert_eq!(fs::read_to_string(outside).unwrap(), "abc");
    assert_eq!(
        fs::read_dir(directory.path().join(QUARANTINE))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn a_part_lands_with_its_directories_and_permissions() {
    let (directory, root) = archive();
    write_part(&root, "whole");
    let target = path("room/2026/a.mp4");
    root.land(id(), &target, 0o604).unwrap();
    let file = directory.path().join(target.as_str());
    assert_eq!(fs::read_to_string(&file).unwrap(), "whole");
    assert_eq!(mode_of(&file), 0o604);
    assert_eq!(mode_of(directory.path().join("room")) & !0o750, 0);
    assert_eq!(root.part_len(id()).unwrap(), None);
    let mut text = String::new();
    root.open_file(&target)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "whole");
    let standing = root.stat(&target).unwrap().unwrap();
    assert_eq!((standing.is_file, standing.size_bytes), (true, 5));
    assert_eq!(root.stat(&path("room/none/x")).unwrap(), None);
}

#[test]
fn nothing_at_the_target_is_ever_replaced() {
    let (directory, root) = archive();
    let there = |name: &str| directory.path().join(name);
    fs::write(there("file"), "old").unwrap();
    fs::create_dir(there("directory")).unwrap();
    symlink(there("file"), there("link")).unwrap();
    symlink(there("nowhere"), there("dangling")).unwrap();
    write_part(&root, "new");
    for name in ["file", "directory", "link", "dangling"] {
        let error = root.land(id(), &path(name), 0o640).unwrap_err();
        assert!(matches!(error, LandError::Occupied(_)), "{name}: {error:?}");
    }
    assert_eq!(fs::read_to_string(there("file")).unwrap(), "old");
    assert!(!there("nowhere").exists());
    assert_eq!(root.part_len(id()).unwrap(), Some(3));
}

#[test]
fn the_way_without_rename_replaces_nothing_either() {
    let (directory, root) = archive();
    let there = |name: &str| directory.path().join(name);
    fs::write(there("a"), "a").unwrap();
    fs::write(there("b"), "b").unwrap();
    assert_eq!(
        link_new(root.directory(), "a", root.directory(), "b"),
        Err(Errno::EXIST)
    );
    link_new(root.directory(), "a", root.directory(), "c").unwrap();
    assert_eq!(fs::read_to_string(there("b")).unwrap(), "b");
    assert_eq!(fs::read_to_string(there("c")).unwrap(), "a");
    assert!(!there("a").exists());
    assert_eq!(
        claim_new(root.directory(), "c", root.directory(), "b"),
        Err(Errno::EXIST)
    );
    claim_new(root.directory(), "c", root.directory(), "d").unwrap();
    assert_eq!(fs::read_to_string(there("b")).unwrap(), "b");
    assert_eq!(fs::read_to_string(there("d")).unwrap(), "a");
    let gone = claim_new(root.directory(), "c", root.directory(), "e");
    assert_eq!(gone, Err(Errno::NOENT));
    assert!(!there("c").exists() && !there("e").exists());
}

#[test]
fn a_place_is_checked_as_deep_as_it_is_there_and_nothing_is_made() {
    let (directory, root) = archive();
    let there = |name: &str| directory.path().join(name);
    fs::create_dir_all(there("room/2026")).unwrap();
    fs::write(there("room/file"), "").unwrap();
    symlink(there("room"), there("link")).unwrap();
    for good in ["a.mp4", "new/a.mp4", "room/2026/11/a.mp4", "room/file"] {
        root.check_place(&path(good)).unwrap();
    }
    for (bad, in_the_way) in [("room/file/x/a.mp4", "room/file"), ("link/a.mp4", "link")] {
        let error = root.check_place(&path(bad)).unwrap_err();
        assert!(
            matches!(&error, LandError::Place(PlaceError::InTheWay(what)) if what == in_the_way),
            "{error:?}"
        );
    }
    let long = format!("room/{}", "é".repeat(127));
    root.check_place(&path(&long)).unwrap();
    assert_eq!(root.name_max(), 255);
    let mut names: Vec<_> = fs::read_dir(directory.path()).unwrap().flatten().collect();
    names.sort_by_key(fs::DirEntry::file_name);
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn the_archive_is_there_as_long_as_the_path_leads_to_its_marker() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("archive");
    let aside = directory.path().join("aside");
    fs::create_dir(&at).unwrap();
    let root = Root::open(&at).unwrap();
    root.write_marker(Uuid::from_u128(1)).unwrap();
    root.check_there().unwrap();
    fs::rename(&at, &aside).unwrap();
    assert!(matches!(root.check_there(), Err(NotThere::Io { .. })));
    fs::create_dir(&at).unwrap();
    assert!(matches!(root.check_there(), Err(NotThere::Unmounted(_))));
    fs::write(at.join(MARKER), Uuid::from_u128(2).to_string()).unwrap();
    assert!(matches!(root.check_there(), Err(NotThere::Foreign(_))));
    // The same archive somewhere else: what is written next goes there.
    fs::write(at.join(MARKER), Uuid::from_u128(1).to_string()).unwrap();
    root.check_there().unwrap();
    write_part(&root, "new");
    assert!(at.join(PARTIAL).exists() && !aside.join(PARTIAL).exists());
}

#[test]
fn a_trial_leaves_nothing_whatever_was_there_before() {
    let (directory, root) = archive();
    for parts in [0, 1] {
        let before = fs::read_dir(directory.path()).unwrap().count();
        let trial = root.try_out(0o640);
        assert!(
            trial.failed.is_empty() && trial.left.is_empty(),
            "{trial:?}"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), before);
        assert_eq!(root.parts().unwrap().len(), parts);
        write_part(&root, "part");
    }
}

#[test]
fn links_beneath_the_root_lead_nowhere() {
    let (directory, root) = archive();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), directory.path().join("room")).unwrap();
    symlink(outside.path().join("secret"), directory.path().join("file")).unwrap();
    write_part(&root, "new");
    assert!(matches!(
        root.land(id(), &path("room/a.mp4"), 0o640),
        Err(LandError::Place(PlaceError::InTheWay(_)))
    ));
    assert!(root.open_file(&path("room/secret")).is_err());
    assert!(root.open_file(&path("file")).is_err());
    assert!(root.stat(&path("room/secret")).is_err());
    assert!(!root.stat(&path("file")).unwrap().unwrap().is_file);
    assert!(root.quarantine(&path("room/secret"), "x").is_err());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    let (directory, root) = archive();
    symlink(outside.path(), directory.path().join(PARTIAL)).unwrap();
    symlink(outside.path(), directory.path().join(QUARANTINE)).unwrap();
    fs::write(directory.path().join("a"), "").unwrap();
    assert!(root.open_part(id()).is_err());
    assert!(root.quarantine(&path("a"), "x").is_err());
}

#[test]
fn nothing_lands_in_hidden_places() {
    let (_directory, root) = archive();
    write_part(&root, "new");
    for target in [".quarantine/a", "a/.b", ".room-archiver"] {
        assert!(root.land(id(), &path(target), 0o640).is_err(), "{target}");
    }
}

#[test]
fn special_files_are_neither_read_nor_waited_for() {
    let (directory, root) = archive();
    let socket = directory.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    rustix::fs::mkfifoat(root.directory(), "fifo", Mode::from_raw_mode(0o600)).unwrap();
    for name in ["socket", "directory", "fifo"] {
        assert!(root.open_file(&path(name)).is_err(), "{name}");
    }
}

#[test]
fn quarantined_files_keep_apart() {
    let (directory, root) = archive();
    let long = "é".repeat(125) + ".mp4";
    for name in ["a.mp4", &long] {
        let mut places = std::collections::HashSet::new();
        for content in ["1", "2", "3"] {
            fs::create_dir_all(directory.path().join("room")).unwrap();
            fs::write(directory.path().join("room").join(name), content).unwrap();
            let at = path(&format!("room/{name}"));
            let place = root.quarantine(&at, "hash/differs").unwrap();
            let text = fs::read_to_string(directory.path().join(place.as_str())).unwrap();
            assert_eq!(text, content);
            assert_eq!(root.stat(&at).unwrap(), None);
            places.insert(place);
        }
        assert_eq!(places.len(), 3);
    }
    assert!(
        directory
            .path()
            .join(".quarantine/a.mp4.hash-differs.2")
            .exists()
    );
    let gone = root.quarantine(&path("room/none"), "x").unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    write_part(&root, "odd");
    root.quarantine(&Root::part_path(id()), "wrong").unwrap();
    assert_eq!(root.part_len(id()).unwrap(), None);
}

#[test]
fn a_walk_sees_each_plain_file_once_and_no_links() {
    let (directory, root) = archive();
    let there = |name: &str| directory.path().join(name);
    write_part(&root, "part");
    root.write_marker(Uuid::nil()).unwrap();
    for name in ["a/b", "c", "lost+found"] {
        fs::create_dir_all(there(name)).unwrap();
    }
    for file in [
        "top",
        "a/one",
        "a/b/two words: x",
        "lost+found/x",
        "a/.hidden",
        "a/bad\nname",
    ] {
        fs::write(there(file), file).unwrap();
    }
    symlink(there("top"), there("a/link")).unwrap();
    symlink(there("a"), there("c/loop")).unwrap();
    fs::create_dir_all(there(&"d/".repeat(40))).unwrap();
    for _ in 0..2 {
        let mut found = Vec::new();
        let unread = root.walk(|file| found.push((file.path.to_string(), file.size_bytes)));
        assert!(unread.is_empty(), "{unread:?}");
        found.sort();
        let expected = ["a/b/two words: x", "a/one", "top"];
        assert_eq!(
            found,
            expected.map(|name| (name.to_owned(), name.len() as u64))
        );
    }
}
