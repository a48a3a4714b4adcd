//! The loop that sends: one for each webhook.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::{try_join, try_join_all};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::body::body;
use super::endpoint::{Answer, Endpoint};
use super::pace;
use crate::clock::Clock;
use crate::store::{self, Attempted, Delivery, Error, Store, WebhookState};

/// How often a webhook without anything to do looks whether the database was written to.
const LOOK: Duration = Duration::from_millis(500);
/// How often it reads the database though nothing was written.
const IDLE: TimeDelta = TimeDelta::seconds(30);
/// Times of files are coarse: what was written so shortly before a read may have come after it.
const COARSE: TimeDelta = TimeDelta::seconds(1);
/// After a failure of the database that may pass.
const AGAIN: Duration = Duration::from_secs(5);
/// For how long a request under way is waited for when the process stops. It is repeated with the next start.
const LAST_ANSWER: Duration = Duration::from_secs(5);
/// How often recordings are looked for that came to be stuck.
const TEND: Duration = Duration::from_mins(1);
/// How often old deliveries are removed, in turns of [`TEND`].
const PRUNE: u32 = 10;

/// Sends events to webhooks.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub struct Notifier {
    pub store: Store,
    pub clock: Clock,
    pub stop: CancellationToken,
}

/// What a webhook did when it was its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It may have more to do.
    Busy,
    /// Nothing is due before then, or before something happens.
    Idle(Option<DateTime<Utc>>),
}

impl Notifier {
    /// Sends to the webhooks that are configured at the time, until the stop. With none, it does nothing.
    ///
    /// # Errors
    /// A failure of the database that does not pass.
    pub async fn run(self, mut webhooks: watch::Receiver<Vec<Arc<Endpoint>>>) -> store::Result<()> {
        while !self.stop.is_cancelled() {
            let current = webhooks.borrow_and_update().clone();
            let until = self.stop.child_token();
            let work = self.work(&current, &until);
            tokio::pin!(work);
            let changed = async {
                // An error: nobody is left to change them.
                if webhooks.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                ended = &mut work => ended?,
                () = changed => {
                    until.cancel();
                    work.await?;
                }
            }
        }
        Ok(())
    }

    async fn work(
        &self,
        webhooks: &[Arc<Endpoint>],
        until: &CancellationToken,
    ) -> store::Result<()> {
        if webhooks.is_empty() {
            until.cancelled().await;
            return Ok(());
        }
        let sending = webhooks.iter().map(|webhook| self.send_to(webhook, until));
        try_join(try_join_all(sending), self.tend(until)).await?;
        Ok(())
    }

    /// Sends what is due now, and nothing that has to be waited for.
    ///
    /// # Errors
    /// The database's.
    pub async fn drain(&self, webhooks: &[Arc<Endpoint>], most: Duration) -> store::Result<()> {
        self.store.report_stuck(self.clock.now()).await?;
        let until = self.stop.child_token();
        let sending = webhooks.iter().map(async |webhook| {
            while !until.is_cancelled() && self.step(webhook, &until).await? == Step::Busy {}
            Ok::<_, Error>(())
        });
        let sending = try_join_all(sending);
        tokio::pin!(sending);
        tokio::select! {
            sent = &mut sending => drop(sent?),
            () = tokio::time::sleep(most) => {
                until.cancel();
                sending.await?;
            }
        }
        self.store.prune_outbox(self.clock.now()).await?;
        Ok(())
    }

    async fn send_to(&self, webhook: &Endpoint, until: &CancellationToken) -> store::Result<()> {
        while !until.is_cancelled() {
            let began = self.clock.now();
            match self.step(webhook, until).await {
                Ok(Step::Busy) => {}
                Ok(Step::Idle(next)) => {
                    until
                        .run_until_cancelled(self.news(began, next))
                        .await
                        .unwrap_or_default();
                }
                Err(error) => self.rest(error, until).await?,
            }
        }
        Ok(())
    }

    /// Waits until something is due, or may have happened since `began`.
    async fn news(&self, began: DateTime<Utc>, next: Option<DateTime<Utc>>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.clock.now();
            let written = self.store.written_at();
            let changed = written.is_none_or(|written| written + COARSE >= began);
            // A clock that was set back would make a wait of days of one of seconds.
            let due = next.is_some_and(|next| next <= now) || now < began;
            if changed || due || now - began > IDLE {
                return;
            }
        }
    }

    /// After a failure of the database: waits until it is worth trying again.
    async fn rest(&self, error: Error, until: &CancellationToken) -> store::Result<()> {
        if !error.may_pass() {
            return Err(error);
        }
        self.store.trouble().note(&error, self.clock.now());
        let wait = tokio::time::sleep(AGAIN);
        until.run_until_cancelled(wait).await.unwrap_or_default();
        Ok(())
    }

    /// Takes what happened, and sends one event if one is due.
    ///
    /// # Errors
    /// The database's.
    pub async fn step(&self, webhook: &Endpoint, until: &CancellationToken) -> store::Result<Step> {
        let name = webhook.name();
        let routed = self.store.route(name, |event| webhook.wants(event)).await?;
        let idle = |next| match routed {
            0 => Step::Idle(next),
            _ => Step::Busy,
        };
        let now = self.clock.now();
        let Some(state) = self.store.webhook(name).await? else {
            return Ok(Step::Idle(None));
        };
        if state.disabled_at.is_some() {
            return Ok(idle(None));
        }
        if let Some(next) = state.next_at.filter(|next| *next > now) {
            return Ok(idle(Some(next)));
        }
        let Some(delivery) = self.store.next_delivery(name, now).await? else {
            let next = self.store.next_delivery_at(name, now).await?;
            return Ok(idle(next));
        };
        let room_names = webhook.options.room_names;
        let body = body(&delivery.kind, &delivery.at, &delivery.data, room_names)
            .map_err(|_| Error::Content("event"))?;
        let request = webhook.send(&delivery.id, body, now);
        let given_up = async {
            until.cancelled().await;
            tokio::time::sleep(LAST_ANSWER).await;
        };
        tokio::select! {
            answer = request => self.note(&state, &delivery, &answer).await?,
            () = given_up => {}
        }
        Ok(Step::Busy)
    }

    async fn note(
        &self,
        webhook: &WebhookState,
        delivery: &Delivery,
        answer: &Answer,
    ) -> store::Result<()> {
        let (now, name) = (self.clock.now(), webhook.name.as_str());
        let attempted = match (&answer.error, answer.status) {
            (None, Some(status)) => Attempted::Accepted(status),
            _ => Attempted::Failed(pace::after(answer, delivery, webhook, now)),
        };
        self.store
            .attempted(name, delivery, &attempted, now)
            .await?;
        match &attempted {
            Attempted::Accepted(_) if webhook.failures > 0 => {
                tracing::info!(webhook = name, "the webhook accepts events again");
            }
            Attempted::Accepted(_) => {}
            Attempted::Failed(failed) if failed.gone => tracing::error!(
                webhook = name,
                "the webhook is disabled: {}; 'room-archiver webhook enable {name}' sends again",
                failed.error
            ),
            Attempted::Failed(failed) if failed.again_at.is_none() => tracing::error!(
                webhook = name,
                event = delivery.id,
                "an event was given up after {} attempts: {}; 'room-archiver webhook replay {name}' sends it again",
                delivery.attempts + 1,
                failed.error
            ),
            Attempted::Failed(failed) if webhook.failures == 0 => {
                tracing::warn!(webhook = name, "the webhook failed: {}", failed.error);
            }
            Attempted::Failed(failed) => {
                tracing::debug!(webhook = name, "the webhook failed again: {}", failed.error);
            }
        }
        Ok(())
    }

    /// Reports what came to be stuck, and removes old deliveries.
    async fn tend(&self, until: &CancellationToken) -> store::Result<()> {
        for turn in (0..PRUNE).cycle() {
            let now = self.clock.now();
            let tended = async {
                self.store.report_stuck(now).await?;
                if turn == 0 {
                    let dropped = self.store.prune_outbox(now).await?;
                    if dropped > 0 {
                        tracing::error!(
                            dropped,
                            "the oldest events were dropped: a webhook has more of them before it than are kept"
                        );
                    }
                }
                Ok(())
            };
            if let Err(error) = tended.await {
                self.rest(error, until).await?;
            }
            let wait = tokio::time::sleep(TEND);
            if until.run_until_cancelled(wait).await.is_none() {
                break;
            }
        }
        Ok(())
    }
}
