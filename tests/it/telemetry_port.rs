//! A port that another program uses does not keep the service from archiving, and does not stay unnoticed.

use std::fmt::Write as _;
use std::net::TcpListener;

use super::harness::{EVERY_SECOND, Setting, get, listening};
use super::text;

#[test]
fn a_busy_port_stops_no_archiving_shows_everywhere_and_is_tried_again() {
    let mut setting = Setting::with(EVERY_SECOND);
    let port = listening(&mut setting);
    let busy = TcpListener::bind(port).expect("the port is free");
    let doctor = setting.run(&["doctor"]);
    let found = text(&doctor.stdout).to_owned();
    assert!(found.contains("FAIL  telemetry "), "{found}");

    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    let line = daemon.line("could not listen on");
    assert!(
        line.contains(&format!("{port}, another program does")),
        "{line}"
    );
    assert!(line.contains("archiving goes on"), "{line}");
    setting.wait(|setting| setting.database.exists() && setting.count("archive") == "1");

    let status = setting.run(&["status"]);
    let shown = text(&status.stdout);
    assert!(shown.starts_with("not healthy\n"), "{shown}");
    assert!(shown.contains("telemetry: no metrics for "), "{shown}");
    let doctor = setting.run(&["doctor"]);
    let found = text(&doctor.stdout);
    assert!(
        found.contains("FAIL  telemetry ") && found.contains("another program does"),
        "{found}"
    );

    drop(busy);
    setting.wait(|_| get(port, "/healthz").starts_with("HTTP/1.1 200"));
    assert!(!text(&setting.run(&["status"]).stdout).contains("telemetry"));
    daemon.stop();
    assert_eq!(daemon.count("could not listen on"), 1, "{:#?}", daemon.told);
}

#[test]
fn localhost_and_a_port_alone_are_served() {
    let mut setting = Setting::with("");
    setting.once(0);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
    let port = port.expect("a port");
    for listen in [
        format!("localhost:{}", port.port()),
        format!(":{}", port.port()),
    ] {
        setting.more.clear();
        _ = write!(setting.more, "[telemetry]\nlisten = \"{listen}\"\n");
        let mut daemon = setting.daemon();
        daemon.line("serving /metrics and /healthz");
        assert!(
            get(port, "/metrics").contains("room_archiver_healthy"),
            "{listen}"
        );
        daemon.stop();
    }
}
