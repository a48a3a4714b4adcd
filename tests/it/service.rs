//! The service as a process: start, stop, resume, reload, one instance, health.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

use fake_space::{Action, Gate, Media, Rule};
use rustix::process::Signal;

use super::harness::{Child, EVERY_SECOND, MIB, Setting, media};

/// A recording whose transfer stops in the middle until the gate opens.
fn stalled(setting: &Setting) -> (Gate, Media) {
    let media = media(3 * MIB);
    setting.add_media(&media);
    let gate = Gate::new();
    setting
        .space
        .inject(Rule::media(Action::StallAfter(2 * MIB, gate.clone())).once());
    (gate, media)
}

#[test]
fn a_new_archive_is_swept_then_polled_and_a_later_recording_is_found() {
    let setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    let archived = |count: &str| setting.wait(|setting| setting.count("archive") == count);
    archived("1");
    daemon.line("poll complete");
    setting.space.archivable("lesson");
    archived("2");
    daemon.stop();
}

#[test]
fn a_stop_in_a_download_keeps_the_part_and_the_next_start_resumes_it() {
    let setting = Setting::with(EVERY_SECOND);
    let (_gate, media) = stalled(&setting);
    let mut first = setting.daemon();
    first.line("sweep complete");
    setting.wait(|setting| setting.part_bytes() > 0);
    first.stop();
    assert_eq!(setting.sql("SELECT outcome FROM attempts"), "stopped");
    // How much of what was sent had come by then, the program alone knows.
    let kept = setting.sql("SELECT bytes FROM attempts");
    assert_ne!(kept, "0");
    // What was listed has expired by now.
    setting.space.kill_links();
    let mut second = setting.daemon();
    second.line("archived a recording");
    second.stop();
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert_eq!(
        setting.sql("SELECT from_byte FROM attempts WHERE outcome = 'archived'"),
        kept
    );
    let resumed = setting
        .space
        .journal()
        .into_iter()
        .rfind(|seen| seen.is_media() && seen.status == 206);
    assert!(resumed.is_some_and(|seen| seen.if_range.is_some()));
}

#[test]
fn a_second_instance_is_refused_with_exit_code_6() {
    let setting = Setting::with(EVERY_SECOND);
    let mut daemon = setting.daemon();
    daemon.line("started");
    let refused = setting.run(&["once"]);
    assert_eq!(refused.status.code(), Some(6), "{refused:?}");
    // Another database does not make the archive another one.
    let other = setting
        .command()
        .env(
            "ROOM_ARCHIVER__DATABASE__PATH",
            setting.directory.path().join("other.db"),
        )
        .arg("once")
        .output()
        .expect("the program");
    assert_eq!(other.status.code(), Some(6), "{other:?}");
    assert_eq!(setting.run(&["status"]).status.code(), Some(0));
}

#[test]
fn a_reload_keeps_transfers_and_a_bad_one_keeps_the_old_configuration() {
    let mut setting = Setting::with(EVERY_SECOND);
    let (gate, media) = stalled(&setting);
    let mut daemon = setting.daemon();
    daemon.line("sweep complete");
    setting.wait(|setting| setting.part_bytes() > 0);
    std::fs::write(setting.directory.path().join("config.toml"), "nonsense = [").expect("a file");
    daemon.signal(Signal::HUP);
    daemon.line("the old one stays");
    setting
        .more
        .push_str("[filter]\nexclude_rooms = [\"lesson\"]\n");
    setting.config_file();
    daemon.signal(Signal::HUP);
    daemon.line("the configuration was reloaded");
    let (_, skipped) = setting.space.archivable("lesson");
    gate.open();
    daemon.line("archived a recording");
    setting
        .wait(|setting| setting.sql("SELECT count(*) FROM passes WHERE recordings_new > 0") == "2");
    daemon.stop();
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    assert_eq!(setting.count("attempts"), "1", "the transfer went on");
    let shown = setting.run(&["show", &skipped.to_string()]);
    assert!(super::text(&shown.stdout).contains("skipped"), "{shown:?}");
}

#[test]
fn systemd_hears_of_ready_status_reload_watchdog_and_stop() {
    let setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    let path = setting.directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let env = [
        ("NOTIFY_SOCKET", path.as_os_str()),
        ("WATCHDOG_USEC", OsStr::new("500000")),
    ];
    let mut daemon = Child::start(&setting, &env);
    let heard = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).expect("a datagram");
            let text = super::text(&buffer[..length]).to_owned();
            if text.contains(wanted) {
                return text;
            }
        }
    };
    heard("READY=1");
    heard("WATCHDOG=1");
    heard("STATUS=1 archived");
    daemon.signal(Signal::HUP);
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    daemon.terminate();
    heard("STOPPING=1");
    assert_eq!(daemon.wait().code(), Some(0));
}

#[test]
fn refused_credentials_degrade_and_recover_by_themselves() {
    let mut setting = Setting::with(EVERY_SECOND);
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let listen = port.expect("a port");
    _ = write!(setting.more, "[telemetry]\nlisten = \"{listen}\"\n");
    setting.space.archivable("lesson");
    setting.space.refuse_credentials(Some(401));
    let mut daemon = setting.daemon();
    daemon.line("refused the credentials");
    let get = |path: &str| {
        let mut stream = TcpStream::connect(listen).expect("a listener");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    setting.wait(|_| get("/healthz").starts_with("HTTP/1.1 503"));
    assert!(get("/healthz").contains("credentials"));
    assert!(get("/metrics").contains("room_archiver_credentials_ok 0"));
    setting.space.refuse_credentials(None);
    daemon.line("archived a recording");
    setting.wait(|_| get("/healthz").starts_with("HTTP/1.1 200"));
    daemon.stop();
    setting.once(0);
    setting.space.refuse_credentials(Some(403));
    setting.once(3);
}
