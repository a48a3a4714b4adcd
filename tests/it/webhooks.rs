//! Webhooks: which events each of them receives.

mod addresses;
mod commands;
mod libraries;
mod secrets;

use fake_space::{Action, Fixture, Media, NewRecording, NewSession, Rule};
use serde_json::json;

use super::harness::bucket::Bucket;
use super::harness::{EVERY_SECOND, Receiver, Sent, Setting};

const OTHER: &str = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=";

#[test]
fn a_recording_is_told_of_from_its_archiving_to_its_repair() {
    let receiver = Receiver::new();
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    let recording = setting.add(NewRecording {
        duration: Some(60),
        ..NewRecording::completed(Media::fixture(Fixture::ThreeSeconds))
    });
    setting.once(0);
    std::fs::remove_file(&setting.files()[0]).expect("a file");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    setting.once(0);
    let expected = [
        "recording.archived",
        "recording.concern",
        "recording.damaged",
        "recording.repaired",
        "recording.concern",
    ];
    assert_eq!(receiver.kinds(), expected);
    for sent in receiver.sent() {
        assert_eq!(sent.recording(), recording.to_string());
        assert!(!sent.body.contains("://"), "a link: {}", sent.body);
        let event = sent.event();
        let data = &event["data"];
        assert_eq!(data["room_name"], "lesson");
        assert_eq!(data["sha256"].as_str().map(str::len), Some(64));
        let (state, damage) = match sent.kind().as_str() {
            "recording.damaged" => ("damaged", json!("missing")),
            _ => ("archived", json!(null)),
        };
        assert_eq!((&data["state"], &data["damage"]), (&json!(state), &damage));
        assert_eq!(data["concerns"][0]["concern"], "duration");
    }
    let ids: std::collections::BTreeSet<_> = receiver
        .sent()
        .iter()
        .map(|sent| sent.id().to_owned())
        .collect();
    assert_eq!(ids.len(), expected.len());
}

#[test]
fn each_copy_in_an_object_store_is_reported_with_its_name() {
    let receiver = Receiver::new();
    let buckets = ["first", "second"].map(|name| (name, Bucket::start()));
    let sections = buckets
        .each_ref()
        .map(|(name, bucket)| bucket.section(name));
    let mut setting = Setting::with(&sections.concat());
    setting.webhook("ops", &receiver.url, "events = [\"recording.copied\"]");
    let (_, recording) = setting.space.archivable("lesson");
    let once = || setting.command().envs(Bucket::keys()).arg("once").output();
    for _ in 0..2 {
        assert_eq!(once().expect("the program").status.code(), Some(0));
    }
    let mut targets: Vec<_> = receiver
        .sent()
        .iter()
        .map(|sent| {
            assert_eq!(sent.recording(), recording.to_string());
            assert!(!sent.body.contains("://"), "a link: {}", sent.body);
            sent.event()["data"]["target"].clone()
        })
        .collect();
    targets.sort_by_key(ToString::to_string);
    assert_eq!(targets, ["first", "second"]);
}

#[test]
fn what_is_stuck_or_lost_is_told_once_and_so_is_the_health_of_the_archive() {
    let receiver = Receiver::new();
    let mut setting = Setting::with(
        "[poll]\nschedule = \"* * * * * *\"\nstuck_after = \"1m\"\n[download]\nretry_initial = \"10m\"\n",
    );
    setting.webhook(
        "ops",
        &receiver.url,
        "events = [\"*.stuck\", \"*.lost\", \"archive.*\"]",
    );
    let (_, stuck) = setting.space.archivable("lesson");
    let (_, lost) = setting.space.archivable("hearing");
    setting.space.inject(Rule::media(Action::error(500)));
    setting.run(&["once"]);
    setting.space.delete_recording(lost);
    setting.due();
    setting.run(&["once"]);
    setting.write_sql(&format!(
        "UPDATE recording SET pending_since = '2026-01-02T00:00:00.000Z' WHERE id = '{stuck}'"
    ));
    let mut daemon = setting.daemon();
    let told = |kind: &str| receiver.kinds().iter().filter(|one| *one == kind).count();
    setting.wait(|_| told("recording.stuck") == 1 && told("archive.unhealthy") >= 1);
    let unhealthy = receiver.sent();
    let unhealthy = unhealthy
        .iter()
        .find(|sent| sent.kind() == "archive.unhealthy");
    let problems = unhealthy.expect("it").event();
    assert_eq!(problems["data"]["problems"][0]["kind"], "stuck");
    daemon.stop();
    let mut daemon = setting.daemon();
    daemon.line("poll complete");
    daemon.line("poll complete");
    daemon.stop();
    assert_eq!((told("recording.stuck"), told("archive.unhealthy")), (1, 1));
    let of_lost: Vec<_> = receiver
        .sent()
        .iter()
        .filter(|sent| sent.recording() == lost.to_string())
        .map(Sent::kind)
        .collect();
    assert_eq!(of_lost, ["recording.lost"]);
}

#[test]
fn a_webhook_gets_only_the_rooms_types_and_names_that_it_is_to_get() {
    let receivers: Vec<_> = (0..3).map(|_| Receiver::new()).collect();
    let mut setting = Setting::with("");
    setting.webhook("rooms", &receivers[0].url, "rooms = [\"les*\"]");
    setting.webhook("types", &receivers[1].url, "events = [\"recording.lost\"]");
    setting.webhook("discreet", &receivers[2].url, "room_names = false");
    let (_, lesson) = setting.space.archivable("lesson");
    setting.space.archivable("hearing");
    setting.once(0);
    let recordings: Vec<_> = receivers[0].sent().iter().map(Sent::recording).collect();
    assert_eq!(recordings, [lesson.to_string()]);
    assert!(receivers[1].sent().is_empty());
    assert_eq!(receivers[2].sent().len(), 2);
    for sent in receivers[2].sent() {
        assert!(
            !sent.body.contains("lesson") && !sent.body.contains("hearing"),
            "{}",
            sent.body
        );
    }
    assert_eq!(setting.count("deliveries"), "3");
}

#[test]
fn without_a_webhook_nothing_is_written_down_for_one() {
    let setting = Setting::with("");
    setting.space.archivable("lesson");
    setting.once(0);
    let rows = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM delivery) + (SELECT count(*) FROM webhook)
        + (SELECT count(*) FROM stuck_reported)";
    assert_eq!(setting.sql(rows), "0");
}

#[test]
fn a_webhook_can_be_added_while_the_service_runs() {
    let receiver = Receiver::new();
    let mut setting = Setting::with(EVERY_SECOND);
    setting.space.archivable("lesson");
    let mut daemon = setting.daemon();
    daemon.line("started");
    setting.wait(|setting| setting.count("archive") == "1");
    setting.webhook("ops", &receiver.url, "");
    setting.config_file();
    daemon.signal(rustix::process::Signal::HUP);
    daemon.line("the configuration was reloaded");
    let session = setting.space.add_session(NewSession::completed("hearing"));
    let second = setting
        .space
        .add_recording(session, NewRecording::default());
    setting.wait(|_| !receiver.sent().is_empty());
    daemon.stop();
    let told: Vec<_> = receiver.sent().iter().map(Sent::recording).collect();
    assert_eq!(told, [second.to_string()]);
}
