use super::*;
use crate::store::{Unarchived, Unfinished};

const NOW: &str = "2026-11-23T20:00:00.000Z";

fn at(text: &str) -> DateTime<Utc> {
    time::parse(text).expect("a time")
}

fn ago(minutes: i64) -> DateTime<Utc> {
    at(NOW) - TimeDelta::minutes(minutes)
}

/// An archive that is polled every five minutes and archives what there is.
fn healthy() -> Facts {
    Facts {
        stuck_after: Some(TimeDelta::hours(24)),
        passes: Passes {
            schedule: Some("0 */5 * * * *".to_owned()),
            first: Some(ago(10_000)),
            last_poll: Some(ago(5)),
            last_sweep: Some(ago(900)),
            sweep_took: Some(TimeDelta::minutes(4)),
            ..Passes::default()
        },
        ..Facts::default()
    }
}

fn lines(facts: &Facts) -> Vec<String> {
    health(facts, at(NOW)).iter().map(Problem::line).collect()
}

fn pause(kind: PauseKind, minutes: i64) -> Pause {
    Pause {
        kind,
        host: (kind == PauseKind::Host).then(|| "media.example:443".to_owned()),
        error: "no".to_owned(),
        since: ago(minutes),
    }
}

#[test]
fn an_archive_that_makes_progress_is_healthy() {
    assert_eq!(lines(&healthy()), [""; 0]);
    assert_eq!(lines(&Facts::default()), [""; 0], "nothing is known yet");
}

#[test]
fn each_problem_is_named_with_its_age_the_most_urgent_first() {
    let mut facts = healthy();
    facts.lost = 1;
    facts.unrepairable = 2;
    facts.gone_since = Some(ago(4 * 1440));
    facts.unarchived = Unarchived {
        since: Some(ago(2 * 1440)),
        error: Some("the media host answered 404".to_owned()),
        stuck: 3,
    };
    facts.unfinished = Unfinished {
        stuck: 1,
        since: Some(ago(1500)),
        status: Some("processing".to_owned()),
    };
    facts.no_space = 2;
    facts.no_space_since = Some(ago(9));
    facts.pauses = PauseKind::ALL.map(|kind| pause(kind, 100)).into();
    facts.passes.last_poll = Some(ago(35));
    facts.passes.error = Some("SignalWire refused the credentials".to_owned());
    facts.passes.refused_since = Some(ago(30));
    facts.database = Some((ago(2), "database is locked".to_owned()));
    assert_eq!(
        lines(&facts),
        [
            "database: could not be used for 2 min: database is locked",
            "credentials: refused for 30 min: SignalWire refused the credentials",
            "poll: no complete poll for 35 min: SignalWire refused the credentials",
            "disk: 2 recordings have been waiting for space, the oldest for 9 min",
            "disk: downloads have been paused for 1 h 40 min: no",
            "api: downloads have been paused for 1 h 40 min: no",
            "host: the media host media.example:443 has failed for 1 h 40 min: no",
            "downloads: one download after another has failed for 1 h 40 min: no",
            "stuck: 3 recordings completed upstream have not been archived, the oldest for 2 d: \
             the media host answered 404",
            "stuck: 1 recording has not been ready for 1 d 1 h: still processing upstream",
            "attention: 3 recordings need attention: 1 gone upstream before they were archived, 2 damaged and gone \
             upstream; the first 4 d ago",
        ]
    );
    let json = serde_json::to_value(&health(&facts, at(NOW))[0]).expect("JSON");
    let since = time::to_text(ago(2));
    let text = "could not be used for 2 min: database is locked";
    let expected = serde_json::json!({"kind": "database", "text": text, "since": since});
    assert_eq!(json, expected);
}

#[test]
fn one_recording_is_not_several() {
    let mut facts = healthy();
    facts.unarchived = Unarchived {
        since: Some(ago(1500)),
        error: None,
        stuck: 1,
    };
    facts.unfinished = Unfinished {
        stuck: 2,
        since: Some(ago(1500)),
        status: None,
    };
    facts.no_space = 1;
    facts.no_space_since = Some(ago(1));
    facts.lost = 1;
    facts.gone_since = Some(ago(60));
    assert_eq!(
        lines(&facts),
        [
            "disk: 1 recording has been waiting for space for 1 min",
            "stuck: 1 recording completed upstream has not been archived for 1 d 1 h",
            "stuck: 2 recordings have not been ready, the oldest for 1 d 1 h: still without a status upstream",
            "attention: 1 recording needs attention: gone upstream 1 h ago, before it was archived",
        ]
    );
}

#[test]
fn what_is_pending_but_not_stuck_is_no_problem() {
    let mut facts = healthy();
    facts.unarchived.since = Some(ago(60));
    assert_eq!(lines(&facts), [""; 0]);
}

#[test]
fn three_slots_without_a_complete_poll_are_a_problem_but_not_within_a_quarter_of_an_hour() {
    let mut facts = healthy();
    let mut healthy_after = |schedule: &str, last: DateTime<Utc>| {
        facts.passes.schedule = Some(schedule.to_owned());
        facts.passes.last_poll = Some(last);
        facts.passes.last_sweep = None;
        lines(&facts).is_empty()
    };
    assert!(healthy_after("0 */5 * * * *", ago(14)));
    assert!(!healthy_after("0 */5 * * * *", ago(15)));
    assert!(healthy_after("* * * * * *", ago(14)));
    assert!(!healthy_after("* * * * * *", ago(15)));
    assert!(healthy_after("0 0 * * * *", ago(119)));
    assert!(!healthy_after("0 0 * * * *", ago(180)));
    // None is due at night and on Sundays: 20:00 on a Monday.
    assert!(healthy_after(
        "0 0 8 * * MON-SAT",
        at("2026-11-20T08:01:00Z")
    ));
    assert!(!healthy_after(
        "0 0 8 * * MON-SAT",
        at("2026-11-19T08:01:00Z")
    ));
    assert!(!healthy_after("not a schedule", ago(15)));
}

#[test]
fn a_complete_sweep_counts_as_a_poll() {
    let mut facts = healthy();
    facts.passes.last_poll = Some(ago(60));
    assert_eq!(lines(&facts), ["poll: no complete poll for 1 h"]);
    facts.passes.last_sweep = Some(ago(3));
    assert_eq!(lines(&facts), [""; 0]);
}

#[test]
fn a_sweep_may_take_twice_the_time_of_the_last_one() {
    let mut facts = healthy();
    facts.passes.last_poll = Some(ago(31));
    facts.passes.sweep_began = Some(ago(30));
    facts.passes.sweep_took = Some(TimeDelta::minutes(16));
    assert_eq!(lines(&facts), [""; 0]);
    facts.passes.sweep_took = Some(TimeDelta::minutes(15));
    assert_eq!(lines(&facts), ["poll: no complete poll for 31 min"]);
    // It does not hide a problem that was there before it.
    facts.passes.sweep_took = Some(TimeDelta::minutes(60));
    facts.passes.last_poll = Some(ago(50));
    assert_eq!(lines(&facts), ["poll: no complete poll for 50 min"]);
}

#[test]
fn an_archive_that_was_never_polled_in_full_says_so_and_that_its_service_is_stopped() {
    let mut facts = healthy();
    facts.passes.last_poll = None;
    facts.passes.last_sweep = None;
    facts.passes.first = Some(ago(10));
    assert_eq!(lines(&facts), [""; 0]);
    facts.passes.first = Some(ago(20));
    facts.stopped = true;
    assert_eq!(
        lines(&facts),
        [
            "poll: no complete poll since the first one began 20 min ago, and the service is not running"
        ]
    );
}

#[test]
fn failing_hosts_are_a_problem_after_an_hour_or_stuck_after() {
    let mut facts = healthy();
    facts.pauses = vec![pause(PauseKind::Host, 59), pause(PauseKind::Failures, 59)];
    assert_eq!(lines(&facts), [""; 0]);
    facts.stuck_after = Some(TimeDelta::minutes(59));
    assert_eq!(lines(&facts).len(), 2);
    facts.stuck_after = Some(TimeDelta::hours(24));
    facts.pauses = vec![pause(PauseKind::Host, 60)];
    assert_eq!(lines(&facts).len(), 1);
    facts.pauses = vec![pause(PauseKind::Disk, 0), pause(PauseKind::Api, 0)];
    assert_eq!(lines(&facts).len(), 2, "at once");
}

#[test]
fn metrics_that_cannot_be_served_are_a_problem_while_the_service_runs() {
    let mut facts = healthy();
    facts.telemetry = Some((ago(5), "could not listen on 127.0.0.1:9464".to_owned()));
    assert_eq!(
        lines(&facts),
        ["telemetry: no metrics for 5 min: could not listen on 127.0.0.1:9464"]
    );
    facts.stopped = true;
    assert_eq!(lines(&facts), [""; 0]);
}
