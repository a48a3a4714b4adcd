//! `telemetry.ping_url`: after each pass a dead-man's switch hears what health says, and nothing else is disturbed.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use fake_space::{Action, Rule};
use rustix::process::Signal;

use super::harness::{EVERY_SECOND, Setting, healthy, listening, unhealthy};
use super::text;

/// What whoever knows it could keep the alarm silent with.
const SECRET: &str = "0b5cf2fe-secret-path";

/// A request: method, path, body.
type Request = (String, String, String);

/// A server of another's making as far as the program is concerned: it answers every request with what it is told to.
struct Switch {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Request>>>,
    /// The status line and headers of the next answers; none: no answer at all.
    answer: Arc<Mutex<Option<String>>>,
}

impl Switch {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let switch = Self {
            address: listener.local_addr().expect("an address"),
            heard: Arc::default(),
            answer: Arc::new(Mutex::new(Some("200 OK".to_owned()))),
        };
        let (heard, answer) = (switch.heard.clone(), switch.answer.clone());
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&mut stream) else {
                    continue;
                };
                heard.lock().expect("no panic").push(request);
                match &*answer.lock().expect("no panic") {
                    Some(answer) => {
                        let answer = format!(
                            "HTTP/1.1 {answer}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"
                        );
                        _ = stream.write_all(answer.as_bytes());
                    }
                    None => kept.push(stream),
                }
            }
        });
        switch
    }

    fn answer(&self, with: &str) {
        *self.answer.lock().expect("no panic") = Some(with.to_owned());
    }

    fn be_silent(&self) {
        *self.answer.lock().expect("no panic") = None;
    }

    fn heard(&self) -> Vec<Request> {
        self.heard.lock().expect("no panic").clone()
    }

    fn count(&self) -> usize {
        self.heard().len()
    }

    /// An archive that polls each second and pings this switch.
    fn setting(&self) -> Setting {
        let url = format!("http://{}/ping/{SECRET}?key={SECRET}", self.address);
        let mut setting = Setting::with(EVERY_SECOND);
        _ = write!(setting.more, "[telemetry]\nping_url = \"{url}\"\n");
        setting
    }

    /// The same, which also answers what its health is.
    fn watched(&self) -> (Setting, SocketAddr) {
        let (mut setting, mut other) = (self.setting(), Setting::with(""));
        let port = listening(&mut other);
        setting.more = setting.more.replace("[telemetry]\n", &other.more);
        (setting, port)
    }
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, String::from_utf8(body).ok()?))
}

fn path(end: &str) -> String {
    format!("/ping/{SECRET}{end}?key={SECRET}")
}

#[test]
fn a_pass_pings_the_url_while_healthy_and_fail_with_the_problems_while_not() {
    let switch = Switch::start();
    let setting = switch.setting();
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    setting.wait(|_| switch.count() > 1);
    let well = ("GET".to_owned(), path(""), String::new());
    assert_eq!(switch.heard()[0], well);

    setting.space.refuse_credentials(Some(401));
    setting.wait(|_| {
        switch
            .heard()
            .last()
            .is_some_and(|(method, ..)| method == "POST")
    });
    let (_, to, body) = switch.heard().pop().expect("a request");
    assert_eq!(to, path("/fail"));
    assert!(body.starts_with("credentials: refused for "), "{body}");
    assert!(body.ends_with('\n') && body.lines().count() == 1, "{body}");

    setting.space.refuse_credentials(None);
    setting.wait(|_| switch.heard().last() == Some(&well));
    daemon.stop();
}

#[test]
fn a_switch_that_fails_is_logged_once_without_its_url_and_the_archive_goes_on() {
    let switch = Switch::start();
    let (setting, port) = switch.watched();
    switch.answer("404 Not Found");
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    let line = daemon.line("could not ping");
    let host = format!(
        "could not ping http://{}/…: the answer was HTTP 404",
        switch.address
    );
    assert!(line.contains(&host), "{line}");
    let heard = switch.count();
    setting.wait(|_| switch.count() > heard + 2);
    healthy(&setting, port);
    setting.space.archivable("lesson");
    setting.wait(|setting| setting.count("archive") == "2");
    switch.answer("200 OK");
    daemon.line("arrive again");
    assert_eq!(daemon.count("could not ping"), 1);

    // What can't be reached at all, neither.
    switch.answer("500 Internal Server Error");
    daemon.line("could not ping");
    setting.space.inject(Rule::api(Action::error(503)));
    daemon.line("poll incomplete");
    daemon.stop();
    let shown = setting.run(&["config", "show"]);
    let shown = text(&shown.stdout);
    assert!(
        shown.contains(&format!("ping_url = \"http://{}/…\"", switch.address)),
        "{shown}"
    );
    for text in daemon.told.iter().map(String::as_str).chain([shown]) {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn a_switch_that_never_answers_holds_up_nothing() {
    let switch = Switch::start();
    let setting = switch.setting();
    switch.be_silent();
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    setting.wait(|_| switch.count() > 0);
    setting.space.archivable("lesson");
    let polls = "SELECT count(*) FROM passes WHERE outcome = 'complete'";
    setting.wait(|setting| {
        setting.count("archive") == "2" && setting.sql(polls).parse::<u32>().expect("a number") > 3
    });
    assert_eq!(switch.count(), 1, "one at a time");
    // Nor the end.
    daemon.stop();
}

#[test]
fn redirects_are_followed_on_the_same_host_only() {
    let (switch, other) = (Switch::start(), Switch::start());
    let setting = switch.setting();
    let elsewhere = format!("http://{}/{SECRET}", other.address);
    switch.answer(&format!("307 Temporary Redirect\r\nLocation: {elsewhere}"));
    let mut daemon = setting.daemon();
    let line = daemon.line("could not ping");
    assert!(line.contains("the answer was HTTP 307"), "{line}");
    assert_eq!(other.count(), 0);

    switch.answer("301 Moved Permanently\r\nLocation: /moved");
    setting.wait(|_| switch.heard().iter().any(|(_, path, _)| path == "/moved"));
    // Not for ever: that leads to itself.
    let pings = |switch: &Switch| {
        let heard = switch.heard();
        heard.iter().filter(|(_, to, _)| *to == path("")).count()
    };
    let before = pings(&switch);
    setting.wait(|_| pings(&switch) > before + 1);
    let heard = switch.heard();
    let runs = heard.split(|(_, path, _)| path != "/moved").map(<[_]>::len);
    assert_eq!(runs.max(), Some(3));
    switch.answer("200 OK");
    daemon.line("arrive again");
    daemon.stop();
}

#[test]
fn a_reload_switches_pings_on_and_off() {
    let switch = Switch::start();
    let mut setting = switch.setting();
    let on = std::mem::replace(&mut setting.more, EVERY_SECOND.to_owned());
    let mut daemon = setting.daemon();
    daemon.line("poll complete");
    daemon.line("poll complete");
    assert_eq!(switch.count(), 0);
    setting.more = on;
    setting.config_file();
    daemon.signal(Signal::HUP);
    let line = daemon.line("the configuration was reloaded");
    assert!(!line.contains("restart"), "{line}");
    setting.wait(|_| switch.count() > 0);
    EVERY_SECOND.clone_into(&mut setting.more);
    setting.config_file();
    daemon.signal(Signal::HUP);
    daemon.line("the configuration was reloaded");
    daemon.line("poll complete");
    let heard = switch.count();
    daemon.line("poll complete");
    daemon.line("poll complete");
    assert_eq!(switch.count(), heard);
    daemon.stop();
}

#[test]
fn a_database_that_can_not_be_used_is_told_to_the_switch() {
    let switch = Switch::start();
    let (setting, port) = switch.watched();
    let mut daemon = setting.daemon();
    setting.wait(|_| switch.count() > 0);
    let mut writer = super::harness::Other::begin(&setting.database(), "BEGIN IMMEDIATE;");
    unhealthy(&setting, port, "database: ");
    let told = |(_, path, body): &Request| path.contains("/fail") && body.starts_with("database: ");
    setting.wait(|_| switch.heard().iter().any(told));
    writer.goes_on("COMMIT;");
    setting.wait(|_| {
        switch
            .heard()
            .last()
            .is_some_and(|(method, ..)| method == "GET")
    });
    daemon.stop();
}

#[test]
fn a_wrong_url_is_refused_without_repeating_it() {
    let mut setting = Setting::with("");
    setting.more = format!("[telemetry]\nping_url = \"{SECRET}\"\n");
    let refused = setting.run(&["config", "check"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let error = text(&refused.stderr);
    assert!(
        error.contains("telemetry.ping_url") && error.contains("https://"),
        "{error}"
    );
    assert!(!error.contains(SECRET), "{error}");
}
