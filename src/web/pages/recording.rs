//! One recording: its player, its file and what is known of it.

use axum::Extension;
use axum::extract::{Path, State};
use minijinja::{Value, context};

use super::common::{NO_RECORDING, Page};
use crate::human;
use crate::model::RecordingId;
use crate::web::db::{ArchivedFile, Attempt, Copy, Detail, Note};
use crate::web::failure::Failure;
use crate::web::guard::Viewer;
use crate::web::media;
use crate::web::query::link;
use crate::web::render::{minute, page, shown, size};
use crate::web::site::Shared;

/// Characters of a message, and of any other value.
const MESSAGE: usize = 200;
const VALUE: usize = 1_000;

/// The page of a recording.
pub(in crate::web) async fn recording(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Extension(viewer): Extension<Viewer>,
) -> Page {
    let id: RecordingId = id.parse().map_err(|_| NO_RECORDING)?;
    let pool = site.database.pool().await?;
    let detail = Detail::read(&pool, &id.to_string())
        .await?
        .ok_or(NO_RECORDING)?;
    drop(pool);
    viewer.saw(id, "showed a recording");
    let file = match detail.file.clone() {
        Some(row) => Some(file(&site, row).await?),
        None => None,
    };
    let title = minute(detail.column("started_at"));
    let room = detail.column("room_name");
    let attempts: Vec<_> = detail.attempts.iter().map(attempt).collect();
    let concerns: Vec<_> = detail.concerns.iter().map(note).collect();
    let events: Vec<_> = detail.events.iter().map(note).collect();
    let copies: Vec<_> = detail.copies.iter().map(copy).collect();
    page(
        "recording.html",
        &format!("Recording {title}"),
        context! {
            id => id.to_string(), title, file, attempts, concerns, events, copies,
            room => room.map(|room| shown(room, VALUE)),
            room_link => room.map(|room| link("/recordings", "room", room)),
            session => detail.column("session_id"), state => detail.column("state"), facts => facts(&detail),
        },
    )
}

/// The file as it is on the disk now.
async fn file(site: &Shared, row: ArchivedFile) -> Result<Value, Failure> {
    let archive = site.archive.clone();
    let columns = row.clone();
    let opened = tokio::task::spawn_blocking(move || media::open(&archive, row)).await;
    let (playable, audio, missing) = match opened.map_err(|error| Failure::internal(&error))? {
        Ok(opened) => (opened.is_playable(), opened.is_audio(), None),
        Err(failure) => (false, false, Some(failure.text().to_owned())),
    };
    Ok(context! {
        playable, audio, missing,
        size => size(columns.size_bytes.map(u64::cast_signed)), bytes => columns.size_bytes, sha256 => columns.sha256,
        path => columns.path.as_deref().map(|path| shown(path, VALUE)),
        archived => minute(Some(&columns.archived_at)), verified => minute(columns.verified_at.as_deref()),
    })
}

/// The columns with their meaning for people.
fn facts(detail: &Detail) -> Vec<Value> {
    let known = detail
        .columns
        .iter()
        .filter(|(name, _)| *name != "room_name" && *name != "session_id");
    known
        .map(|(name, value)| {
            let text = match *name {
                "duration_seconds" => value.parse().map(human::seconds).unwrap_or_default(),
                "size_bytes" => size(value.parse().ok()),
                name if name.ends_with("_at") => human::time(value),
                _ => shown(value, MESSAGE),
            };
            let name = name.trim_end_matches("_seconds").trim_end_matches("_bytes");
            let name = name.trim_end_matches("_at").replace('_', " ");
            context! { name, text }
        })
        .collect()
}

fn attempt(attempt: &Attempt) -> Value {
    context! {
        number => attempt.number, started => minute(Some(&attempt.started_at)),
        took => human::took(&attempt.started_at, attempt.ended_at.as_deref()),
        received => size(Some(attempt.bytes)), outcome => attempt.outcome.as_str(),
        error => attempt.error.as_deref().map(|error| shown(error, MESSAGE)),
    }
}

fn note(note: &Note) -> Value {
    context! { kind => shown(&note.kind, 40), text => shown(&note.text, MESSAGE), at => minute(Some(&note.at)) }
}

fn copy(copy: &Copy) -> Value {
    context! {
        target => shown(&copy.target, 100), state => copy.state.as_str(),
        key => copy.key.as_deref().map(|key| shown(key, MESSAGE)),
        copied => minute(copy.copied_at.as_deref()), verified => minute(copy.verified_at.as_deref()),
        error => copy.error.as_deref().map(|error| shown(error, MESSAGE)),
    }
}
