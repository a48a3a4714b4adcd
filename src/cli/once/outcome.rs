//! What a single run, or a dry one, prints at its end.

use std::fmt::Write as _;
use std::io;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::cli::args::OnceArgs;
use crate::cli::exit::Exit;
use crate::cli::out;
use crate::cli::recordings::{COLUMNS, Line};
use crate::cli::table::{self, Column};
use crate::cli::width::Width;
use crate::escape;
use crate::human;
use crate::model::{State, time};
use crate::poll::Report;
use crate::rebuild::Rebuilt;
use crate::store::{Counts, Left};

pub(super) struct Outcome {
    /// How the pass went.
    pub(super) report: Report,
    pub(super) sweep: bool,
    /// What came of a rebuild before it.
    pub(super) rebuilt: Option<Rebuilt>,
    /// What is not archived; of a dry run, what would be downloaded.
    pub(super) left: Vec<Left>,
    pub(super) now: DateTime<Utc>,
    pub(super) exit: Exit,
}

/// What was done after the pass.
#[derive(Default)]
pub(super) struct Done {
    pub(super) archived: u64,
    pub(super) copied: u64,
}

impl Outcome {
    pub(super) fn print(&self, args: &OnceArgs, done: &Done, counts: &Counts) -> io::Result<()> {
        if args.json {
            return out::json(&json!({
                "dry_run": false,
                "rebuilt": self.rebuilt.as_ref().map(rebuilt_json),
                "pass": self.pass(),
                "archived": done.archived,
                "copied": done.copied,
                "archive": {"recordings": counts.of(State::Archived), "bytes": counts.archived_bytes},
                "missing": counts.missing,
                "unlisted_sessions": counts.unlisted,
                "left": self.left,
            }));
        }
        let width = Width::of_stdout().or_full(args.wide);
        let rebuilt = self.rebuilt.as_ref().map(rebuilt_text);
        let mut text = rebuilt.unwrap_or_default() + &self.summary(width);
        let line = format!(
            "archived {}; the archive holds {} ({})",
            human::count(done.archived, "recording"),
            human::count(counts.of(State::Archived), "recording"),
            human::size(counts.archived_bytes)
        );
        text.push_str(&width.wrap(&line, 2));
        if done.copied > 0 {
            _ = writeln!(text, "copies made in object stores: {}", done.copied);
        }
        let states = [
            State::Pending,
            State::Downloading,
            State::Lost,
            State::Damaged,
        ];
        let left = states.map(|state| counts.of(state)).iter().sum::<u64>();
        if !self.left.is_empty() {
            _ = writeln!(text, "\nleft to do: {}", human::count(left, "recording"));
            text.push_str(&self.table(width));
            let rest = left.saturating_sub(self.left.len() as u64);
            if rest > 0 {
                let line = format!(
                    "… and {rest} more: see 'room-archiver list --state pending,lost,damaged'"
                );
                text.push_str(&width.wrap(&line, 2));
            }
        }
        out::report(&text, self.exit)
    }

    pub(super) fn print_dry(&self, args: &OnceArgs) -> io::Result<()> {
        let bytes: u64 = self.left.iter().filter_map(|left| left.size_bytes).sum();
        if args.json {
            return out::json(&json!({
                "dry_run": true,
                "pass": self.pass(),
                "would_download": {"recordings": self.left.len(), "bytes": bytes},
                "left": self.left,
            }));
        }
        let width = Width::of_stdout().or_full(args.wide);
        let mut text = self.summary(width);
        _ = writeln!(
            text,
            "would download {} ({})",
            human::count(self.left.len() as u64, "recording"),
            human::size(bytes)
        );
        if !self.left.is_empty() {
            text.push('\n');
            text.push_str(&self.table(width));
        }
        out::report(&text, self.exit)
    }

    fn kind(&self) -> &'static str {
        if self.sweep { "sweep" } else { "poll" }
    }

    fn pass(&self) -> Value {
        let counts = &self.report.counts;
        json!({
            "kind": self.kind(),
            "outcome": self.report.outcome.as_str(),
            "error": self.report.error,
            "sessions_seen": counts.sessions_seen,
            "sessions_listed": counts.sessions_listed,
            "recordings_seen": counts.recordings_seen,
            "recordings_new": counts.recordings_new,
            "requests": counts.requests,
        })
    }

    fn summary(&self, width: Width) -> String {
        let counts = &self.report.counts;
        let line = format!(
            "{} {}: {} seen, {} listed; {} seen, {} new; {}",
            self.kind(),
            self.report.outcome.as_str(),
            human::count(counts.sessions_seen, "session"),
            counts.sessions_listed,
            human::count(counts.recordings_seen, "recording"),
            counts.recordings_new,
            human::count(counts.requests, "request")
        );
        let mut text = width.wrap(&line, 2);
        if let Some(error) = &self.report.error {
            text.push_str(&width.wrap(&format!("  {}", escape::line(error)), 2));
        }
        text
    }

    fn table(&self, width: Width) -> String {
        let [id, started, length, size, state, room] = COLUMNS;
        let next = Column::Rare("NEXT ATTEMPT");
        let columns = [
            id,
            started,
            length,
            size,
            state,
            next,
            room,
            Column::Note("LAST ERROR"),
        ];
        let rows = self.left.iter().map(|left| {
            let [id, started, length, size, state, room] = Line::from(left).cells();
            let next = left.next_attempt_at.as_deref().and_then(time::parse);
            // What is due already is tried by the next run, or by the service.
            let next = next.filter(|next| *next > self.now);
            let next = next
                .map(|next| human::age(next, self.now))
                .unwrap_or_default();
            let error = left.last_error.clone().unwrap_or_default();
            [id, started, length, size, state, next, room, error]
        });
        table::render(columns, rows, width)
    }
}

/// What came of a rebuild: what was restored, and what could not be used.
pub(in crate::cli) fn rebuilt_text(rebuilt: &Rebuilt) -> String {
    let mut text = format!(
        "rebuilt {} from sidecars\n",
        human::count(rebuilt.restored, "recording")
    );
    if rebuilt.unusable > 0 {
        let sidecars = human::count(rebuilt.unusable, "sidecar");
        _ = writeln!(text, "{sidecars} could not be used:");
        for (path, why) in &rebuilt.named {
            let (path, why) = (escape::line(path), escape::line(why));
            _ = writeln!(text, "  {path}: {why}");
        }
    }
    if rebuilt.unread > 0 {
        let directories = human::count(rebuilt.unread, "place");
        _ = writeln!(
            text,
            "{directories} in the archive could not be read: give them to the service's user"
        );
    }
    text
}

pub(in crate::cli) fn rebuilt_json(rebuilt: &Rebuilt) -> Value {
    let named = rebuilt.named.iter();
    let named = named.map(|(path, error)| json!({"path": path, "error": error}));
    json!({
        "recordings": rebuilt.restored,
        "unusable_sidecars": rebuilt.unusable,
        "sidecars": named.collect::<Vec<_>>(),
        "unreadable_places": rebuilt.unread,
    })
}
