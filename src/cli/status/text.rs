//! The status as text: a few lines on what works, all details on what needs attention.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::super::recordings::{COLUMNS, Line};
use super::super::table;
use super::super::table::Column::{Id, Left, Note, Right, Spare, Text};
use super::super::width::Width;
use super::facts::Status;
use crate::escape;
use crate::human;
use crate::model::{State, time};
use crate::store::{PassKind, PauseKind};

pub(super) fn render(status: &Status, now: DateTime<Utc>, width: Width) -> String {
    let ago = |then: &str| {
        time::parse(then)
            .map(|then| human::age(then, now))
            .unwrap_or_default()
    };
    let mut text = health(status, width);
    text.push('\n');
    text.push_str(&service(status, width));
    text.push('\n');
    text.push_str(&recordings(status, width));
    text.push('\n');
    text.push_str(&passes(status, &ago, width));
    pauses(&mut text, status, now, width);
    failures(&mut text, status, &ago, width);
    gaps(&mut text, status, &ago, width);
    errors(&mut text, status, &ago, width);
    concerns(&mut text, status, width);
    webhooks(&mut text, status, &ago, width);
    text.push_str(&super::copies::render(&status.copies, now, width));
    if !status.cooldowns.is_empty() {
        text.push_str("\nHosts that are rate-limiting us\n");
        let rows = status.cooldowns.iter();
        let rows = rows.map(|one| [one.host.clone(), ago(&one.until)]);
        text.push_str(&table::render([Text("HOST"), Left("ENDS")], rows, width));
    }
    text
}

/// Whether it is healthy, or why not.
pub(super) fn health(status: &Status, width: Width) -> String {
    if status.healthy {
        return "healthy\n".to_owned();
    }
    let mut text = "not healthy\n".to_owned();
    for problem in &status.problems {
        let line = format!("  {}", escape::line(&problem.line()));
        text.push_str(&width.wrap(&line, 4));
    }
    text
}

fn service(status: &Status, width: Width) -> String {
    let running = if status.running {
        "running"
    } else {
        "not running: no pass is scheduled"
    };
    let disk = &status.disk;
    let kept = human::size(disk.min_free_bytes);
    let disk = match (disk.free_bytes, &disk.error) {
        (Some(free), _) if free < disk.min_free_bytes => format!(
            "{} free: downloads wait until {kept} (archive.min_free_space) are free",
            human::size(free)
        ),
        (Some(free), _) => format!(
            "{} free, of which {kept} are kept free (archive.min_free_space)",
            human::size(free)
        ),
        (None, error) => format!(
            "free space unknown: {}",
            escape::line(error.as_deref().unwrap_or_default())
        ),
    };
    width.wrap(&format!("service  {running}"), 9) + &width.wrap(&format!("disk     {disk}"), 9)
}

fn recordings(status: &Status, width: Width) -> String {
    let table = table::render(
        [Left("STATE"), Right("RECORDINGS"), Left("")],
        State::ALL.map(|state| {
            let count = status.recordings.get(&state).copied().unwrap_or(0);
            let note = match state {
                State::Archived => human::size(status.archived_bytes),
                _ => String::new(),
            };
            [state.to_string(), count.to_string(), note]
        }),
        width,
    );
    let missing = match status.queue.missing {
        0 => "All recordings completed upstream are archived.".to_owned(),
        1 => "1 recording that is completed upstream is not archived yet.".to_owned(),
        many => format!("{many} recordings that are completed upstream are not archived yet."),
    };
    table + "\n" + &width.wrap(&missing, 0)
}

fn passes(status: &Status, ago: &impl Fn(&str) -> String, width: Width) -> String {
    let next = |kind| {
        let runs = &status.next_runs;
        let at = match kind {
            PassKind::Poll => &runs.poll,
            PassKind::Sweep => &runs.sweep,
            PassKind::Verify => &runs.verify,
        };
        at.as_deref().map(ago).unwrap_or_default()
    };
    let columns = [
        Left("PASS"),
        Left("STARTED"),
        Spare("TOOK"),
        Left("OUTCOME"),
        Left("LAST COMPLETE"),
        Left("NEXT"),
        Note("ERROR"),
    ];
    let rows = PassKind::ALL.map(|kind| {
        let last = status.passes.iter().find(|pass| pass.kind == kind);
        let complete = last.and_then(|pass| pass.last_complete_at.as_deref());
        [
            kind.to_string(),
            last.map_or_else(|| "never".to_owned(), |pass| ago(&pass.started_at)),
            last.map(|pass| human::took(&pass.started_at, pass.ended_at.as_deref()))
                .unwrap_or_default(),
            last.map(|pass| pass.outcome.to_string())
                .unwrap_or_default(),
            complete.map_or_else(|| "never".to_owned(), ago),
            next(kind),
            last.and_then(|pass| pass.error.clone()).unwrap_or_default(),
        ]
    });
    table::render(columns, rows, width)
}

fn pauses(text: &mut String, status: &Status, now: DateTime<Utc>, width: Width) {
    if status.pauses.is_empty() {
        return;
    }
    text.push_str("\nDownloads are paused or slowed down\n");
    let rows = status.pauses.iter().map(|pause| {
        let reason = match pause.kind {
            PauseKind::Disk => "disk",
            PauseKind::Api => "API",
            PauseKind::Host => "media host fails",
            PauseKind::Failures => "downloads keep failing",
        };
        [
            human::age(pause.since, now),
            reason.to_owned(),
            pause.host.clone().unwrap_or_default(),
            pause.error.clone(),
        ]
    });
    let columns = [Left("BEGAN"), Left("REASON"), Text("HOST"), Note("ERROR")];
    text.push_str(&table::render(columns, rows, width));
}

fn concerns(text: &mut String, status: &Status, width: Width) {
    let rows = status.concerns.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<_> = rows
        .map(|(kind, count)| [(*kind).to_owned(), count.to_string()])
        .collect();
    if rows.is_empty() {
        return;
    }
    let title = "Archived recordings with a concern (see 'room-archiver show ID', or the view 'concerns' of the database)";
    text.push('\n');
    text.push_str(&width.wrap(title, 2));
    let columns = [Left("CONCERN"), Right("RECORDINGS")];
    text.push_str(&table::render(columns, rows, width));
}

fn failures(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String, width: Width) {
    let needs = match status.failures {
        0 => return,
        1 => "1 recording needs attention".to_owned(),
        many => format!("{many} recordings need attention"),
    };
    let stuck = match (status.stuck, status.stuck_since.as_deref().map(ago)) {
        (0, _) => String::new(),
        (stuck, None) => format!(": {stuck} stuck"),
        (1, Some(ago)) => format!(": 1 stuck, since {ago}"),
        (stuck, Some(ago)) => format!(": {stuck} stuck, the first since {ago}"),
    };
    text.push('\n');
    text.push_str(&width.wrap(&format!("{needs}{stuck}"), 2));
    let rows = status.oldest_failures.iter().map(|failure| {
        let [id, started, length, size, state, room] = Line::from(failure).cells();
        let (since, reason) = (ago(&failure.since), failure.reason.clone());
        [id, started, length, size, state, since, room, reason]
    });
    let [id, started, length, size, state, room] = COLUMNS;
    let columns = [
        id,
        started,
        length,
        size,
        state,
        Left("SINCE"),
        room,
        Note("REASON"),
    ];
    text.push_str(&table::render(columns, rows, width));
    more(
        text,
        status.failures,
        status.oldest_failures.len(),
        "failures",
        width,
    );
}

fn gaps(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String, width: Width) {
    let title = match status.gaps {
        0 => return,
        1 => "1 session is over and not complete".to_owned(),
        many => format!("{many} sessions are over and not complete"),
    };
    text.push('\n');
    text.push_str(&width.wrap(&title, 2));
    let rows = status.oldest_gaps.iter().map(|gap| {
        [
            gap.session_id.clone(),
            gap.since.as_deref().map(ago).unwrap_or_default(),
            gap.recordings_listed.to_string(),
            gap.recordings_open.to_string(),
            gap.room_name.clone().unwrap_or_default(),
            gap.list_error.clone().unwrap_or_default(),
        ]
    });
    let columns = [
        Id("SESSION"),
        Left("ENDED"),
        Right("LISTED"),
        Right("OPEN"),
        Text("ROOM"),
        Note("ERROR"),
    ];
    text.push_str(&table::render(columns, rows, width));
    more(text, status.gaps, status.oldest_gaps.len(), "gaps", width);
}

/// The errors that are not in the list of failures already.
fn errors(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String, width: Width) {
    let shown = |id: &str| {
        let mut failures = status.oldest_failures.iter();
        failures.any(|failure| failure.recording_id == id)
    };
    let errors = status.newest_errors.iter();
    let mut errors = errors
        .filter(|attempt| !shown(&attempt.recording_id))
        .peekable();
    if errors.peek().is_none() {
        return;
    }
    let title = "Latest errors of recordings that are tried again";
    text.push('\n');
    text.push_str(&width.wrap(title, 2));
    let rows = errors.map(|attempt| {
        [
            attempt.recording_id.clone(),
            attempt.ended_at.as_deref().map(ago).unwrap_or_default(),
            attempt.attempt.to_string(),
            attempt
                .http_status
                .map(|status| status.to_string())
                .unwrap_or_default(),
            attempt.outcome.to_string(),
            attempt.error.clone(),
        ]
    });
    let columns = [
        Id("RECORDING"),
        Left("ENDED"),
        Right("ATTEMPT"),
        Right("HTTP"),
        Left("OUTCOME"),
        Note("ERROR"),
    ];
    text.push_str(&table::render(columns, rows, width));
}

fn webhooks(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String, width: Width) {
    if status.webhooks.is_empty() {
        return;
    }
    let when = |at: Option<DateTime<Utc>>| at.map(|at| ago(&time::to_text(at))).unwrap_or_default();
    let rows = status.webhooks.iter().map(|webhook| {
        let error = webhook.error.as_deref().unwrap_or_default();
        let (state, since) = match (webhook.disabled_at, webhook.failing_since) {
            (Some(since), _) => ("disabled", Some(since)),
            (None, Some(since)) => ("fails", Some(since)),
            (None, None) => ("accepts", None),
        };
        [
            webhook.name.clone(),
            state.to_owned(),
            when(since),
            webhook.pending.to_string(),
            webhook.failed.to_string(),
            webhook.dropped.to_string(),
            error.to_owned(),
        ]
    });
    let columns = [
        Text("WEBHOOK"),
        Left("STATE"),
        Left("SINCE"),
        Right("PENDING"),
        Right("FAILED"),
        Right("DROPPED"),
        Note("ERROR"),
    ];
    text.push('\n');
    text.push_str(&table::render(columns, rows, width));
    for webhook in &status.webhooks {
        let name = &webhook.name;
        if webhook.disabled_at.is_some() {
            let _ = writeln!(
                text,
                "'room-archiver webhook enable {name}' sends to '{name}' again."
            );
        }
        if webhook.failed > 0 {
            let _ = writeln!(
                text,
                "'room-archiver webhook replay {name}' sends the events again that '{name}' did not accept."
            );
        }
    }
}

/// Says where the rest is, if not all rows were shown.
fn more(text: &mut String, total: u64, shown: usize, view: &str, width: Width) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        let line = format!("… and {rest} more: see the view '{view}' of the database");
        text.push_str(&width.wrap(&line, 2));
    }
}

#[cfg(test)]
mod tests;
