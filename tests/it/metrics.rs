//! `/metrics` says what the archive and the process are like, under names that the documentation has.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::harness::bucket::Bucket;
use super::harness::{Capability, Child, EVERY_SECOND, Setting, get, has, healthy, listening};
use super::text;

const OPERATING: &str = include_str!("../../docs/operating.md");

/// A daemon that has archived a recording.
pub fn archiving(more: &str) -> (Setting, SocketAddr, Child) {
    archiving_with(more, &[])
}

fn archiving_with(more: &str, env: &[(&str, &OsStr)]) -> (Setting, SocketAddr, Child) {
    let mut setting = Setting::with(&format!("{EVERY_SECOND}{more}"));
    let port = listening(&mut setting);
    setting.space.archivable("lesson");
    let mut daemon = Child::start(&setting, env);
    daemon.line("archived a recording");
    healthy(&setting, port);
    setting.wait(|_| value(port, "room_archiver_recordings{state=\"archived\"}") > Some(0.0));
    (setting, port, daemon)
}

fn body(port: SocketAddr) -> String {
    let answer = get(port, "/metrics");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    body.to_owned()
}

fn value(port: SocketAddr, series: &str) -> Option<f64> {
    let body = body(port);
    let mut lines = body.lines().filter_map(|line| line.rsplit_once(' '));
    let (_, value) = lines.find(|(name, _)| *name == series)?;
    Some(value.parse().expect("a number"))
}

/// The names in a row of the documentation, and the labels of each.
fn documented() -> BTreeSet<(String, String)> {
    let section = OPERATING.split("\n## Metrics\n").nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split(" | ").next().expect("a cell").split('`'));
    names
        .filter(|name| name.contains('_'))
        .map(|name| {
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            (name.to_owned(), labels.trim_end_matches('}').to_owned())
        })
        .collect()
}

#[test]
fn every_metric_is_in_the_documentation_with_its_labels_and_nothing_else_is() {
    // Those of copies exist for each target.
    let bucket = Bucket::start();
    let section = bucket.section("offsite");
    let (setting, port, mut daemon) = archiving_with(&section, &Bucket::keys());
    let copied = "room_archiver_copies{target=\"offsite\",state=\"copied\"}";
    setting.wait(|_| value(port, copied) == Some(1.0));
    let mut shown = BTreeSet::new();
    for line in body(port).lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        let labels = labels
            .split('"')
            .step_by(2)
            .map(|part| part.trim_matches([',', '=', '}']));
        let labels: BTreeSet<&str> = labels
            .filter(|label| !matches!(*label, "" | "le"))
            .collect();
        let labels: Vec<&str> = labels.into_iter().collect();
        shown.insert((name.to_owned(), labels.join(",")));
    }
    assert_eq!(shown, documented());
    daemon.stop();
}

#[test]
fn promtool_finds_nothing_to_improve() {
    if !has(Capability::Prometheus) {
        return;
    }
    let (_setting, port, mut daemon) = archiving("");
    let mut promtool = Command::new("promtool");
    let promtool = promtool.args(["check", "metrics"]).stdin(Stdio::piped());
    let promtool = promtool.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = promtool.spawn().expect("promtool");
    let mut stdin = checking.stdin.take().expect("a pipe");
    stdin.write_all(body(port).as_bytes()).expect("taken");
    drop(stdin);
    let checked = checking.wait_with_output().expect("promtool");
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!((text(&checked.stdout), text(&checked.stderr)), ("", ""));
    daemon.stop();
}

#[test]
fn counters_with_labels_begin_at_zero() {
    let mut setting = Setting::with("");
    let port = listening(&mut setting);
    let mut daemon = setting.daemon();
    healthy(&setting, port);
    for series in [
        "room_archiver_attempts_total{outcome=\"archived\"}",
        "room_archiver_attempts_total{outcome=\"retry\"}",
        "room_archiver_attempts_total{outcome=\"lost\"}",
        "room_archiver_passes_total{kind=\"poll\",outcome=\"incomplete\"}",
        "room_archiver_passes_total{kind=\"verify\",outcome=\"complete\"}",
        "room_archiver_pass_duration_seconds_count{kind=\"verify\"}",
        "room_archiver_last_complete_pass_timestamp_seconds{kind=\"verify\"}",
        "room_archiver_verified_files_total{result=\"damaged\"}",
    ] {
        assert_eq!(value(port, series), Some(0.0), "{series}");
    }
    daemon.stop();
}

#[test]
fn the_archive_and_the_process_in_figures() {
    let (setting, port, mut daemon) = archiving("[verify]\nschedule = \"* * * * * *\"\n");
    let of = |series: &str| value(port, series).unwrap_or_else(|| panic!("{series} is missing"));
    let bytes = setting.sql("SELECT sum(size_bytes) FROM archive");
    let bytes: f64 = bytes.parse().expect("a number");
    assert!((of("room_archiver_archived_bytes") - bytes).abs() < 0.5);
    assert!(of("room_archiver_downloaded_bytes_total") >= bytes);
    // Lists, and what else was requested.
    let requests = setting
        .space
        .journal()
        .iter()
        .filter(|seen| !seen.is_media())
        .count();
    setting.wait(|_| {
        u32::try_from(requests).is_ok_and(|n| of("room_archiver_api_requests_total") >= n.into())
    });
    let verified = "room_archiver_verified_files_total{result=\"intact\"}";
    setting.wait(|_| of(verified) >= 1.0 && of("room_archiver_verified_bytes_total") >= bytes);
    let last = "room_archiver_last_complete_pass_timestamp_seconds{kind=\"verify\"}";
    let ended = "SELECT min(strftime('%s', ended_at)) FROM passes WHERE kind = 'verify' AND outcome = 'complete'";
    setting.wait(|setting| {
        setting
            .sql(ended)
            .parse()
            .is_ok_and(|ended: f64| of(last) > ended)
    });
    let passes = "room_archiver_passes_total{kind=\"verify\",outcome=\"complete\"}";
    assert!(of(passes) >= 1.0);

    let process = format!("/proc/{}", daemon.id());
    let open = std::fs::read_dir(format!("{process}/fd"))
        .expect("a process")
        .count();
    let open = f64::from(u32::try_from(open).expect("few"));
    assert!((of("process_open_fds") - open).abs() <= 8.0, "{open}");
    let status = std::fs::read_to_string(format!("{process}/status")).expect("a process");
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss: f64 = rss
        .expect("a line")
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("kB");
    let shown = of("process_resident_memory_bytes") / 1024.0;
    assert!((0.5..2.0).contains(&(shown / rss)), "{shown} {rss}");
    let limits = std::fs::read_to_string(format!("{process}/limits")).expect("a process");
    let most = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let most = most
        .expect("a line")
        .split_whitespace()
        .nth(3)
        .expect("a limit");
    assert_eq!(Some(of("process_max_fds")), most.parse().ok());
    let cpu = of("process_cpu_seconds_total");
    assert!(cpu > 0.0 && cpu < 600.0, "{cpu}");
    let began = setting.sql("SELECT min(strftime('%s', started_at)) FROM passes");
    let began: f64 = began.parse().expect("a number");
    let started = of("process_start_time_seconds");
    let before = began - started;
    assert!((-2.0..120.0).contains(&before), "{before}");
    daemon.stop();
}

#[test]
fn the_last_load_of_the_configuration_shows() {
    let (mut setting, port, mut daemon) = archiving("");
    let of = |series: &str| value(port, series).unwrap_or_else(|| panic!("{series} is missing"));
    let (success, at) = (
        "room_archiver_config_last_reload_successful",
        "room_archiver_config_last_reload_success_timestamp_seconds",
    );
    let first = of(at);
    assert!((of(success) - 1.0).abs() < f64::EPSILON && first > 1e9);
    let right = std::mem::replace(
        &mut setting.more,
        "[poll]\nschedule = \"never\"\n".to_owned(),
    );
    setting.config_file();
    daemon.signal(Signal::HUP);
    daemon.line("the configuration was not reloaded");
    setting.wait(|_| of(success) == 0.0);
    assert!((of(at) - first).abs() < f64::EPSILON);
    setting.more = right;
    setting.config_file();
    daemon.signal(Signal::HUP);
    daemon.line("the configuration was reloaded");
    setting.wait(|_| of(success) > 0.0 && of(at) > first);
    daemon.stop();
}
