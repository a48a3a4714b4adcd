//! What `doctor` found, a line a check.

use std::collections::HashSet;

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::exit::Exit;
use crate::cli::width::Width;
use crate::escape;
use crate::human;

/// A larger difference between the clocks is noted. A server's time is known to a second.
const SKEW_NOTED: TimeDelta = TimeDelta::seconds(5);
/// A larger difference fails: valid links look expired, or expired ones valid, and object stores refuse requests.
const SKEW_FAILS: TimeDelta = TimeDelta::minutes(5);

/// What was found, in the order of the checks.
pub(super) struct Report {
    checks: Vec<Check>,
    /// How to run this as the owner of the archive, if that is another user.
    owner: Option<String>,
    pub(super) exit: Exit,
}

/// One check. Scripts read it as JSON: never rename a field.
#[derive(Serialize)]
struct Check {
    #[serde(rename = "check")]
    name: String,
    result: Outcome,
    text: String,
    remedy: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    Note,
    Failed,
}

impl Report {
    /// `owner`: how to run this as the owner of the archive, if that is another user.
    pub(super) fn new(owner: Option<String>) -> Self {
        Self {
            checks: Vec::new(),
            owner,
            exit: Exit::Done,
        }
    }

    pub(super) fn ok(&mut self, check: &str, text: &str) {
        self.add(Outcome::Ok, check, text, None);
    }

    /// Worth knowing, but not a failure.
    pub(super) fn note(&mut self, check: &str, text: &str) {
        self.add(Outcome::Note, check, text, None);
    }

    /// A problem, and what to do about it.
    pub(super) fn fail(&mut self, check: &str, text: &str, remedy: &str) {
        self.add(Outcome::Failed, check, text, Some(remedy));
        // A more specific exit code stays.
        if self.exit == Exit::Done {
            self.exit = Exit::Failure;
        }
    }

    /// A problem that the owner of the archive does not have, or else what to do about it.
    pub(super) fn fail_as_user(&mut self, check: &str, text: &str, remedy: &str) {
        let owner = self.owner.clone();
        self.fail(check, text, owner.as_deref().unwrap_or(remedy));
    }

    /// Compares this machine's clock with another, which is ahead by `skew`; `None`: it did not say its time.
    pub(super) fn clock(&mut self, check: &str, what: &str, skew: Option<TimeDelta>, whose: &str) {
        let Some(skew) = skew else {
            self.note(
                check,
                &format!("{what}not compared, {whose} did not say its time"),
            );
            return;
        };
        let by = human::duration(skew.abs().to_std().unwrap_or_default());
        let side = if skew > TimeDelta::zero() {
            "behind"
        } else {
            "ahead of"
        };
        let text = format!("{what}{by} {side} {whose}'s");
        if skew.abs() <= SKEW_NOTED {
            self.ok(check, &format!("{what}agrees with {whose}'s"));
        } else if skew.abs() <= SKEW_FAILS {
            self.note(check, &text);
        } else {
            let remedy = "set this machine's clock, for instance with 'timedatectl set-ntp true'";
            self.fail(check, &text, remedy);
        }
    }

    fn add(&mut self, result: Outcome, check: &str, text: &str, remedy: Option<&str>) {
        self.checks.push(Check {
            name: check.replace(' ', "_"),
            result,
            text: text.to_owned(),
            remedy: remedy.map(str::to_owned),
        });
    }

    pub(super) fn text(&self, width: Width) -> String {
        print(self.checks.iter(), width)
    }

    /// Only what failed.
    pub(super) fn failures(&self) -> String {
        let failed = self.checks.iter();
        let failed = failed.filter(|check| check.result == Outcome::Failed);
        print(failed, Width::Full)
    }

    pub(super) fn object(&self) -> Value {
        json!({"ok": self.exit == Exit::Done, "checks": self.checks})
    }
}

/// The lines of the checks. What is to be done about several of them is said once.
fn print<'a>(checks: impl Iterator<Item = &'a Check>, width: Width) -> String {
    let mut said = HashSet::new();
    let lines = checks.map(|check| {
        let remedy = check
            .remedy
            .as_deref()
            .filter(|remedy| said.insert(*remedy));
        check.lines(remedy, width)
    });
    lines.collect()
}

impl Check {
    fn lines(&self, remedy: Option<&str>, width: Width) -> String {
        const INDENT: usize = 21;
        let mark = match self.result {
            Outcome::Ok => "ok",
            Outcome::Note => "note",
            Outcome::Failed => "FAIL",
        };
        let name = self.name.replace('_', " ");
        let line = format!("{mark:<4}  {name:<13}  {}", escape::line(&self.text));
        let mut lines = width.wrap(&line, INDENT);
        if let Some(remedy) = remedy {
            let line = format!("{:INDENT$}-> {}", "", escape::line(remedy));
            lines.push_str(&width.wrap(&line, INDENT + 3));
        }
        lines
    }
}
