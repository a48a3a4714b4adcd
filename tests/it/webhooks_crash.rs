//! Webhooks of a service that is killed again and again: every change is told, in its order, and hardly any twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use fake_space::{Fixture, Media, NewRecording, NewSession};

use super::harness::{EVERY_SECOND, Receiver, Setting};

/// Each is archived, damaged and repaired: 1,002 changes.
const RECORDINGS: usize = 334;
const KINDS: [&str; 3] = [
    "recording.archived",
    "recording.damaged",
    "recording.repaired",
];
/// Requests between two kills: no multiple of anything.
const BETWEEN: usize = 67;

#[test]
fn every_change_is_told_in_order_though_the_service_is_killed_again_and_again() {
    let (tell, requests) = mpsc::channel();
    let receiver = Receiver::answering(move |sent, nth| {
        _ = tell.send((nth + 1, sent.recording(), sent.kind()));
        Some((204, ""))
    });
    let mut setting = Setting::with(EVERY_SECOND);
    // Nobody reads the log: a full pipe would stop the service.
    setting.more += "[download]\nconcurrency = 16\n[log]\nlevel = \"error\"\n";
    setting.webhook("ops", &receiver.url, "events = [\"recording.*\"]");
    let session = setting.space.add_session(NewSession::completed("lesson"));
    for _ in 0..RECORDINGS {
        let media = Media::fixture(Fixture::OneSecondFastStart);
        setting
            .space
            .add_recording(session, NewRecording::completed(media));
    }
    let mut kills = 0;
    let mut daemon = setting.daemon();
    let mut told = BTreeSet::new();
    for (stage, expected) in [(0, RECORDINGS), (1, 3 * RECORDINGS)] {
        if stage == 1 {
            // A kill, too: the next start compares all files with all rows.
            daemon.kill();
            kills += 1;
            for file in setting.files() {
                std::fs::remove_file(file).expect("a file");
            }
            daemon = setting.daemon();
        }
        while told.len() < expected {
            // While this request, or one soon after it, is under way.
            let request = requests.recv_timeout(std::time::Duration::from_mins(1));
            let (nth, recording, kind) = request.expect("a request");
            told.insert((recording, kind));
            if nth % BETWEEN == 0 {
                daemon.kill();
                kills += 1;
                daemon = setting.daemon();
            }
        }
    }
    let pending = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'";
    setting.wait(|setting| setting.sql(pending) == "0");
    daemon.stop();

    let sent = receiver.sent();
    let ids: BTreeSet<_> = sent.iter().map(|one| one.id().to_owned()).collect();
    let twice = sent.len() - ids.len();
    println!("{} events, {kills} kills, {twice} came twice", ids.len());
    assert_eq!(ids.len(), 3 * RECORDINGS);
    assert!(twice <= kills, "{twice} twice, {kills} kills");
    assert!(kills >= 14, "only {kills} kills");
    let mut orders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for one in &sent {
        let kind = KINDS.iter().position(|kind| **kind == one.kind());
        let order = orders.entry(one.recording()).or_default();
        order.push(kind.unwrap_or_else(|| panic!("{}", one.kind())));
    }
    assert_eq!(orders.len(), RECORDINGS);
    for (recording, mut order) in orders {
        assert!(order.is_sorted(), "{recording}: {order:?}");
        order.dedup();
        assert_eq!(order, [0, 1, 2], "{recording}");
    }
}
