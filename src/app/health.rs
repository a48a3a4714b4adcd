//! Whether the archive makes progress: a pure function of facts that the database has. The service and `status`,
//! which is another process, come to the same answer.

mod copies;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::human;
use crate::model::{time, words};
use crate::schedule::Schedule;
use crate::store::{Facts, Passes, Pause, PauseKind, WebhookState};

/// Slots of `poll.schedule` that may pass without a complete poll.
const MISSED_POLLS: usize = 3;
/// For this long polls may fail, however many slots that is.
const SHORTEST_STANDSTILL: TimeDelta = TimeDelta::minutes(15);
/// For how long downloads may fail, should `poll.stuck_after` be longer. One that is stuck shows as such; this is
/// about all of them.
const LONGEST_FAILURE: TimeDelta = TimeDelta::hours(1);

words! {
    /// What can be wrong, the most urgent first.
    pub enum ProblemKind ("a kind of problem") {
        /// The database can't be used.
        Database = "database",
        /// SignalWire refuses the credentials.
        Credentials = "credentials",
        /// No poll is complete.
        Poll = "poll",
        /// The archive's disk is full or can't be written to.
        Disk = "disk",
        /// Downloads wait for the API.
        Api = "api",
        /// A media host fails.
        Host = "host",
        /// Downloads fail one after another.
        Downloads = "downloads",
        /// Recordings are not completed upstream, or not archived, or can't be listed, for too long.
        Stuck = "stuck",
        /// Recordings are lost, or damaged and gone upstream.
        Attention = "attention",
        /// A webhook accepts nothing.
        Webhooks = "webhooks",
        /// Metrics and health can't be served.
        Telemetry = "telemetry",
        /// Recordings are not copied to an object store.
        Copies = "copies",
    }
}

/// Something that keeps the archive from making progress, or that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// In a sentence, with its age.
    pub text: String,
    /// Since when.
    #[serde(serialize_with = "time::serialize")]
    pub since: DateTime<Utc>,
}

impl Problem {
    /// As a line of `/healthz`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.kind.as_str(), self.text)
    }
}

/// When the passes of the schedules begin next. Without a service they do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NextRuns {
    /// The next poll.
    pub poll: Option<String>,
    /// The next sweep.
    pub sweep: Option<String>,
    /// The next verification.
    pub verify: Option<String>,
}

/// When the passes begin next, by the schedules that the service follows and the archive that they are spread by.
#[must_use]
pub fn next_runs(facts: &Facts, spread_by: Option<&str>, now: DateTime<Utc>) -> NextRuns {
    if facts.stopped {
        return NextRuns::default();
    }
    let parsed = |schedule: &Option<String>| schedule.as_deref()?.parse::<Schedule>().ok();
    let next = |schedule: Schedule| schedule.next_after(now).map(time::to_text);
    let spread = |schedule: Schedule| match spread_by {
        Some(archive) => schedule.spread(archive),
        None => schedule,
    };
    let passes = &facts.passes;
    let poll = parsed(&passes.schedule).map(|schedule| schedule.later(passes.offset));
    let [sweep, verify] = [&passes.sweep_schedule, &passes.verify_schedule]
        .map(|schedule| parsed(schedule).map(spread).and_then(next));
    NextRuns {
        poll: poll.and_then(next),
        sweep,
        verify,
    }
}

/// What keeps the archive from making progress, or needs attention; nothing: it is healthy.
#[must_use]
pub fn health(facts: &Facts, now: DateTime<Utc>) -> Vec<Problem> {
    let mut found = Found {
        now,
        problems: Vec::new(),
    };
    if let Some((since, error)) = &facts.database {
        let text = format!("could not be used for {}: {error}", found.age(*since));
        found.add(ProblemKind::Database, *since, text);
    }
    found.credentials(&facts.passes);
    found.polls(facts);
    found.space(facts);
    let most = facts
        .stuck_after
        .unwrap_or(LONGEST_FAILURE)
        .min(LONGEST_FAILURE);
    for pause in &facts.pauses {
        found.pause(pause, most);
    }
    found.stuck(facts);
    found.gone(facts);
    for webhook in &facts.webhooks {
        found.webhook(webhook, most);
    }
    if let Some((since, error)) = facts.telemetry.as_ref().filter(|_| !facts.stopped) {
        let text = format!("no metrics for {}: {error}", found.age(*since));
        found.add(ProblemKind::Telemetry, *since, text);
    }
    for target in &facts.copies {
        for (since, text) in copies::problems(target, facts.stuck_after, most, now) {
            found.add(ProblemKind::Copies, since, text);
        }
    }
    found.problems.sort_by_key(|problem| problem.kind);
    found.problems
}

struct Found {
    now: DateTime<Utc>,
    problems: Vec<Problem>,
}

impl Found {
    fn add(&mut self, kind: ProblemKind, since: DateTime<Utc>, text: String) {
        self.problems.push(Problem { kind, text, since });
    }

    fn age(&self, since: DateTime<Utc>) -> String {
        human::duration((self.now - since).to_std().unwrap_or_default())
    }

    fn credentials(&mut self, passes: &Passes) {
        let Some(since) = passes.refused_since else {
            return;
        };
        let error = because(passes.error.as_ref());
        let text = format!("refused for {}{error}", self.age(since));
        self.add(ProblemKind::Credentials, since, text);
    }

    fn polls(&mut self, facts: &Facts) {
        let passes = &facts.passes;
        let Some(since) = passes.last_complete().or(passes.first) else {
            return;
        };
        if self.now < poll_due(passes, since) {
            return;
        }
        let age = self.age(since);
        let polls = match passes.last_complete() {
            Some(_) => format!("no complete poll for {age}"),
            None => format!("no complete poll since the first one began {age} ago"),
        };
        let stopped = if facts.stopped {
            ", and the service is not running"
        } else {
            ""
        };
        let text = format!("{polls}{stopped}{}", because(passes.error.as_ref()));
        self.add(ProblemKind::Poll, since, text);
    }

    fn space(&mut self, facts: &Facts) {
        let Some(since) = facts.no_space_since else {
            return;
        };
        let age = self.age(since);
        let text = match facts.no_space {
            1 => format!("1 recording has been waiting for space for {age}"),
            many => format!("{many} recordings have been waiting for space, the oldest for {age}"),
        };
        self.add(ProblemKind::Disk, since, text);
    }

    fn pause(&mut self, pause: &Pause, most: TimeDelta) {
        let Pause { error, since, .. } = pause;
        let (age, old) = (self.age(*since), self.now - *since >= most);
        let paused = format!("downloads have been paused for {age}: {error}");
        let (kind, text) = match (pause.kind, &pause.host) {
            (PauseKind::Disk, _) => (ProblemKind::Disk, paused),
            (PauseKind::Api, _) => (ProblemKind::Api, paused),
            (PauseKind::Host, Some(host)) if old => {
                let text = format!("the media host {host} has failed for {age}: {error}");
                (ProblemKind::Host, text)
            }
            (PauseKind::Failures, _) if old => {
                let text = format!("one download after another has failed for {age}: {error}");
                (ProblemKind::Downloads, text)
            }
            (PauseKind::Host | PauseKind::Failures, _) => return,
        };
        self.add(kind, *since, text);
    }

    fn webhook(&mut self, webhook: &WebhookState, most: TimeDelta) {
        let name = &webhook.name;
        if let Some(since) = webhook.disabled_at {
            let text = format!(
                "the webhook '{name}' has been disabled for {}, as it answered that it is gone for good: \
                 'room-archiver webhook enable {name}' sends again",
                self.age(since)
            );
            self.add(ProblemKind::Webhooks, since, text);
        } else if let Some(since) = webhook
            .failing_since
            .filter(|since| self.now - *since >= most)
        {
            let error = because(webhook.last_error.as_ref());
            let text = format!(
                "the webhook '{name}' has failed for {}{error}",
                self.age(since)
            );
            self.add(ProblemKind::Webhooks, since, text);
        }
    }

    fn stuck(&mut self, facts: &Facts) {
        let unarchived = &facts.unarchived;
        self.overdue(unarchived.stuck, unarchived.since, |count, age| {
            let what = match count {
                1 => format!("1 recording completed upstream has not been archived for {age}"),
                many => format!(
                    "{many} recordings completed upstream have not been archived, the oldest for {age}"
                ),
            };
            what + &because(unarchived.error.as_ref())
        });
        let unfinished = &facts.unfinished;
        self.overdue(unfinished.stuck, unfinished.since, |count, age| {
            let what = match count {
                1 => format!("1 recording has not been ready for {age}"),
                many => format!("{many} recordings have not been ready, the oldest for {age}"),
            };
            match unfinished.status.as_deref() {
                Some("completed") => {
                    format!("{what}: completed upstream, but its session is unknown")
                }
                Some(status) => format!("{what}: still {status} upstream"),
                None => format!("{what}: still without a status upstream"),
            }
        });
        let unlisted = &facts.unlisted;
        self.overdue(unlisted.stuck, unlisted.since, |count, age| {
            let what = match count {
                1 => format!("the recordings of 1 session could not be listed for {age}"),
                many => format!(
                    "the recordings of {many} sessions could not be listed, of the first for {age}"
                ),
            };
            what + &because(unlisted.error.as_ref())
        });
    }

    /// Adds what has waited for longer than `poll.stuck_after`, the oldest of it since `since`.
    fn overdue(
        &mut self,
        count: u64,
        since: Option<DateTime<Utc>>,
        text: impl FnOnce(u64, &str) -> String,
    ) {
        if let Some(since) = since.filter(|_| count > 0) {
            let text = text(count, &self.age(since));
            self.add(ProblemKind::Stuck, since, text);
        }
    }

    fn gone(&mut self, facts: &Facts) {
        let Some(since) = facts.gone_since else {
            return;
        };
        let age = self.age(since);
        let text = match (facts.lost, facts.unrepairable) {
            (1, 0) => format!(
                "1 recording needs attention: gone upstream {age} ago, before it was archived"
            ),
            (0, 1) => format!("1 recording needs attention: damaged, and gone upstream {age} ago"),
            (lost, damaged) => format!(
                "{} recordings need attention: {lost} gone upstream before they were archived, {damaged} damaged \
                 and gone upstream; the first {age} ago",
                lost + damaged
            ),
        };
        self.add(ProblemKind::Attention, since, text);
    }
}

/// From when on the lack of a complete poll after `since` is a problem.
fn poll_due(passes: &Passes, since: DateTime<Utc>) -> DateTime<Utc> {
    let schedule = passes.schedule.as_ref();
    let schedule = schedule.and_then(|text| text.parse::<Schedule>().ok());
    let schedule = schedule.map(|schedule| schedule.later(passes.offset));
    // Slots and not the time between two of them: a schedule may leave out nights.
    let slots = std::iter::successors(Some(since), |slot| schedule.as_ref()?.next_after(*slot));
    let missed = slots.take(MISSED_POLLS + 1).last().unwrap_or(since);
    let due = missed.max(since + SHORTEST_STANDSTILL);
    // No poll is complete while a sweep runs, and that of a large archive takes its time: as long as last time.
    match passes.sweep_began.zip(passes.sweep_took) {
        Some((began, took)) if began < due => due.max(began + took * 2),
        _ => due,
    }
}

fn because(error: Option<&String>) -> String {
    error.map_or_else(String::new, |error| format!(": {error}"))
}

#[cfg(test)]
mod tests;
