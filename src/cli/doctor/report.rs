//! What `doctor` found, a line a check.

use crate::cli::exit::Exit;
use crate::escape;

/// What was found, in the order of the checks.
pub(super) struct Report {
    lines: Vec<String>,
    pub(super) exit: Exit,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            exit: Exit::Done,
        }
    }
}

impl Report {
    pub(super) fn ok(&mut self, check: &str, text: &str) {
        self.line("ok", check, text);
    }

    /// Worth knowing, but not a failure.
    pub(super) fn note(&mut self, check: &str, text: &str) {
        self.line("note", check, text);
    }

    /// A problem, and what to do about it.
    pub(super) fn fail(&mut self, check: &str, text: &str, remedy: &str) {
        self.line("FAIL", check, text);
        self.line("", "", &format!("-> {remedy}"));
        // A more specific exit code stays.
        if self.exit == Exit::Done {
            self.exit = Exit::Failure;
        }
    }

    fn line(&mut self, mark: &str, check: &str, text: &str) {
        let line = format!("{mark:<4}  {check:<13}  {}\n", escape::line(text));
        self.lines.push(line);
    }

    pub(super) fn text(&self) -> String {
        self.lines.concat()
    }
}
