//! The status for people: what is well in a few lines, what needs them in full.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::super::table::Column::{Left, Right};
use super::super::{human, table};
use super::Status;
use crate::model::{State, time};

pub(super) fn render(status: &Status, now: DateTime<Utc>) -> String {
    let ago = |then: &str| {
        time::parse(then)
            .map(|then| human::age(then, now))
            .unwrap_or_default()
    };
    let mut text = recordings(status);
    text.push('\n');
    text.push_str(&passes(status, &ago));
    failures(&mut text, status, &ago);
    gaps(&mut text, status, &ago);
    errors(&mut text, status, &ago);
    if !status.cooldowns.is_empty() {
        text.push_str("\nHosts that asked for patience\n");
        let rows = status.cooldowns.iter();
        let rows = rows.map(|one| [one.host.clone(), ago(&one.until)]);
        text.push_str(&table::render([Left("HOST"), Left("ENDS")], rows));
    }
    text
}

fn recordings(status: &Status) -> String {
    table::render(
        [Left("STATE"), Right("RECORDINGS"), Left("")],
        State::ALL.map(|state| {
            let count = status.recordings.get(state.as_str()).copied().unwrap_or(0);
            let note = match state {
                State::Archived => human::size(status.archived_bytes),
                _ => String::new(),
            };
            [state.to_string(), count.to_string(), note]
        }),
    ) + &match status.queue.missing {
        0 => "\nNo recording known to be completed upstream is left to archive.\n".to_owned(),
        1 => "\n1 recording that is completed upstream is not archived yet.\n".to_owned(),
        missing => {
            format!("\n{missing} recordings that are completed upstream are not archived yet.\n")
        }
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
        ["poll", "sweep", "verify"].map(|kind| {
            match status.passes.iter().find(|pass| pass.kind == kind) {
                Some(pass) => [
                    kind.to_owned(),
                    ago(&pass.started_at),
                    human::took(&pass.started_at, pass.ended_at.as_deref()),
                    pass.outcome.clone(),
                    pass.last_complete_at
                        .as_deref()
                        .map_or_else(|| "never".to_owned(), ago),
                    pass.error.clone().unwrap_or_default(),
                ],
                None => [kind, "never", "", "", "never", ""].map(str::to_owned),
            }
        }),
    )
}

fn failures(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
    if status.failures == 0 {
        return;
    }
    let longest = status.stuck_since.as_deref().map(ago);
    let longest = longest.map_or_else(String::new, |ago| format!(", the first became so {ago}"));
    // Writing to a String can't fail.
    let _ = writeln!(
        text,
        "\nRecordings that need a person: {}, of them stuck upstream: {}{longest}",
        status.failures, status.stuck
    );
    let rows = status.oldest_failures.iter().map(|failure| {
        [
            ago(&failure.since),
            failure.state.clone(),
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
        ]
    });
    let columns = [
        Left("ENDED"),
        Left("SESSION"),
        Right("LISTED"),
        Right("OPEN"),
        Left("ROOM"),
    ];
    text.push_str(&table::render(columns, rows));
    more(text, status.gaps, status.oldest_gaps.len(), "gaps");
}

fn errors(text: &mut String, status: &Status, ago: &impl Fn(&str) -> String) {
    if status.newest_errors.is_empty() {
        return;
    }
    text.push_str("\nNewest errors of downloads\n");
    let rows = status.newest_errors.iter().map(|attempt| {
        [
            attempt.ended_at.as_deref().map(ago).unwrap_or_default(),
            attempt.recording_id.clone(),
            attempt.attempt.to_string(),
            attempt
                .http_status
                .map(|status| status.to_string())
                .unwrap_or_default(),
            attempt.outcome.clone(),
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

/// Where the rest is, when not all were shown.
fn more(text: &mut String, total: u64, shown: usize, view: &str) {
    let rest = total.saturating_sub(shown as u64);
    if rest > 0 {
        let _ = writeln!(
            text,
            "… and {rest} more: the view '{view}' of the database has them all"
        );
    }
}

#[cfg(test)]
mod tests;
