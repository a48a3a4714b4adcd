//! How webhooks are paced: what fails costs little, comes in its order, and holds up nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use room_archiver::app::webhooks::endpoints;
use room_archiver::clock::Clock;
use room_archiver::config::Environment;
use room_archiver::notify::{Endpoint, Notifier, Step};
use tokio_util::sync::CancellationToken;

use super::harness::{Archive, DAY, HOUR, MINUTE, Receiver, Sent, Setting};

/// An archive with webhooks, whose clock the test steps.
struct Told {
    setting: Setting,
    archive: Archive,
    notifier: Notifier,
    webhooks: Vec<Arc<Endpoint>>,
    clock: Clock,
}

impl Told {
    async fn new(receivers: &[(&str, &str)]) -> Self {
        let mut setting = Setting::with("");
        for (name, url) in receivers {
            setting.webhook(name, url, "");
        }
        let clock = Clock::manual("2026-11-20T08:00:00Z".parse().expect("a time"));
        let archive = setting.open(&clock).await;
        let none: Environment = std::iter::empty::<(String, String)>().collect();
        let webhooks = endpoints(&setting.config(), &none).expect("webhooks");
        Self {
            notifier: archive.app.notifier(),
            setting,
            archive,
            webhooks,
            clock,
        }
    }

    /// So many events of each of so many recordings, now.
    fn happen(&self, recordings: u32, events: u32) {
        let now = room_archiver::model::time::to_text(self.clock.now());
        self.setting.write_sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {recordings} * {events})
             INSERT INTO outbox (id, at, type, recording_id, data)
             SELECT 'evt_' || lower(hex(randomblob(16))), '{now}', 'recording.archived', 'r' || (i % {recordings}),
                 json_object('recording_id', 'r' || (i % {recordings}), 'nth', i / {recordings}) FROM n"
        ));
    }

    /// Sends what is due; returns when the next is.
    async fn send(&self, webhook: usize) -> Option<DateTime<Utc>> {
        loop {
            let until = CancellationToken::new();
            let step = self.notifier.step(&self.webhooks[webhook], &until).await;
            if let Step::Idle(next) = step.expect("a database") {
                return next;
            }
        }
    }

    /// Lets time pass, and each webhook send when something is due.
    async fn pass(&self, time: Duration) {
        let end = self.clock.now() + time;
        loop {
            let mut next = end;
            for webhook in 0..self.webhooks.len() {
                next = next.min(self.send(webhook).await.unwrap_or(end));
            }
            let wait = (next - self.clock.now()).to_std().unwrap_or_default();
            self.clock.advance(wait);
            if next >= end {
                return;
            }
        }
    }

    fn count(&self, state: &str) -> String {
        let of = format!("SELECT count(*) FROM deliveries WHERE state = '{state}'");
        self.setting.sql(&of)
    }

    async fn close(self) {
        drop(self.notifier);
        self.archive.close().await;
    }
}

/// How often each event came.
fn tries(sent: &[Sent]) -> BTreeMap<String, usize> {
    let mut tries = BTreeMap::new();
    for one in sent {
        *tries.entry(one.id().to_owned()).or_default() += 1;
    }
    tries
}

/// The events of each recording came in their order.
fn assert_in_order(sent: &[Sent]) {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for one in sent {
        let nth = one.event()["data"]["nth"].as_u64().expect("a number");
        let before = last.insert(one.recording(), nth).unwrap_or(0);
        assert!(nth >= before, "{one:?}");
    }
}

#[tokio::test]
async fn a_webhook_that_is_dead_for_a_day_costs_few_tries_and_delays_no_other() {
    let dead = Arc::new(AtomicBool::new(true));
    let answers = dead.clone();
    let receiver = Receiver::answering(move |_, _| {
        Some((
            if answers.load(Ordering::SeqCst) {
                503
            } else {
                200
            },
            "",
        ))
    });
    let other = Receiver::new();
    let told = Told::new(&[("dead", &receiver.url), ("other", &other.url)]).await;
    told.happen(1, 1);
    told.pass(HOUR).await;
    told.happen(100, 2);
    told.send(1).await;
    assert_eq!(other.sent().len(), 201, "the other waits");
    told.pass(23 * HOUR).await;
    let sent = receiver.sent();
    let most = tries(&sent).into_values().max();
    assert!(most <= Some(12), "{most:?} tries of an event");
    assert!(sent.len() <= 40, "{} requests", sent.len());
    assert_eq!(other.sent().len(), 201);

    dead.store(false, Ordering::SeqCst);
    told.pass(HOUR).await;
    assert_eq!(
        (told.count("delivered"), told.count("pending")),
        ("402".into(), "0".into())
    );
    assert_in_order(&receiver.sent()[sent.len()..]);
    assert_in_order(&other.sent());
    told.close().await;
}

#[tokio::test]
async fn an_event_alone_is_tried_for_three_days_and_then_given_up_visibly() {
    let receiver = Receiver::answering(|_, _| Some((500, "")));
    let told = Told::new(&[("ops", &receiver.url)]).await;
    told.happen(1, 1);
    told.pass(DAY).await;
    let in_a_day = receiver.sent().len();
    assert!((5..=12).contains(&in_a_day), "{in_a_day} tries in a day");
    told.pass(3 * DAY).await;
    assert!(receiver.sent().len() <= 20, "{}", receiver.sent().len());
    assert_eq!(told.count("failed"), "1");
    let backlog = told.archive.app.store.backlogs().await.expect("a database");
    assert_eq!((backlog[0].failed, backlog[0].pending), (1, 0));
    assert!(backlog[0].failing_since.is_some());
    told.close().await;
}

#[tokio::test]
async fn what_nobody_accepts_for_three_days_is_given_up_and_what_is_newer_is_not() {
    let receiver = Receiver::answering(|_, _| Some((503, "")));
    let told = Told::new(&[("ops", &receiver.url)]).await;
    told.happen(50, 1);
    told.pass(2 * DAY).await;
    told.happen(50, 1);
    told.pass(DAY + 3 * HOUR).await;
    assert_eq!(
        (told.count("failed"), told.count("pending")),
        ("50".into(), "50".into())
    );
    told.close().await;
}

#[tokio::test]
async fn an_event_that_is_refused_holds_up_its_own_recording_alone() {
    let receiver =
        Receiver::answering(|sent, _| Some((if sent.recording() == "r3" { 400 } else { 200 }, "")));
    let told = Told::new(&[("ops", &receiver.url)]).await;
    told.happen(10, 2);
    told.pass(MINUTE).await;
    assert_eq!(
        (told.count("delivered"), told.count("pending")),
        ("18".into(), "2".into())
    );
    let sent = receiver.sent();
    let refused: Vec<_> = sent.iter().filter(|one| one.recording() == "r3").collect();
    assert!(refused.iter().all(|one| one.event()["data"]["nth"] == 0));
    assert!(refused.len() <= 2, "{}", refused.len());
    assert_in_order(&sent);
    told.close().await;
}

#[tokio::test]
async fn retry_after_is_obeyed_in_seconds_and_as_a_date() {
    for (line, wait) in [
        ("retry-after: 7200\r\n", 2 * HOUR),
        ("retry-after: Fri, 20 Nov 2026 11:00:00 GMT\r\n", 3 * HOUR),
    ] {
        let receiver =
            Receiver::answering(move |_, nth| Some(if nth == 0 { (429, line) } else { (200, "") }));
        let told = Told::new(&[("ops", &receiver.url)]).await;
        told.happen(3, 1);
        told.pass(wait.saturating_sub(MINUTE)).await;
        assert_eq!(receiver.sent().len(), 1, "{line}");
        told.pass(2 * MINUTE).await;
        assert_eq!(told.count("delivered"), "3", "{line}");
        told.close().await;
    }
}

#[tokio::test]
async fn a_pace_outlives_a_restart_and_a_clock_that_goes_back_ends_it() {
    let receiver = Receiver::answering(|_, nth| {
        Some(if nth == 0 {
            (503, "retry-after: 7200\r\n")
        } else {
            (200, "")
        })
    });
    let mut setting = Setting::with("");
    setting.webhook("ops", &receiver.url, "");
    setting.space.archivable("lesson");
    setting.once(0);
    setting.once(0);
    assert_eq!(receiver.sent().len(), 1);
    setting.write_sql("UPDATE webhook SET next_at = '2099-01-01T00:00:00.000Z'; UPDATE delivery SET next_attempt_at = '2099-01-01T00:00:00.000Z'");
    setting.once(0);
    assert_eq!(receiver.sent().len(), 2);
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_given_fifteen_seconds() {
    let receiver = Receiver::answering(|_, _| None);
    let told = Told::new(&[("ops", &receiver.url)]).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let answer = told.webhooks[0].test(told.clock.now()).await;
    assert_eq!(answer.error.as_deref(), Some("no answer within 15 s"));
    let took = began.elapsed().as_secs();
    tokio::time::resume();
    assert!((15..=16).contains(&took), "{took}");
    told.close().await;
}
