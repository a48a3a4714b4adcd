//! Progress on a terminal: a line for each current file and, below them, one for the whole with rate and remaining time.

mod rate;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use rate::Rate;

use super::out;
use super::width::{columns, cut, terminal_size};
use crate::clock::Clock;
use crate::escape;
use crate::human;

/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(100);
/// Of fewer columns a bar shows nothing.
const LEAST_BAR: usize = 6;

/// What is under way.
#[derive(Debug, Default)]
pub struct Picture {
    /// The current files, by a key of their own.
    pub files: BTreeMap<String, File>,
    /// The whole.
    pub total: Total,
}

/// A file that is being worked on.
#[derive(Debug)]
pub struct File {
    /// Its room or path.
    pub name: String,
    pub done: u64,
    /// 0: unknown.
    pub bytes: u64,
}

/// The whole of the work.
#[derive(Debug, Default)]
pub struct Total {
    /// What is being done, or how many files are done.
    pub text: String,
    pub done: u64,
    /// 0: unknown, or there is nothing to measure yet.
    pub bytes: u64,
    /// Bytes transferred since the start: what was done before does not make it faster.
    pub moved: u64,
}

/// Drawn until it is finished.
pub struct Progress {
    drawing: Option<(JoinHandle<()>, CancellationToken)>,
}

impl Progress {
    /// Draws on stderr, if that is a terminal and the command is not to be quiet.
    pub fn show(clock: Clock, mut look: impl FnMut() -> Picture + Send + 'static) -> Self {
        if !io::stderr().is_terminal() || out::is_quiet() {
            return Self { drawing: None };
        }
        let end = CancellationToken::new();
        let ended = end.clone();
        let task = tokio::spawn(async move {
            let mut screen = Screen::new(clock);
            while !ended.is_cancelled() {
                screen.draw(&look());
                _ = tokio::time::timeout(EVERY, ended.cancelled()).await;
            }
            screen.clear();
        });
        Self {
            drawing: Some((task, end)),
        }
    }

    /// Removes it, so that the next output begins on a clean line.
    pub async fn finish(self) {
        if let Some((task, end)) = self.drawing {
            end.cancel();
            _ = task.await;
        }
    }
}

/// Ends the line that a signal interrupted, if there may be one.
pub fn end_line() {
    if io::stderr().is_terminal() {
        // When stderr is closed there is no one to write to.
        _ = io::stderr().write_all(b"\n");
    }
}

/// Draws on stderr. The cursor always stands at the start of the line below, so that the `^C` that a terminal echoes wraps
/// nowhere and goes with the next drawing. (indicatif leaves the cursor behind the last column: a `^C` there scrolls, and
/// a line stays behind.)
struct Screen {
    /// Lines drawn above the cursor.
    drawn: usize,
    rate: Rate,
    clock: Clock,
}

impl Screen {
    fn new(clock: Clock) -> Self {
        Self {
            drawn: 0,
            rate: Rate::default(),
            clock,
        }
    }

    fn draw(&mut self, picture: &Picture) {
        let (width, rows) = terminal_size();
        let total = &picture.total;
        self.rate.note(self.clock.monotonic(), total.moved);
        let text = measured(total, self.rate.per_second());
        let total = line(&total.text, &text, (total.done, total.bytes), width);
        // As many files as there is room for, besides the total and the line of the cursor.
        let files = picture.files.values().take(rows.saturating_sub(2));
        let files = files.map(|file| {
            let of = match file.bytes {
                0 => human::size(file.done),
                bytes => format!("{} of {}", human::size(file.done), human::size(bytes)),
            };
            line(
                &escape::line(&file.name),
                &of,
                (file.done, file.bytes),
                width,
            )
        });
        let lines: Vec<String> = files.chain([total]).collect();
        self.replace(&lines);
    }

    fn clear(&mut self) {
        self.replace(&[]);
    }

    fn replace(&mut self, lines: &[String]) {
        let mut text = "\r".to_owned();
        if self.drawn > 0 {
            _ = write!(text, "\x1b[{}A", self.drawn);
        }
        for line in lines {
            text.extend([line, "\x1b[K\n"]);
        }
        // What is left of longer drawings.
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        // When stderr is closed there is no one to write to.
        _ = io::stderr().write_all(text.as_bytes());
    }
}

/// How much of the whole is done, how fast it goes, and how long it will take.
fn measured(total: &Total, rate: Option<u64>) -> String {
    if total.bytes == 0 && total.moved == 0 {
        return String::new();
    }
    let mut text = match total.bytes {
        0 => human::size(total.moved),
        bytes => format!("{} of {}", human::size(total.done), human::size(bytes)),
    };
    let Some(rate) = rate.filter(|rate| *rate > 0) else {
        return text;
    };
    text = format!("{text}  {}/s", human::size(rate));
    match total.bytes.saturating_sub(total.done).checked_div(rate) {
        Some(left) if total.bytes > 0 => {
            format!("{text}  ETA {}", human::duration(Duration::from_secs(left)))
        }
        _ => text,
    }
}

/// A name, a bar if there is room for one, and a text, in one line.
fn line(name: &str, text: &str, (done, bytes): (u64, u64), width: usize) -> String {
    const NAME: usize = 24;
    // The last column stays free: some terminals wrap when it is written to.
    let width = width.saturating_sub(1);
    let text = cut(text, width);
    let room = width.saturating_sub(columns(&text) + 1);
    let name = cut(name, room.min(NAME));
    if bytes == 0 {
        return cut(format!("{name} {text}").trim(), width);
    }
    let padding = " ".repeat(room.min(NAME).saturating_sub(columns(&name)));
    let bar = bar(done, bytes, room.saturating_sub(NAME + 1));
    cut(format!("{name}{padding} {bar}{text}").trim_end(), width)
}

/// A bar of so many columns and a space; none if that is too few to show anything.
fn bar(done: u64, bytes: u64, columns: usize) -> String {
    if columns < LEAST_BAR {
        return String::new();
    }
    let columns = columns - 2; // for the brackets
    let full = u128::from(done.min(bytes)) * columns as u128 / u128::from(bytes.max(1));
    let full = usize::try_from(full).unwrap_or(columns);
    format!("[{}{}] ", "=".repeat(full), " ".repeat(columns - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_the_terminal_and_has_a_bar_if_there_is_room() {
        let of = "1.0 MiB of 2.0 MiB";
        let (space, full, empty) = (" ".repeat(18), "=".repeat(16), " ".repeat(17));
        let whole = format!("lesson{space} [{full}{empty}] {of}");
        assert_eq!(line("lesson", of, (1, 2), 80), whole);
        assert_eq!(line("polling", "", (0, 0), 80), "polling");
        for width in 1..200 {
            for name in ["lesson", "会議室会議室会議室会議室会議室会議室", ""] {
                for (done, bytes) in [(0, 0), (0, 9), (5, 9), (10, 9), (u64::MAX, u64::MAX)] {
                    let line = line(name, of, (done, bytes), width);
                    assert!(columns(&line) < width.max(2), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn the_whole_has_a_rate_and_a_time_only_when_they_are_known() {
        let total = |done, bytes, moved| Total {
            text: String::new(),
            done,
            bytes,
            moved,
        };
        assert_eq!(measured(&total(0, 0, 0), None), "");
        assert_eq!(
            measured(&total(0, 0, 2_048), Some(1_024)),
            "2.0 KiB  1.0 KiB/s"
        );
        assert_eq!(measured(&total(0, 4_096, 0), None), "0 B of 4.0 KiB");
        assert_eq!(
            measured(&total(1_024, 4_096, 1), Some(0)),
            "1.0 KiB of 4.0 KiB"
        );
        assert_eq!(
            measured(&total(1_024, 4_096, 1), Some(32)),
            "1.0 KiB of 4.0 KiB  32 B/s  ETA 1 min 36 s"
        );
        assert_eq!(
            measured(&total(4_096, 4_096, 1), Some(32)),
            "4.0 KiB of 4.0 KiB  32 B/s  ETA 0 s"
        );
    }
}
