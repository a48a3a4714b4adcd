//! Marked secrets go through everything that can be told, written or shown, with faults of every kind on
//! the way; afterwards they are found nowhere.

mod copies;
mod search;

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output};

use fake_space::{Action, Answer, NextLinks, Options, Rule, Space};
use serde_json::json;
use tempfile::TempDir;

use search::{Canaries, base64};

use super::harness::{Setting, get, listening};

const TOKEN: &str = "PT0canary+7token=0space";
const SIGNATURE: &str = "51gnatureCanary";
const SESSION_TOKEN: &str = "5ecurity+Canary/1";
/// The name of a room, and how its directory begins.
const ROOM: &str = "CanaryRoom/7";
/// How the credential of every link begins.
const CREDENTIAL: &str = "AKIAFAKESPACE";

/// A space with marked secrets, and a recording for each thing that can go wrong.
fn setting(log: &str) -> Setting {
    let mut setting = Setting::new(Options {
        token: TOKEN.to_owned(),
        signature_marker: Some(SIGNATURE.to_owned()),
        page_size_cap: 3,
        next_links: if log == "text" {
            NextLinks::Absolute
        } else {
            NextLinks::Relative
        },
        ..Options::default()
    });
    setting.more = format!(
        "[poll]\nschedule = \"* * * * * *\"\n[log]\nlevel = \"trace\"\nformat = \"{log}\"\n\
         [download]\nretry_initial = \"10m\"\n"
    );
    let space = &setting.space;
    let add = |room: &str| space.archivable(room).1;
    add(ROOM);
    space.inject(Rule::media(Action::ResetAfter(100)).of(add("cut")).times(2));
    space.inject(Rule::media(Action::error(403)).of(add("expired")).once());
    space.inject(Rule::media(Action::html(200)).of(add("CanaryRoom page")));
    space.inject(Rule::media(Action::RedirectLoop(302)).of(add("loops")));
    space.inject(Rule::media(Action::Bounce(307, 2)).of(add("bounces")));
    let query = format!(
        "X-Amz-Credential={CREDENTIAL}&X-Amz-Security-Token={SESSION_TOKEN}&X-Amz-Signature={SIGNATURE}"
    );
    let astray = format!("https://u:{SIGNATURE}@media.invalid/a?{query}");
    space.inject(Rule::media(Action::Redirect(302, astray)).of(add("astray")));
    let body = format!("<?xml version=\"1.0\"?><Error><Message>{query}</Message></Error>");
    let answer = Answer::new(403).body("application/xml", body);
    space.inject(Rule::media(Action::Answer(answer)).of(add("echo")).once());
    let media = setting.space.media_url();
    let host = media.trim_start_matches("http://");
    // A label of more than 63 bytes: it is looked up nowhere.
    let nowhere = "a".repeat(70);
    for (room, uri) in [
        ("tls", format!("https://{host}/a.mp4?{query}")),
        (
            "nowhere",
            format!("https://{nowhere}.invalid/a.mp4?{query}"),
        ),
        ("unsigned", format!("http://{host}/a.mp4?{query}")),
        ("refused", format!("https://127.0.0.1:1/a.mp4?{query}")),
        ("garbled", format!("http://[{query}")),
        ("controls", format!("https://{host}/a.mp4?{query}\r\n")),
        ("user", format!("https://u:{TOKEN}@{host}/a.mp4?{query}")),
        ("scheme", format!("ftp://{host}/a.mp4?{query}")),
    ] {
        space.override_uri(add(room), uri);
    }
    let elsewhere = space.archivable("other link").1;
    space.patch(
        elsewhere,
        fake_space::Patch::set("download_url", format!("{media}/a?{query}")),
    );
    echo_the_token(space);
    setting
}

/// Errors of the API that say what was sent to it.
fn echo_the_token(space: &Space) {
    let said =
        |status, body: String| Action::Answer(Answer::new(status).body("application/json", body));
    let error = json!({"error": format!("{TOKEN} is not known")}).to_string();
    let code = json!({"errors": [{"code": SIGNATURE, "message": TOKEN, "url": TOKEN}]}).to_string();
    space.inject(Rule::session_recordings(said(500, error.clone())).nth(1));
    space.inject(Rule::sessions(said(422, code.clone())).nth(9));
    space.inject(Rule::session_recordings(said(200, format!("{{\"data\": [\"{TOKEN}"))).nth(4));
    let odd = Action::edit(|page| {
        if let Some(rows) = page["data"].as_array_mut() {
            rows.extend([json!(TOKEN), json!({"id": TOKEN})]);
        }
    });
    space.inject(Rule::session_recordings(odd).nth(7));
    space.inject(Rule::single_recordings(said(422, code)).nth(2));
    space.inject(Rule::single_recordings(said(200, json!({"id": SIGNATURE}).to_string())).nth(4));
    space.inject(Rule::sessions(said(401, error)).nth(12));
    let astray = format!("https://{TOKEN}.invalid/?page_token={TOKEN}");
    space.inject(Rule::recordings(Action::next(astray)).page(1).once());
}

/// A place for the token that is none of the archive's.
fn token_file(name: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join(name), TOKEN).expect("a file");
    directory
}

/// Everything that the service manager is told until the service stops.
fn manager(path: &Path) -> std::thread::JoinHandle<Vec<u8>> {
    let socket = UnixDatagram::bind(path).expect("a socket");
    std::thread::spawn(move || {
        let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(length) = socket.recv(&mut buffer) {
            told.extend_from_slice(&buffer[..length]);
            told.push(b'\n');
            if buffer.starts_with(b"STOPPING=1") {
                break;
            }
        }
        told
    })
}

/// The children a process has, and whether it ever had one: page faults of those it waited for.
fn children(id: u32) -> (String, bool) {
    let mut living = String::new();
    for task in std::fs::read_dir(format!("/proc/{id}/task"))
        .expect("a process")
        .flatten()
    {
        living += &std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
    }
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a process");
    // Past the name, which may hold anything: the ninth field then is `cminflt`.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let faults = fields.split_whitespace().nth(8).expect("a field");
    (living, faults != "0")
}

#[test]
fn a_service_with_marked_secrets_tells_them_nowhere() {
    let mut setting = setting("text");
    let aside = token_file("signalwire_api_token");
    let port = listening(&mut setting);
    let notify = aside.path().join("notify");
    let manager = manager(&notify);
    let log = aside.path().join("log");
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_room-archiver"))
        .env_clear()
        .env("CREDENTIALS_DIRECTORY", aside.path())
        .env("NOTIFY_SOCKET", &notify)
        .args(["run", "--config"])
        .arg(setting.config_file())
        .stdout(File::create(aside.path().join("stdout")).expect("a file"))
        .stderr(File::create(&log).expect("a file"))
        .spawn()
        .expect("the program");
    let told = || std::fs::read_to_string(&log).expect("the log");
    setting.wait(|setting| {
        let log = told();
        let faults = [
            "refused the credentials",
            "a link can't be used",
            "page_token_is_invalid",
        ];
        faults.iter().all(|text| log.contains(text))
            && setting.sql("SELECT count(*) FROM queue WHERE last_error IS NULL") == "0"
            && setting.count("archive") == "5"
    });
    let id = daemon.id();
    let canaries = Canaries::of(&setting.space);
    for path in ["/metrics", "/healthz", "/elsewhere"] {
        canaries.must_not_be_in(path, get(port, path).as_bytes());
    }
    for file in ["cmdline", "environ", "comm"] {
        let bytes = std::fs::read(format!("/proc/{id}/{file}")).expect("a process");
        canaries.must_not_be_in(file, &bytes);
    }
    // Its log of changes is there while it runs.
    assert!(setting.database().with_extension("db-wal").exists());
    canaries.must_not_be_beneath(setting.directory.path());
    assert_eq!(
        children(id),
        (String::new(), false),
        "the service starts no children"
    );

    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("a child");
    assert_eq!(daemon.wait().expect("a child").code(), Some(0));
    let manager = manager.join().expect("a thread");
    assert!(String::from_utf8_lossy(&manager).contains("STATUS="));
    canaries.must_not_be_in("what systemd was told", &manager);
    canaries.must_not_be_in("the log", told().as_bytes());
    assert!(!told().contains("panicked"), "{}", told());
    canaries.must_not_be_in(
        "stdout",
        &std::fs::read(aside.path().join("stdout")).expect("a file"),
    );
    everything_written(&setting, &canaries);
}

/// The files, and every row.
fn everything_written(setting: &Setting, canaries: &Canaries) {
    assert!(canaries.must_not_be_beneath(setting.directory.path()) > 5);
    let rows = setting.sql(".dump");
    assert!(rows.contains("INSERT INTO"), "{rows}");
    canaries.must_not_be_in("the rows", rows.as_bytes());
}

#[test]
fn commands_with_marked_secrets_tell_them_nowhere() {
    let mut setting = setting("json");
    let aside = token_file("token");
    let file = aside.path().join("token");
    _ = write!(
        setting.more,
        "[signalwire]\napi_token_file = \"{}\"\n",
        file.display()
    );
    let run = |args: &[&str]| {
        let mut command = setting.command();
        command
            .env_remove("ROOM_ARCHIVER_API_TOKEN")
            .args(args)
            .output()
            .expect("the program")
    };
    let mut outputs = vec![
        ("once", 4, run(&["once"])),
        // One of its requests is answered with 401.
        ("once --sweep", 3, run(&["once", "--sweep"])),
    ];
    let ids = setting.sql("SELECT recording_id FROM archive UNION SELECT recording_id FROM queue");
    outputs.extend(ids.lines().map(|id| ("show", 0, run(&["show", id]))));
    for (args, code) in [
        ("once --dry-run", 0),
        ("status", 0),
        ("status --json", 0),
        ("list", 0),
        ("list --format json", 0),
        ("list --format csv", 0),
        ("retry --stuck", 0),
        ("verify --full", 0),
        ("doctor", 0),
        ("config check", 0),
        ("config show", 0),
        ("completions bash", 0),
    ] {
        outputs.push((args, code, run(&args.split(' ').collect::<Vec<_>>())));
    }
    setting.space.refuse_credentials(Some(403));
    outputs.push(("once, refused", 3, run(&["once"])));
    outputs.push(("doctor, refused", 3, run(&["doctor"])));
    // A token in wrong places.
    for (name, value) in [
        ("ROOM_ARCHIVER__SIGNALWIRE__API_TOKEN", TOKEN),
        ("ROOM_ARCHIVER__SIGNALWIRE__PAGE_SIZE", TOKEN),
        (
            "ROOM_ARCHIVER__SIGNALWIRE__BASE_URL",
            "http://u:PT0canary+7token=0space@127.0.0.1",
        ),
        ("ROOM_ARCHIVER__POLL__SCHEDULE", TOKEN),
    ] {
        let output = setting
            .command()
            .env(name, value)
            .args(["config", "check"])
            .output();
        outputs.push((name, 2, output.expect("the program")));
    }
    outputs.extend(bundles(&setting, &run));
    let canaries = Canaries::of(&setting.space);
    for (command, _, output) in &outputs {
        canaries.must_not_be_in(command, &output.stdout);
        canaries.must_not_be_in(command, &output.stderr);
        let panicked = String::from_utf8_lossy(&output.stderr).contains("panicked");
        assert!(!panicked, "{command}: {output:?}");
    }
    // Each was what it was meant to be: a command that is refused for its words says little.
    let codes = |code: fn(&(&'static str, i32, Output)) -> Option<i32>| -> Vec<_> {
        outputs.iter().map(|one| (one.0, code(one))).collect()
    };
    assert_eq!(codes(|one| one.2.status.code()), codes(|one| Some(one.1)));
    everything_written(&setting, &canaries);
}

/// Support bundles name neither rooms nor ids, unless they are asked to, and never a secret.
fn bundles(setting: &Setting, run: &dyn Fn(&[&str]) -> Output) -> Vec<(&'static str, i32, Output)> {
    let place = tempfile::tempdir().expect("a directory");
    let canaries = Canaries::of(&setting.space);
    let ids = setting.sql("SELECT recording_id FROM archive UNION SELECT session_id FROM archive");
    let mut outputs = Vec::new();
    for (name, options, named) in [
        ("a.tar", &[][..], false),
        ("b.tar", &["--include-room-names"], true),
    ] {
        let file = place.path().join(name);
        let args = [&["support-bundle", file.to_str().expect("text")], options].concat();
        outputs.push((name, 0, run(&args)));
        let bytes = std::fs::read(&file).expect("a bundle");
        canaries.must_not_be_in(name, &bytes);
        let text = String::from_utf8_lossy(&bytes);
        let api = setting.space.api_url();
        let host = api
            .trim_start_matches("http://")
            .split(':')
            .next()
            .expect("a host");
        assert!(
            !text.contains(&setting.space.project_id()) && !text.contains(host),
            "{text}"
        );
        // Status names the recordings that fail.
        assert_eq!(text.contains("CanaryRoom"), named, "{text}");
        for hidden in ["CanaryRoom"].into_iter().chain(ids.lines()) {
            assert!(named || !text.contains(hidden), "{hidden} in {text}");
        }
        let again = run(&args);
        let refused = crate::text(&again.stderr).to_owned();
        assert!(refused.contains("exists already"), "{refused}");
        assert_eq!(std::fs::read(&file).expect("a bundle"), bytes);
        outputs.push((name, 1, again));
    }
    outputs
}

#[test]
fn the_search_finds_each_canary_in_each_form() {
    let setting = setting("text");
    setting.run(&["once"]);
    let canaries = Canaries::of(&setting.space);
    let page_token = setting.space.journal();
    let page_token = page_token
        .iter()
        .find_map(|seen| seen.param("page_token"))
        .expect("pages");
    let basic = base64(format!("{}:{TOKEN}", setting.space.project_id()).as_bytes());
    for sample in [
        format!("Authorization: Basic {basic}"),
        format!("token {TOKEN}."),
        "PT0canary%2B7token%3D0space".to_owned(),
        "PT0canary%2b7token%3d0space".to_owned(),
        base64(TOKEN.as_bytes()),
        base64(format!("a{TOKEN}").as_bytes()),
        base64(format!("ab{TOKEN}ab").as_bytes()),
        "5ecurity%2BCanary%2F1".to_owned(),
        format!("x={page_token}"),
        setting
            .space
            .link(setting.space.archivable("more").1)
            .expect("a link"),
    ] {
        assert!(canaries.found_in(sample.as_bytes()).is_some(), "{sample}");
    }
    assert_eq!(canaries.found_in(b"archived a recording"), None);
    // In a database too, as bytes and as rows.
    everything_written(&setting, &canaries);
    setting.write_sql(&format!(
        "CREATE TABLE leak (text); INSERT INTO leak VALUES ('{SIGNATURE}')"
    ));
    assert!(
        canaries
            .found_in(&std::fs::read(setting.database()).expect("a file"))
            .is_some()
    );
    assert!(canaries.found_in(setting.sql(".dump").as_bytes()).is_some());
}
