//! The status as text: a few lines on what works, all details on what needs attention.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::super::table;
use super::super::table::Column::{Left, Right};
use super::facts::Status;
use crate::escape;
use crate::human;
use crate::model::{State, time};
use crate::store::{PassKind, PauseKind};

pub(super) fn render(status: &Status, now: DateTime<Utc>) -> String {
    let ago = |then: &str| {
        time::parse(then)
            .map(|then| human::age(then, now))
            .unwrap_or_default()
    };
    let mut text = health(status);
    text.push_str(&recordings(status));
    text.push('\n');
    text.push_str(&passes(status, &ago));
    pauses(&mut text, status, now);
    failures(&mut text, status, &ago);
    gaps(&mut text, status, &ago);
    errors(&mut text, status, &ago);
    concerns(&mut text, status);
    webhooks(&mut text, status, &ago);
    if !status.cooldowns.is_empty() {
        text.push_str("\nHosts that are rate-limiting us\n");
        let rows = status.cooldowns.iter();
        let rows = rows.map(|one| [one.host.clone(), ago(&one.until)]);
        text.push_str(&table::render([Left("HOST"), Left("ENDS")], rows));
    }
    text
}

/// Whether it is healthy, or why not.
fn health(status: &Status) -> String {
    if status.healthy {
        return "healthy\n\n".to_owned();
    }
    let mut text = "not healthy\n".to_owned();
    for problem in &status.problems {
        let _ = writeln!(text, "  {}", escape::line(&problem.line()));
    }
    text + "\n"
}

fn recordings(status: &Status) -> String {
    table::render(
        [Left("STATE"), Right("RECORDINGS"), Left("")],
        State::ALL.map(|state| {
            let count = status.recordings.get(&state).copied().unwrap_or(0);
            let note = match state {
                State::Archived => human::size(status.archived_bytes),
                _ => String::new(),
            };
            [state.to_string(), count.to_string(), note]
        }),
    ) + &match status.queue.missing {
        0 => "\nNo recording known to be completed upstream is left to archive.\n".to_owned(),
        1 => "\n1 recording that is completed upstream is not archived yet.\n".to_owned(),
        many => format!("\n{many} recordings that are completed upstream are not archived yet.\n"),
    }
}

fn passes(status: &Status, ago: &impl Fn(&str) -> String) -> String {
    table::render(
        [
            Left("PASS"),
            Left("STARTED"),
            Left("TOOK"),
            Left("OUTCOME"),
            Left("LAST COMPLETE"),
            Left("ERROR"),
        ],
        PassKind::ALL.map(
            |kind| match status.passes.iter().find(|pass| pass.kind == kind) {
                Some(pass) => [
                    kind.to_string(),
                    ago(&pass.started_at),
                    human::took(&pass.started_at, pass.ended_at.as_deref()),
                    pass.outcome.to_string(),
                    pass.last_complete_at
                        .as_deref()
                        .map_or_else(|| "never".to_owned(), ago),
                    pass.error.clone().unwrap_or_default(),
                ],
                None => [kind.as_str(), "never", "", "", "never", ""].map(str::to_owned),
            },
        ),
    )
}

fn pauses(text: &mut String, status: &Status, now: DateTime<Utc>) {
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
    let columns = ["BEGAN", "REASON", "HOST", "ERROR"].map(Left);
    text.push_str(&table::render(columns, rows));
}

fn concerns(text: &mut String, status: &Status) {
    let rows = status.concerns.iter().filter(|(_, count)| **count > 0);
    let rows: Vec<_> = rows
        .map(|(kind, count)| [(*kind).to_owned(), count.to_string()])
        .collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("\nArchived recordings with a concern (details are in the view 'concerns' of the database)\n");
    let columns = [Left("CONCERN"), Right("RECORDINGS")];
    text.push_str(&table::render(columns, rows));
}

fn failures(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
    if status.failures == 0 {
        return;
    }
    let longest = status.stuck_since.as_deref().map(ago);
    let longest = longest.map_or_else(String::new, |ago| format!(", the oldest: {ago}"));
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "\nRecordings that need attention: {} ({} stuck{longest})",
        status.failures, status.stuck
    );
    let rows = status.oldest_failures.iter().map(|failure| {
        [
            ago(&failure.since),
            failure.state.to_string(),
            failure.recording_id.clone(),
            failure.room_name.clone().unwrap_or_default(),
            failure.reason.clone(),
        ]
    });
    let columns = ["SINCE", "STATE", "RECORDING", "ROOM", "REASON"].map(Left);
    text.push_str(&table::render(columns, rows));
    more(
        text,
        status.failures,
        status.oldest_failures.len(),
        "failures",
    );
}

fn gaps(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
    if status.gaps == 0 {
        return;
    }
    let _ = writeln!(
        text,
        "\nSessions that are over and not complete: {}",
        status.gaps
    );
    let rows = status.oldest_gaps.iter().map(|gap| {
        [
            gap.since.as_deref().map(ago).unwrap_or_default(),
            gap.session_id.clone(),
            gap.recordings_listed.to_string(),
            gap.recordings_open.to_string(),
            gap.room_name.clone().unwrap_or_default(),
            gap.list_error.clone().unwrap_or_default(),
        ]
    });
    let columns = [
        Left("ENDED"),
        Left("SESSION"),
        Right("LISTED"),
        Right("OPEN"),
        Left("ROOM"),
        Left("ERROR"),
    ];
    text.push_str(&table::render(columns, rows));
    more(text, status.gaps, status.oldest_gaps.len(), "gaps");
}

fn errors(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
    if status.newest_errors.is_empty() {
        return;
    }
    text.push_str("\nLatest download errors\n");
    let rows = status.newest_errors.iter().map(|attempt| {
        [
            attempt.ended_at.as_deref().map(ago).unwrap_or_default(),
            attempt.recording_id.clone(),
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
        Left("ENDED"),
        Left("RECORDING"),
        Right("ATTEMPT"),
        Right("HTTP"),
        Left("OUTCOME"),
        Left("ERROR"),
    ];
    text.push_str(&table::render(columns, rows));
}

fn webhooks(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
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
        Left("WEBHOOK"),
        Left("STATE"),
        Left("SINCE"),
        Right("PENDING"),
        Right("FAILED"),
        Right("DROPPED"),
        Left("ERROR"),
    ];
    text.push('\n');
    text.push_str(&table::render(columns, rows));
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
fn more(text: &mut String, total: u64, shown: usize, view: &str) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        let _ = writeln!(
            text,
            "… and {rest} more: see the view '{view}' of the database"
        );
    }
}

#[cfg(test)]
mod tests;
