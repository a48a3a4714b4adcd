//! How wide the terminal is, and text that fits it.

use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd;

use unicode_width::UnicodeWidthChar as _;

/// What a terminal that does not know its size, such as a serial console, is taken for.
const UNKNOWN: (usize, usize) = (80, 24);
/// Lines that a long text is broken into; the rest of it is left out.
const MOST_LINES: usize = 6;

/// How wide a line of output may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// As wide as its content: for files, pipes and `--wide`.
    Full,
    /// So many columns of a terminal.
    Columns(usize),
}

impl Width {
    /// That of stdout.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        if stdout.is_terminal() {
            Self::Columns(size(&stdout).0)
        } else {
            Self::Full
        }
    }

    /// The whole content if `wide`, else as it is.
    #[must_use]
    pub fn or_full(self, wide: bool) -> Self {
        if wide { Self::Full } else { self }
    }

    /// Whether a line of so many columns fits.
    #[must_use]
    pub fn holds(self, columns: usize) -> bool {
        match self {
            Self::Full => true,
            Self::Columns(most) => columns <= most,
        }
    }

    /// The text, broken at spaces into lines that fit. Those after the first are indented.
    #[must_use]
    pub fn wrap(self, text: &str, indent: usize) -> String {
        let Self::Columns(most) = self else {
            return format!("{text}\n");
        };
        let mut wrapped = String::new();
        for (number, line) in lines(text, most, most.saturating_sub(indent))
            .iter()
            .enumerate()
        {
            if number > 0 {
                wrapped.extend(std::iter::repeat_n(' ', indent));
            }
            wrapped.push_str(line);
            wrapped.push('\n');
        }
        wrapped
    }
}

/// The columns and rows of the terminal that stderr is.
#[must_use]
pub fn terminal_size() -> (usize, usize) {
    size(&io::stderr())
}

fn size(terminal: &impl AsFd) -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(terminal);
    let (columns, rows) = size.map_or((0, 0), |size| (size.ws_col, size.ws_row));
    let known = |size: u16, unknown| {
        if size == 0 {
            unknown
        } else {
            usize::from(size)
        }
    };
    (known(columns, UNKNOWN.0), known(rows, UNKNOWN.1))
}

/// The columns that a text takes. Each character counts by itself: terminals that draw a sequence of emoji as one need
/// less, and no terminal needs more.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The text, shortened to so many columns: its end becomes '…'.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut used = 1; // for the '…'
    let mut cut = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > most {
            break;
        }
        cut.push(c);
    }
    if most > 0 {
        cut.truncate(cut.trim_end().len());
        cut.push('…');
    }
    cut
}

/// Breaks a text into lines, at spaces where there are some: the first may have `first` columns, the others `rest`.
#[must_use]
pub fn lines(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut room = first.max(2);
    for word in text.split_inclusive(' ') {
        let width = columns(word.trim_end());
        if width > room && !lines.last().is_some_and(String::is_empty) {
            lines.push(String::new());
            room = rest.max(2);
        }
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if c == ' ' && room == 0 {
                continue;
            }
            if width > room {
                lines.push(String::new());
                room = rest.max(2);
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            room -= width;
        }
    }
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last}{}", " ".repeat(rest)), rest.max(2));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_has_at_most_so_many_columns() {
        for (text, most, expected) in [
            ("standup", 7, "standup"),
            ("standup", 6, "stand…"),
            ("team standup", 6, "team…"),
            ("会議室", 6, "会議室"),
            ("会議室", 5, "会議…"),
            ("会議室", 4, "会…"),
            ("e\u{301}te\u{301}s", 3, "e\u{301}t…"),
            ("standup", 1, "…"),
            ("standup", 0, ""),
        ] {
            assert_eq!(cut(text, most), expected, "{text} {most}");
            assert!(columns(&cut(text, most)) <= most);
        }
    }

    #[test]
    fn a_text_is_broken_at_spaces_and_long_words_anywhere() {
        assert_eq!(lines("one two three", 7, 7), ["one two", "three"]);
        assert_eq!(lines("one two three", 3, 9), ["one", "two three"]);
        assert_eq!(lines("a abcdefghij", 4, 4), ["a", "abcd", "efgh", "ij"]);
        assert_eq!(lines("", 4, 4), [""]);
        assert_eq!(lines("会議室", 5, 5), ["会議", "室"]);
        let long = lines(&"word ".repeat(100), 10, 10);
        assert_eq!(long.len(), MOST_LINES);
        assert_eq!(long.last().unwrap(), "word word…");
        assert_eq!(
            Width::Columns(9).wrap("one two three", 2),
            "one two\n  three\n"
        );
        assert_eq!(Width::Full.wrap("one two three", 2), "one two three\n");
    }
}
