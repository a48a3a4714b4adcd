//! A space, its archive in this process, and the clock of both.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use fake_space::{NewRecording, NewSession, Options, Space};
use room_archiver::app::health::{Problem, health};
use room_archiver::clock::Clock;
use uuid::Uuid;

use super::{Archive, Setting};

pub struct Stage {
    pub setting: Setting,
    pub clock: Clock,
    pub archive: Archive,
}

impl Stage {
    pub async fn new(options: Options, more: &str) -> Self {
        let mut setting = Setting::new(options);
        more.clone_into(&mut setting.more);
        Self::open(setting).await
    }

    pub async fn open(setting: Setting) -> Self {
        let clock = Clock::manual(setting.space.now());
        let archive = setting.open(&clock).await;
        Self {
            setting,
            clock,
            archive,
        }
    }

    pub fn space(&self) -> &Space {
        &self.setting.space
    }

    pub fn pass_time(&self, time: Duration) {
        self.space().advance(time);
        self.clock.advance(time);
    }

    /// The ids of all recordings in the database.
    pub fn known(&self) -> BTreeSet<String> {
        let ids = self.setting.sql("SELECT id FROM recording");
        ids.lines().map(str::to_owned).collect()
    }

    pub fn state(&self, recording: Uuid) -> String {
        self.setting.sql(&format!(
            "SELECT state FROM recording WHERE id = '{recording}'"
        ))
    }

    /// Polls, and returns how many requests that took.
    pub async fn poll_requests(&self) -> u64 {
        self.space().clear_journal();
        let report = self.archive.poll().await;
        assert_eq!(report.error, None);
        let requests = self.space().counters().api_requests;
        assert_eq!(report.counts.requests, requests);
        requests
    }

    /// A session that ended so long ago and lasted an hour.
    pub fn ended(&self, ago: Duration) -> Uuid {
        let end = self.space().now() - TimeDelta::from_std(ago).expect("a time");
        self.space()
            .add_session(NewSession::completed("lesson").at(end - TimeDelta::hours(1), Some(end)))
    }

    pub fn recording(&self, session: Uuid, status: &str) -> Uuid {
        self.space()
            .add_recording(session, NewRecording::default().status(status))
    }

    /// What keeps the archive from being healthy, a line for each problem.
    pub async fn problems(&self) -> String {
        let now = self.clock.now();
        let facts = self.archive.app.store.health_facts(now).await;
        let problems = health(&facts.expect("a database"), now);
        let lines: Vec<_> = problems.iter().map(Problem::line).collect();
        lines.join("\n")
    }
}
