//! `contrib/` works with the real programs: Datasette serves the views and nothing else, Litestream and `VACUUM INTO`
//! bring a lost database back.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::harness::{Capability, EVERY_SECOND, Setting, fetch, has, sqlite};
use super::text;

/// Ids that nobody has; the group is the archive's.
const READER: u32 = 54_321;
const GROUP: u32 = 54_320;

fn contrib(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("contrib")
        .join(file)
}

/// A program that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("a program that is there"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn metadata() -> Value {
    let file = std::fs::read_to_string(contrib("datasette/metadata.json")).expect("a file");
    serde_json::from_str(&file).expect("JSON")
}

/// Starts Datasette as the documentation says, by a member of the group if this user can become one.
fn datasette(setting: &Setting) -> (Running, SocketAddr) {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let address = address.expect("a port");
    let page = include_str!("../../docs/queries.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("datasette serve "));
    let line = line
        .expect("a command")
        .replace("/var/lib/room-archiver/archive.db", "DATABASE");
    let mut words = line.split(' ').map(|word| match word {
        "DATABASE" => setting.database().display().to_string(),
        "contrib/datasette/metadata.json" => {
            contrib("datasette/metadata.json").display().to_string()
        }
        word => word.to_owned(),
    });
    let mut command = Command::new(words.next().expect("a program"));
    command
        .args(words)
        .arg(format!("--port={}", address.port()));
    command.current_dir(setting.directory.path());
    if rustix::process::geteuid().is_root() && others_may_run(&mut Command::new("datasette")) {
        command.uid(READER).gid(GROUP).env("HOME", "/nonexistent");
    }
    let running = Running::start(&mut command);
    setting.wait(|_| fetch(address, "/-/versions.json").is_some());
    (running, address)
}

/// Whether a user without rights gets at a program: it may lie below a home.
fn others_may_run(program: &mut Command) -> bool {
    let tried = program
        .arg("--version")
        .uid(READER)
        .gid(GROUP)
        .env("HOME", "/nonexistent")
        .output();
    tried.is_ok_and(|output| output.status.success())
}

/// An archive that a member of its group can read, as under the unit.
fn shared() -> Setting {
    let setting = Setting::with(EVERY_SECOND);
    let directory = setting.directory.path();
    // Else this user has one group only.
    if rustix::process::geteuid().is_root() {
        chown(directory, None, Some(GROUP)).expect("chown");
    }
    std::fs::set_permissions(directory, PermissionsExt::from_mode(0o2750)).expect("chmod");
    setting
}

#[test]
fn datasette_shows_the_views_with_their_descriptions_and_the_queries_and_nothing_else() {
    if !has(Capability::Datasette) {
        return;
    }
    let setting = shared();
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("archived a recording");
    let (_serving, address) = datasette(&setting);
    let get = |path: &str| fetch(address, path).unwrap_or_default();

    let metadata = metadata();
    let described = metadata["databases"]["archive"]["tables"]
        .as_object()
        .expect("tables");
    let objects =
        setting.sql("SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view')");
    let mut views = 0;
    for (name, kind) in objects.lines().filter_map(|line| line.split_once('|')) {
        let (status, page) = get(&format!("/archive/{name}"));
        if kind == "table" || name.starts_with('_') {
            assert_eq!(status, 403, "{name} is private");
            continue;
        }
        views += 1;
        assert_eq!(status, 200, "{name}");
        let columns = described[name]["columns"].as_object().expect("columns");
        let columns = columns.iter().map(|(_, meaning)| meaning);
        for text in [&described[name]["description"]].into_iter().chain(columns) {
            let text = text.as_str().expect("a description");
            assert!(page.contains(&as_html(text)), "{name}: {text}");
        }
    }
    assert!(views >= 12, "{views}");
    let (_, start) = get("/archive");
    for hidden in [
        "recording",
        "session",
        "meta",
        "_sqlx_migrations",
        "_stuck_before",
    ] {
        assert!(
            !start.contains(&format!("\"/archive/{hidden}\"")),
            "{hidden} is listed"
        );
    }

    let queries = metadata["databases"]["archive"]["queries"]
        .as_object()
        .expect("queries");
    assert!(queries.len() >= 15, "{}", queries.len());
    for name in queries.keys() {
        let parameters = "room=lesson&from_date=2000-01-01&to_date=2100-01-01&recording_id=x";
        let (status, answer) = get(&format!("/archive/{name}.json?_shape=objects&{parameters}"));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        assert_eq!(
            (status, &answer["ok"]),
            (200, &Value::Bool(true)),
            "{name}: {answer}"
        );
    }
    let of_a_room = "/archive/the-recordings-of-a-room-in-a-month-with-their-files.json?_shape=array&room=lesson";
    let rows = |range: &str| {
        let (_, rows) = get(&format!("{of_a_room}&{range}"));
        let rows: Vec<Value> = serde_json::from_str(&rows).expect("a list");
        rows.len()
    };
    assert_eq!(rows("from_date=2000-01-01&to_date=2100-01-01"), 1);
    assert_eq!(rows("from_date=2000-01-01&to_date=2001-01-01"), 0);

    // It sees what is archived meanwhile, and can't change anything.
    setting.space.archivable("hearing");
    daemon.line("archived a recording");
    let count = "/archive.json?_shape=arrayfirst&sql=select+count(*)+from+archive";
    setting.wait(|_| get(count).1.trim() == "[2]");
    let before = setting.sql("SELECT count(*) FROM meta");
    for statement in [
        "delete+from+meta",
        "pragma+journal_mode%3Ddelete",
        "drop+view+archive",
    ] {
        let (status, _) = get(&format!("/archive.json?sql={statement}"));
        assert_ne!(status, 200, "{statement}");
    }
    assert_eq!(setting.sql("SELECT count(*) FROM meta"), before);
    daemon.stop();
}

/// As Jinja writes a text.
fn as_html(text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    text.replace('\'', "&#39;").replace('"', "&#34;")
}

#[test]
fn the_descriptions_for_datasette_are_those_of_the_documentation() {
    if !has(Capability::Python) {
        return;
    }
    let made = Command::new("python3")
        .arg(contrib("datasette/metadata.py"))
        .output();
    let made = made.expect("python3");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let file = std::fs::read_to_string(contrib("datasette/metadata.json")).expect("a file");
    assert!(
        text(&made.stdout) == file,
        "after a change of docs/queries.md or a migration, run: contrib/datasette/metadata.py >contrib/datasette/metadata.json"
    );
}

/// Starts Litestream with the shipped configuration, of this database.
fn litestream(setting: &Setting) -> PathBuf {
    let shipped = std::fs::read_to_string(contrib("litestream.yml")).expect("a file");
    let replica = setting
        .directory
        .path()
        .join("replica")
        .display()
        .to_string();
    let database = setting.database().display().to_string();
    let configuration = shipped
        .replace("/var/lib/room-archiver/archive.db", &database)
        .replace("/backup/archive", &replica)
        .replace("sync-interval: 10s", "sync-interval: 1s");
    assert!(configuration.contains(&database) && configuration.contains(&replica));
    let file = setting.directory.path().join("litestream.yml");
    std::fs::write(&file, configuration).expect("a file");
    file
}

/// How many recordings the backup has.
fn replicated(setting: &Setting, configuration: &Path) -> String {
    let copy = setting.directory.path().join("copy.db");
    _ = std::fs::remove_file(&copy);
    let mut restore = Command::new("litestream");
    let restore = restore.args(["restore", "-config"]).arg(configuration);
    let restored = restore
        .arg("-o")
        .arg(&copy)
        .arg(setting.database())
        .output();
    if restored.expect("litestream").status.success() {
        sqlite(&copy, "SELECT count(*) FROM archive")
    } else {
        String::new()
    }
}

/// The database and its companions are gone, the recordings are not.
fn lose_database(setting: &Setting) {
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", setting.database().display());
        _ = std::fs::remove_file(file);
    }
    _ = std::fs::remove_dir_all(setting.directory.path().join(".archive.db-litestream"));
}

/// The service goes on with a database that came back, with what it had archived by then and later; nothing is
/// downloaded again.
fn goes_on(setting: &Setting, archived: usize) {
    let transfers = setting.media_requests().len();
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("archive") == archived.to_string());
    assert_eq!(
        setting.media_requests().len(),
        transfers,
        "nothing is downloaded again"
    );
    setting.space.archivable("lesson");
    setting.wait(|setting| setting.count("archive") == (archived + 1).to_string());
    daemon.stop();
    assert_eq!(setting.files().len(), archived + 1);
    assert_eq!(setting.quarantined(), Vec::<String>::new());
    let verified = setting.run(&["verify", "--full"]);
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
}

#[test]
fn litestream_brings_a_lost_database_back_and_the_archive_goes_on() {
    if !has(Capability::Litestream) {
        return;
    }
    let setting = Setting::with(EVERY_SECOND);
    for _ in 0..3 {
        setting.space.archivable("lesson");
    }
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("archive") == "3");
    let configuration = litestream(&setting);
    let mut replicating = Command::new("litestream");
    let replicating = replicating
        .args(["replicate", "-config"])
        .arg(&configuration);
    let replicating = Running::start(replicating);
    setting.wait(|setting| replicated(setting, &configuration) == "3");
    // More of it while both run, and some that the backup never hears of.
    setting.space.archivable("lesson");
    setting.wait(|setting| replicated(setting, &configuration) == "4");
    drop(replicating);
    setting.space.archivable("lesson");
    setting.wait(|setting| setting.count("archive") == "5");
    daemon.kill();

    lose_database(&setting);
    let mut restore = Command::new("litestream");
    let restore = restore.args(["restore", "-config"]).arg(&configuration);
    let restored = restore
        .arg(setting.database())
        .output()
        .expect("litestream");
    assert!(restored.status.success(), "{}", text(&restored.stderr));
    assert_eq!(setting.sql("PRAGMA integrity_check"), "ok");
    goes_on(&setting, 5);
}

#[test]
fn a_copy_by_vacuum_into_replaces_a_lost_database_and_the_archive_goes_on() {
    for running in [true, false] {
        let setting = Setting::with(EVERY_SECOND);
        for _ in 0..3 {
            setting.space.archivable("lesson");
        }
        let mut daemon = setting.daemon();
        daemon.line("started");
        setting.wait(|setting| setting.count("archive") == "3");
        if !running {
            daemon.stop();
        }
        let backup = setting.directory.path().join("backup.db");
        setting.sql(&format!("VACUUM INTO '{}'", backup.display()));
        if !running {
            daemon = setting.daemon();
        }
        setting.space.archivable("lesson");
        setting.wait(|setting| setting.count("archive") == "4");
        daemon.kill();

        lose_database(&setting);
        std::fs::copy(&backup, setting.database()).expect("copied");
        goes_on(&setting, 4);
    }
}
