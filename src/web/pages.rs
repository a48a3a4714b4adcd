//! The pages: each reads what it shows, then renders it.

mod common;
mod recording;
mod status;

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use minijinja::{Value, context};

use super::db::{ArchivedFile, Listed, Recording, Room, Session};
use super::failure::Failure;
use super::guard::Viewer;
use super::listen::Steps;
use super::media as files;
use super::query::{Query, link};
use super::render::{minute, page, shown, size};
use super::site::{Shared, Site};
use crate::human;
use crate::model::{ConcernKind, RecordingId, SessionId, State as Of};
use common::{NAME, NO_RECORDING, Page};
pub(super) use recording::recording;
pub(super) use status::status;

/// A row of recordings.
fn row(row: &Recording) -> Value {
    let when = minute(row.started_at.as_deref());
    context! {
        id => row.id.as_str(),
        when => if when.is_empty() { "unknown time" } else { &when },
        room => shown(row.room_name.as_deref().unwrap_or_default(), NAME),
        state => row.state.as_str(),
        duration => row.duration_seconds.map(human::seconds),
        size => size(row.size_bytes),
        concerns => row.concerns.as_deref().map(|concerns| concerns.replace(',', ", ")),
    }
}

/// The list of recordings.
pub(super) async fn recordings(State(site): State<Shared>, RawQuery(query): RawQuery) -> Page {
    let query = Query::parse(query.as_deref())?;
    let (wanted, place) = (query.recordings()?, query.place()?);
    let first = place.is_none();
    let pool = site.database.pool().await?;
    let Listed { rows, next, cut } = wanted.read(&pool, place).await?;
    let rows: Vec<_> = rows.iter().map(row).collect();
    let next = next.map(|place| query.with("after", &place.text()));
    let room = query.get("room").map(|room| shown(room, 1_000));
    page(
        "recordings.html",
        "Recordings",
        context! {
            rows, next, cut, first, room,
            from => query.get("from"), to => query.get("to"), state => query.get("state"),
            concern => query.get("concern"), states => Of::ALL.map(Of::as_str).to_vec(),
            concerns => ConcernKind::ALL.map(ConcernKind::as_str).to_vec(),
        },
    )
}

/// The list of sessions, or of gaps.
pub(super) async fn sessions(State(site): State<Shared>, RawQuery(query): RawQuery) -> Page {
    let query = Query::parse(query.as_deref())?;
    let (wanted, place) = (query.sessions()?, query.place()?);
    let first = place.is_none();
    let pool = site.database.pool().await?;
    let Listed { rows, next, cut } = wanted.read(&pool, place).await?;
    let rows: Vec<_> = rows.iter().map(session_row).collect();
    let next = next.map(|place| query.with("after", &place.text()));
    page(
        "sessions.html",
        if wanted.gaps { "Gaps" } else { "Sessions" },
        context! {
            rows, next, cut, first, gaps => wanted.gaps, room => query.get("room").map(|room| shown(room, 1_000)),
            from => query.get("from"), to => query.get("to"),
        },
    )
}

fn session_row(row: &Session) -> Value {
    let when = minute(row.start_time.as_deref());
    context! {
        id => row.id.as_str(),
        when => if when.is_empty() { "unknown time" } else { &when },
        room => shown(row.room_name.as_deref().unwrap_or_default(), NAME),
        took => row.start_time.as_deref().map(|start| human::took(start, row.end_time.as_deref())),
        status => shown(row.status.as_deref().unwrap_or("unknown"), 20),
        listed => row.listed, archived => row.archived, open => row.open, complete => row.complete,
        error => row.list_error.as_deref().map(|error| shown(error, 60)),
    }
}

/// One session with its recordings.
pub(super) async fn session(
    State(site): State<Shared>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Page {
    let id: SessionId = id.parse().map_err(|_| NO_SESSION)?;
    let query = Query::parse(query.as_deref())?;
    let pool = site.database.pool().await?;
    let session = Session::read(&pool, &id.to_string())
        .await?
        .ok_or(NO_SESSION)?;
    let Listed { rows, next, .. } = Recording::of_session(&pool, &session, query.place()?).await?;
    let rows: Vec<_> = rows.iter().map(row).collect();
    let room = session.room_name.as_deref();
    let next = next.map(|place| query.with("after", &place.text()));
    page(
        "session.html",
        "Session",
        context! {
            session => session_row(&session), rows, next, id => id.to_string(),
            room => room.map(|room| shown(room, 1_000)),
            room_link => room.map(|room| link("/recordings", "room", room)),
            end => minute(session.end_time.as_deref()),
            error => session.list_error.as_deref().map(|error| shown(error, 500)),
        },
    )
}

const NO_SESSION: Failure = Failure::NotFound("There is no session with this id in the archive.");

/// The list of rooms.
pub(super) async fn rooms(State(site): State<Shared>, RawQuery(query): RawQuery) -> Page {
    let query = Query::parse(query.as_deref())?;
    let after = query.get("after").unwrap_or_default();
    let pool = site.database.pool().await?;
    let Listed { rows, next, .. } = Room::list(&pool, after).await?;
    let counted = site.snapshots.newest(&site.database).await?;
    let rows: Vec<_> = rows
        .iter()
        .map(|room| {
            let totals = counted
                .as_ref()
                .and_then(|counted| counted.rooms.get(&room.name));
            context! {
                name => shown(&room.name, NAME),
                link => link("/recordings", "room", &room.name),
                last => minute(room.last_session.as_deref()),
                recordings => totals.map(|totals| totals.recordings),
                size => size(totals.map(|totals| totals.bytes)),
                duration => totals.and_then(|totals| totals.seconds).map(human::seconds),
            }
        })
        .collect();
    let next = next.map(|room| link("/rooms", "after", &room));
    let age = counted.map(|counted| site.age(&counted));
    page(
        "rooms.html",
        "Rooms",
        context! { rows, next, age, first => after.is_empty() },
    )
}

/// The file of a recording.
pub(super) async fn media(
    State(site): State<Shared>,
    Path(id): Path<String>,
    Extension(viewer): Extension<Viewer>,
    Extension(steps): Extension<Steps>,
    method: Method,
    headers: HeaderMap,
) -> Page {
    let id: RecordingId = id.parse().map_err(|_| NO_RECORDING)?;
    let pool = site.database.pool().await?;
    let row = ArchivedFile::read(&pool, &id.to_string())
        .await?
        .ok_or(Failure::NotFound("No file of this recording is archived."))?;
    let archive = site.archive.clone();
    let opened = tokio::task::spawn_blocking(move || files::open(&archive, row)).await;
    let opened = opened.map_err(|error| Failure::internal(&error))??;
    let response = opened.respond(&method, &headers, steps.0)?;
    if method == Method::GET && response.status().is_success() {
        viewer.saw(id, "sent a recording");
    }
    Ok(response)
}

impl Viewer {
    /// Notes who looked at a recording.
    fn saw(&self, id: RecordingId, what: &'static str) {
        tracing::info!(recording.id = %id, user = self.user, peer = self.peer, "{what}");
    }
}

/// What is at no other address.
pub(super) async fn nothing() -> Failure {
    Failure::NotFound("There is no page at this address.")
}

impl Site {
    /// How old what was counted is.
    fn age(&self, counted: &Arc<super::db::Snapshot>) -> String {
        human::duration(self.clock.monotonic().saturating_sub(counted.at))
    }
}
