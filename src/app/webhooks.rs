//! The configured webhooks, for the store and for what sends.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::health::Problem;
use super::tls::{authorities, tls};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::model::EventType;
use crate::notify::{Endpoint, Options};
use crate::store::{self, Store, WebhookRow};

/// How long the archive must be healthy before the event is sent: a start forgets pauses that begin again at once.
const STEADY: Duration = Duration::from_secs(10);

/// The webhooks as the store knows them.
pub(super) fn rows(config: &Config) -> Vec<WebhookRow> {
    let rows = config.webhooks.iter().map(|(name, webhook)| WebhookRow {
        name: name.clone(),
        events: webhook
            .event_types()
            .into_iter()
            .map(EventType::as_str)
            .collect(),
        url_sha256: hex(&Sha256::digest(webhook.url.expose())),
    });
    rows.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

/// The webhooks with their secrets.
///
/// # Errors
/// A secret that is not there or can't be used, certificates that can't be used.
pub fn endpoints(config: &Config, env: &Environment) -> Result<Vec<Arc<Endpoint>>> {
    let names = config.webhooks.keys();
    names.map(|name| endpoint(config, name, env)).collect()
}

/// One webhook with its secrets.
///
/// # Errors
/// It is not configured; else as [`endpoints`].
pub fn endpoint(config: &Config, name: &str, env: &Environment) -> Result<Arc<Endpoint>> {
    let webhook = config
        .webhooks
        .get(name)
        .with_context(|| format!("there is no section [webhooks.{name}] in the configuration"))?;
    let found = config.webhook_secrets(name, env)?;
    if found.world_readable {
        tracing::warn!(
            webhook = name,
            "the file of the webhook's secret can be read by every user of this machine: chmod 0600 it"
        );
    }
    let url = webhook
        .url()
        .map_err(|text| anyhow::anyhow!("webhooks.{name}.url: {text}"))?;
    tls();
    let endpoint = Endpoint::new(Options {
        name: name.to_owned(),
        url,
        secrets: found.secrets,
        events: webhook.event_types(),
        rooms: webhook.rooms.set().clone(),
        allow_private_addresses: webhook.allow_private_addresses,
        room_names: webhook.room_names,
        ca: authorities(config)?,
    });
    Ok(Arc::new(endpoint.context(
        "could not set up TLS (are the certificates of the system there? Debian: apt-get install ca-certificates)",
    )?))
}

/// Reports to webhooks when the archive becomes unhealthy, when another kind of problem joins, and when all are over.
#[derive(Debug, Default)]
pub(super) struct HealthEvents {
    /// The kinds of problems that were reported since the archive was last healthy; `None`: not known yet.
    reported: Option<BTreeSet<String>>,
    /// Since when nothing is wrong.
    healthy: Option<Duration>,
}

impl HealthEvents {
    /// Compares what was reported with what is wrong now.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn report(
        &mut self,
        store: &Store,
        problems: &[Problem],
        clock: &Clock,
    ) -> store::Result<()> {
        let now: BTreeSet<String> = problems
            .iter()
            .map(|problem| problem.kind.as_str().to_owned())
            .collect();
        let reported = match self.reported.take() {
            Some(reported) => reported,
            None => read(store).await?,
        };
        let next = if now.is_empty() {
            let since = *self.healthy.get_or_insert_with(|| clock.monotonic());
            let steady = clock.monotonic().saturating_sub(since) >= STEADY;
            (steady && !reported.is_empty()).then_some((EventType::ArchiveRecovered, now))
        } else {
            self.healthy = None;
            let more = !now.is_subset(&reported);
            more.then(|| (EventType::ArchiveUnhealthy, &reported | &now))
        };
        let reported = match next {
            None => reported,
            Some((kind, next)) => {
                let words: Vec<&str> = next.iter().map(String::as_str).collect();
                let data = json!({ "problems": problems }).to_string();
                store
                    .report_health(kind, &data, &words.join(","), clock.now())
                    .await?;
                next
            }
        };
        self.reported = Some(reported);
        Ok(())
    }
}

async fn read(store: &Store) -> store::Result<BTreeSet<String>> {
    let reported = store.health_reported().await?;
    let words = reported.split(',').filter(|word| !word.is_empty());
    Ok(words.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::app::health::ProblemKind;
    use crate::store::Access;

    fn problem(kind: ProblemKind, since: DateTime<Utc>) -> Problem {
        let text = "it is wrong".to_owned();
        Problem { kind, text, since }
    }

    #[tokio::test]
    async fn health_is_told_when_it_changes_and_not_again_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("archive.db");
        let store = Store::open(&path, Access::Write).await.unwrap();
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let clock = Clock::manual(start);
        let row = WebhookRow {
            name: "ops".to_owned(),
            events: EventType::ALL.map(EventType::as_str).to_vec(),
            url_sha256: "0".repeat(64),
        };
        store.set_webhooks(&[row], start).await.unwrap();
        let [disk, stuck] =
            [ProblemKind::Disk, ProblemKind::Stuck].map(|kind| problem(kind, start));
        let mut events = HealthEvents::default();
        for (seconds, problems, restart) in [
            (0, vec![], false),
            (60, vec![], false),
            (0, vec![disk.clone()], false),
            (0, vec![disk.clone()], true),
            (0, vec![stuck.clone(), disk.clone()], false),
            (0, vec![disk.clone()], false),
            (0, vec![], true),
            (9, vec![], false),
            (0, vec![disk.clone()], false),
            (0, vec![], false),
            (10, vec![], false),
            (60, vec![], true),
            (0, vec![stuck], false),
        ] {
            if restart {
                events = HealthEvents::default();
            }
            clock.advance(Duration::from_secs(seconds));
            events.report(&store, &problems, &clock).await.unwrap();
        }
        store.route("ops", |_| true).await.unwrap();
        let mut reported = Vec::new();
        while let Some(next) = store.next_delivery("ops", clock.now()).await.unwrap() {
            let count = next.data.matches("it is wrong").count();
            reported.push((next.kind.clone(), count));
            let accepted = crate::store::Attempted::Accepted(200);
            store
                .attempted("ops", &next, &accepted, clock.now())
                .await
                .unwrap();
        }
        let expected = [
            ("archive.unhealthy", 1),
            ("archive.unhealthy", 2),
            ("archive.recovered", 0),
            ("archive.unhealthy", 1),
        ];
        assert_eq!(
            reported,
            expected.map(|(kind, count)| (kind.to_owned(), count))
        );
        store.close().await;
    }
}
