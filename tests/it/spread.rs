//! `poll.spread`: each archive begins at a time of its own, and doctor tells that time.

use chrono::Timelike as _;
use room_archiver::model::time;
use room_archiver::schedule::Schedule;
use serde_json::Value;

use super::harness::Setting;
use super::text;

/// An archive with an id by which the schedule comes later, and how many seconds later.
fn late(more: &str, schedule: &str) -> (Setting, u64) {
    let setting = Setting::with(&format!("[poll]\nschedule = \"{schedule}\"\n{more}"));
    setting.once(0);
    let schedule: Schedule = schedule.parse().expect("a schedule");
    let offset = |id: &str| schedule.spread(id).offset().as_secs();
    let id = (0..).map(|n| format!("{n:08x}-0000-4000-8000-000000000000"));
    let id = id.into_iter().find(|id| offset(id) > 0).expect("soon");
    let before = setting.sql("SELECT value FROM meta WHERE name = 'archive_id'");
    let marker = setting.recordings.join(".room-archiver");
    let text = std::fs::read_to_string(&marker).expect("a marker");
    std::fs::write(&marker, text.replace(&before, &id)).expect("a marker");
    setting.write_sql(&format!(
        "UPDATE meta SET value = '{id}' WHERE name = 'archive_id'"
    ));
    (setting, offset(&id))
}

/// The second of the minute at which doctor says that the next poll begins.
fn told(setting: &Setting) -> u64 {
    let doctor = setting.run(&["doctor"]);
    let report = text(&doctor.stdout);
    let line = report
        .lines()
        .find(|line| line.contains("next poll"))
        .expect("a line");
    let second = line
        .split(" UTC")
        .next()
        .and_then(|at| at.rsplit(':').next());
    second
        .and_then(|second| second.parse().ok())
        .expect("a time")
}

#[test]
fn scheduled_polls_begin_later_by_the_time_of_the_archive() {
    let (setting, offset) = late("", "*/3 * * * * *");
    assert_eq!(told(&setting) % 3, offset);
    let mut daemon = setting.daemon();
    daemon.line("started");
    // The first begins at once, with the service.
    let polls = "SELECT count(*) FROM passes WHERE kind = 'poll' AND outcome = 'complete'";
    let before: u64 = setting.sql(polls).parse().expect("a number");
    setting.wait(|setting| setting.sql(polls).parse::<u64>().expect("a number") >= before + 3);
    daemon.stop();
    let begun = setting
        .sql("SELECT started_at FROM passes WHERE kind = 'poll' ORDER BY started_at DESC LIMIT 2");
    for begun in begun.lines() {
        let begun = time::parse(begun).expect("a time");
        assert_eq!(u64::from(begun.second()) % 3, offset, "{begun}");
    }
}

#[test]
fn without_spread_polls_begin_on_schedule() {
    let (setting, _) = late("spread = false\n", "*/30 * * * * *");
    assert_eq!(told(&setting) % 30, 0);
}

/// The next runs that `status` shows while the service runs, and when it looked.
fn next_runs(setting: &Setting) -> Value {
    let mut daemon = setting.daemon();
    daemon.line("started");
    let status = setting.run(&["status", "--json"]);
    daemon.stop();
    serde_json::from_str(text(&status.stdout)).expect("JSON")
}

#[test]
fn status_shows_each_next_pass_at_the_time_of_the_archive() {
    let (hourly, yearly) = ("0 0 * * * *", "0 0 0 1 1 *");
    let keys = format!(
        "sweep_schedule = \"{hourly}\"\nspread = SPREAD\n[verify]\nschedule = \"{yearly}\"\n"
    );
    for spread in [true, false] {
        let keys = keys.replace("SPREAD", &spread.to_string());
        let (setting, _) = late(&keys, "*/30 * * * * *");
        let id = setting.sql("SELECT value FROM meta WHERE name = 'archive_id'");
        let status = next_runs(&setting);
        let at = |value: &Value| time::parse(value.as_str().expect("a time")).expect("a time");
        for (kind, schedule) in [
            ("poll", "*/30 * * * * *"),
            ("sweep", hourly),
            ("verify", yearly),
        ] {
            let plain: Schedule = schedule.parse().expect("a schedule");
            let later = plain.spread(&id);
            assert_ne!(plain, later, "another id is needed: this proves nothing");
            let schedule = if spread { later } else { plain };
            let next = at(&status["next_runs"][kind]);
            assert_eq!(schedule.next_after(at(&status["at"])), Some(next), "{kind}");
        }
    }
}
