//! What is kept is bounded, and what is dropped is counted.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::EventType;
use crate::store::{Access, Attempted, Backlog, Replay, Store, WebhookRow};

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn row(name: &str) -> WebhookRow {
    WebhookRow {
        name: name.to_owned(),
        events: vec![EventType::ArchiveUnhealthy.as_str()],
        url_sha256: "0".repeat(64),
    }
}

/// A database with two webhooks.
async fn store(directory: &tempfile::TempDir) -> Store {
    let path = directory.path().join("archive.db");
    let store = Store::open(&path, Access::Write).await.unwrap();
    let rows = [row("slow"), row("fast")];
    store.set_webhooks(&rows, start()).await.unwrap();
    store
}

async fn happen(store: &Store, count: u32, now: DateTime<Utc>) {
    for _ in 0..count {
        let kind = EventType::ArchiveUnhealthy;
        store.report_health(kind, "{}", "", now).await.unwrap();
    }
}

async fn deliver(store: &Store, webhook: &str, now: DateTime<Utc>) -> u32 {
    let mut delivered = 0;
    store.route(webhook, |_| true).await.unwrap();
    while let Some(next) = store.next_delivery(webhook, now).await.unwrap() {
        let accepted = Attempted::Accepted(200);
        store
            .attempted(webhook, &next, &accepted, now)
            .await
            .unwrap();
        delivered += 1;
    }
    delivered
}

async fn backlog(store: &Store, webhook: &str) -> Backlog {
    let backlogs = store.backlogs().await.unwrap();
    backlogs
        .into_iter()
        .find(|one| one.name == webhook)
        .unwrap()
}

#[tokio::test]
async fn a_backlog_is_cut_at_its_oldest_end_and_what_is_dropped_is_counted() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    happen(&store, 20, start()).await;
    store.route("slow", |_| true).await.unwrap();
    assert_eq!(deliver(&store, "fast", start()).await, 20);
    happen(&store, 10, start()).await;
    assert_eq!(store.drop_excess(30).await.unwrap(), 0);
    assert_eq!(store.drop_excess(5).await.unwrap(), 25);
    // It has the first twenty already, and was to get five of those dropped.
    assert_eq!(backlog(&store, "fast").await.dropped, 5);
    let slow = backlog(&store, "slow").await;
    assert_eq!((slow.dropped, slow.pending), (25, 0));
    for webhook in ["slow", "fast"] {
        assert_eq!(deliver(&store, webhook, start()).await, 5, "{webhook}");
    }
    store.close().await;
}

#[tokio::test]
async fn what_everybody_got_is_dropped_before_what_somebody_waits_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    happen(&store, 2, start()).await;
    store.route("slow", |_| true).await.unwrap();
    deliver(&store, "fast", start()).await;
    happen(&store, 3, start()).await;
    // The webhook that is slow wants none of the newer ones.
    store.route("slow", |_| false).await.unwrap();
    deliver(&store, "fast", start()).await;
    assert_eq!(store.drop_excess(2).await.unwrap(), 0);
    assert_eq!(backlog(&store, "slow").await.pending, 2);
    store.close().await;
}

#[tokio::test]
async fn deliveries_are_forgotten_after_a_week_and_can_be_repeated_until_then() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    happen(&store, 3, start()).await;
    for webhook in ["slow", "fast"] {
        assert_eq!(deliver(&store, webhook, start()).await, 3);
    }
    let week = TimeDelta::days(7);
    store.prune_outbox(start() + week).await.unwrap();
    let all = Replay::Since(start());
    assert_eq!(store.replay("fast", &all).await.unwrap(), Some(3));
    assert_eq!(
        store.replay("fast", &Replay::Failed).await.unwrap(),
        Some(0)
    );
    assert_eq!(store.replay("none", &all).await.unwrap(), None);
    let later = start() + week + TimeDelta::seconds(1);
    store.prune_outbox(later).await.unwrap();
    // What is to be repeated stays.
    assert_eq!(deliver(&store, "fast", later).await, 3);
    store.prune_outbox(later + week * 2).await.unwrap();
    assert_eq!(store.replay("fast", &all).await.unwrap(), Some(0));
    store.close().await;
}

#[tokio::test]
async fn webhooks_that_are_not_configured_any_more_leave_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(&directory).await;
    happen(&store, 3, start()).await;
    store.route("slow", |_| true).await.unwrap();
    store.set_webhooks(&[row("fast")], start()).await.unwrap();
    assert_eq!(deliver(&store, "fast", start()).await, 3);
    store.set_webhooks(&[], start()).await.unwrap();
    assert!(store.webhooks().await.unwrap().is_empty());
    happen(&store, 3, start()).await;
    store.set_webhooks(&[row("new")], start()).await.unwrap();
    assert_eq!(deliver(&store, "new", start()).await, 0);
    store.close().await;
}
