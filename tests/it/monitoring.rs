//! `monitoring/` works with a real Prometheus that scrapes the real daemon: its rules load, its alerts keep still while
//! all is well, and each query of the dashboard has an answer.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::harness::{Capability, Setting, fetch, has};
use super::metrics::archiving;
use super::papers::anchors;
use super::text;

const RULES: &str = include_str!("../../monitoring/room-archiver.rules.yml");
const ALERTS: &str = include_str!("../../docs/alerts.md");
const DASHBOARD: &str = include_str!("../../monitoring/grafana-dashboard.json");

fn monitoring() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring")
}

/// A Prometheus that scrapes one target each second.
struct Prometheus {
    process: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr());
        let address = address.expect("a port");
        // The shipped configuration, faster, and of this target.
        let shipped = std::fs::read_to_string(monitoring().join("prometheus.yml")).expect("a file");
        let rules = monitoring().join("room-archiver.rules.yml");
        let configuration = shipped
            .replace("room-archiver.rules.yml", &rules.display().to_string())
            .replace("127.0.0.1:9464", &target.to_string());
        assert!(configuration.contains(&target.to_string()));
        let global = "global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n";
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, format!("{global}{configuration}")).expect("a file");
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self {
            process: process.expect("prometheus"),
            address,
            _directory: directory,
        }
    }

    /// The body of an answer; `None` while it does not answer with 200.
    fn get(&self, path: &str) -> Option<String> {
        let answer = fetch(self.address, path);
        answer
            .filter(|(status, _)| *status == 200)
            .map(|(_, body)| body)
    }

    fn api(&self, path: &str) -> Option<Value> {
        let answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/{path}"))?).ok()?;
        (answer["status"] == "success").then(|| answer["data"].clone())
    }

    /// The samples of a query; none for an error.
    fn samples(&self, query: &str) -> Vec<Value> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.api(&format!("query?query={query}"));
        let samples = data.and_then(|data| data["result"].as_array().cloned());
        samples.unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[test]
fn every_query_of_the_dashboard_has_an_answer_and_no_alert_fires_while_all_is_well() {
    if !has(Capability::Prometheus) {
        return;
    }
    let (setting, port, mut daemon) = archiving("[verify]\nschedule = \"* * * * * *\"\n");
    let prometheus = Prometheus::start(port);
    setting.wait(|_| prometheus.get("/-/ready").is_some());
    let up = "up{job=\"room-archiver\"} == 1 and changes(process_cpu_seconds_total[30s]) > 1";
    setting.wait(|_| !prometheus.samples(up).is_empty());

    let queries = queries();
    assert!(queries.len() > 30, "{}", queries.len());
    for query in &queries {
        assert_answered(&setting, &prometheus, query);
    }
    let instances = prometheus.api("label/instance/values?match[]=room_archiver_build_info");
    assert_eq!(instances, Some(serde_json::json!([port.to_string()])));

    let rules = prometheus.api("rules").expect("rules");
    let rules = rules["groups"][0]["rules"].as_array().expect("a list");
    assert_eq!(rules.len(), RULES.matches("- alert: ").count());
    for rule in rules {
        let name = rule["name"].as_str().expect("a name");
        assert_eq!(rule["health"], "ok", "{name}: {}", rule["lastError"]);
        assert_eq!(rule["state"], "inactive", "{name}: {}", rule["alerts"]);
        assert!(rule["duration"].as_f64() > Some(0.0), "{name} has no 'for'");
        let severity = rule["labels"]["severity"].as_str();
        assert!(matches!(severity, Some("critical" | "warning")), "{name}");
        for annotation in ["summary", "description", "runbook_url"] {
            let text = rule["annotations"][annotation].as_str();
            assert!(
                text.is_some_and(|text| !text.is_empty()),
                "{name}: {annotation}"
            );
        }
    }
    daemon.stop();
}

#[test]
fn an_alert_fires_for_a_daemon_that_is_down() {
    if !has(Capability::Prometheus) {
        return;
    }
    let (setting, port, mut daemon) = archiving("");
    let prometheus = Prometheus::start(port);
    setting.wait(|_| !prometheus.samples("room_archiver_healthy == 1").is_empty());
    daemon.stop();
    let pending = "ALERTS{alertname=\"RoomArchiverDown\",alertstate=\"pending\"}";
    setting.wait(|_| !prometheus.samples(pending).is_empty());
}

#[test]
fn the_rules_do_what_their_tests_say() {
    if !has(Capability::Prometheus) {
        return;
    }
    let files = [
        "room-archiver.rules.test.yml",
        "room-archiver.rules.days.test.yml",
    ];
    for alert in alerts() {
        let entry = format!("- alertname: {alert}\n");
        let quiet = format!("{{alertname: {alert}, ");
        let tests =
            files.map(|file| std::fs::read_to_string(monitoring().join(file)).expect("a file"));
        assert!(
            tests.iter().any(|text| text.contains(&entry)),
            "{alert} is not tested to fire"
        );
        assert!(
            tests.iter().any(|text| text.contains(&quiet)),
            "{alert} is not tested to keep still"
        );
    }
    let mut promtool = Command::new("promtool");
    let promtool = promtool.args(["test", "rules"]).args(files);
    let tested = promtool
        .current_dir(monitoring())
        .output()
        .expect("promtool");
    assert!(
        tested.status.success(),
        "{} {}",
        text(&tested.stdout),
        text(&tested.stderr)
    );
}

#[test]
fn every_alert_links_to_its_section_of_the_documentation() {
    let headings = anchors(ALERTS);
    let names = alerts();
    assert!(names.len() > 10);
    let links: Vec<&str> = RULES
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook_url: "))
        .collect();
    assert_eq!(links.len(), names.len());
    for (name, link) in names.iter().zip(&links) {
        let anchor = name.to_lowercase();
        let expected = format!("file:///usr/share/doc/room-archiver/docs/alerts.md#{anchor}");
        assert_eq!(**link, expected);
        assert!(
            headings.contains(&anchor),
            "{name} is not in docs/alerts.md"
        );
    }
    // And no section of an alert that is gone: the first heading is the title.
    assert_eq!(headings.len(), names.len() + 1);
}

#[test]
fn no_two_panels_of_the_dashboard_share_an_id_or_a_place() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let (mut ids, mut places) = (Vec::new(), Vec::new());
    for panel in panels {
        let id = panel["id"].as_u64().expect("an id");
        assert!(!ids.contains(&id), "{id}");
        ids.push(id);
        let side = |name: &str| panel["gridPos"][name].as_u64().expect("a number");
        let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
        assert!(x + w <= 24, "{id}");
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(!places.contains(&place), "{id} covers another");
            places.push(place);
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{id}");
        }
    }
}

/// The names of the alerts, in order.
fn alerts() -> Vec<&'static str> {
    let lines = RULES.lines();
    lines
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect()
}

/// What the dashboard asks Prometheus, its variables filled in.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let annotations = dashboard["annotations"]["list"].as_array().expect("a list");
    // Of an annotation, what it shows at times: without its condition.
    let shown = targets.map(|target| target["expr"].as_str().expect("a query"));
    let noted = annotations.iter().map(|note| {
        let query = note["expr"].as_str().expect("a query");
        query.strip_suffix(" > 0").expect("a condition")
    });
    shown
        .chain(noted)
        .map(|query| {
            let query = query
                .replace("$__rate_interval", "20s")
                .replace("$instance", ".*");
            assert!(
                !query.contains('$'),
                "a variable that the test does not know: {query}"
            );
            query
        })
        .collect()
}

#[track_caller]
fn assert_answered(setting: &Setting, prometheus: &Prometheus, query: &str) {
    let mut last = Vec::new();
    for _ in 0..60 {
        last = prometheus.samples(query);
        let number = |sample: &Value| {
            sample["value"][1]
                .as_str()
                .is_some_and(|value| value != "NaN")
        };
        if !last.is_empty() && last.iter().all(number) {
            return;
        }
        // A rate needs two scrapes.
        let before = prometheus.samples("timestamp(room_archiver_healthy)");
        setting.wait(|_| prometheus.samples("timestamp(room_archiver_healthy)") != before);
    }
    panic!("no answer to {query}: {last:?}");
}
