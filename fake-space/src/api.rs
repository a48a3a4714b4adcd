//! The documented video API: sessions, their recordings, recordings, and their deletion.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Body, Request, Response};
use crate::paging::{Paging, invalid, number};
use crate::signing::LONGEST_LIFE;
use crate::state::State;
use crate::world::{List, Row};

/// The error is a response as well, so that `?` ends the handling of a bad request.
type Handled = Result<Response, Box<Response>>;

pub(crate) fn handle(state: &State, request: &Request) -> Response {
    route(state, request).unwrap_or_else(|refusal| *refusal)
}

fn not_found() -> Box<Response> {
    Box::new(Response::error(404))
}

fn route(state: &State, request: &Request) -> Handled {
    authorize(state, request)?;
    let path = request.path.strip_prefix("/api/video/").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["room_sessions"]) => list(state, request, List::Sessions),
        ("GET", ["room_sessions", id]) => session(state, id),
        ("GET", ["room_sessions", id, "recordings"]) => {
            // An invalid id is answered like an unknown one: with an empty list.
            let id = Uuid::try_parse(id).unwrap_or_default();
            list(state, request, List::SessionRecordings(id))
        }
        ("GET", ["room_recordings"]) => list(state, request, List::Recordings),
        ("GET", ["room_recordings", id]) => recording(state, request, id),
        ("DELETE", ["room_recordings", id]) => delete(state, id),
        _ => Err(not_found()),
    }
}

fn authorize(state: &State, request: &Request) -> Result<(), Box<Response>> {
    let (options, refuse) =
        state.with_settings(|settings| (settings.options.clone(), settings.refuse_credentials));
    if let Some(status) = refuse {
        return Err(Box::new(Response::error(status)));
    }
    let pair = format!("{}:{}", options.project_id, options.token);
    let wanted = BASE64_STANDARD.encode(pair);
    let given = request
        .header("authorization")
        .and_then(|text| text.split_once(' '));
    let right = given.is_some_and(|(scheme, text)| {
        scheme.eq_ignore_ascii_case("basic") && text.trim() == wanted
    });
    right
        .then_some(())
        .ok_or_else(|| Box::new(Response::error(401)))
}

fn uuid(text: &str) -> Result<Uuid, Box<Response>> {
    Uuid::try_parse(text).map_err(|_| not_found())
}

fn session(state: &State, id: &str) -> Handled {
    let id = uuid(id)?;
    let now = state.now();
    state.with_world(|world| {
        let session = world.session(id).ok_or_else(not_found)?;
        Ok(Response::json(200, &world.patched(id, session.single(now))))
    })
}

fn recording(state: &State, request: &Request, id: &str) -> Handled {
    let id = uuid(id)?;
    let ttl = media_ttl(state, request)?;
    state.with_world(|world| {
        let recording = world.recording(id).ok_or_else(not_found)?;
        let object = recording.json(state.mint(&recording, ttl).as_deref());
        Ok(Response::json(200, &world.patched(id, object)))
    })
}

fn delete(state: &State, id: &str) -> Handled {
    let id = uuid(id)?;
    if state.with_world(|world| world.delete_recording(id)) {
        return Ok(Response::new(204, Body::of("")));
    }
    Err(not_found())
}

fn list(state: &State, request: &Request, list: List) -> Handled {
    let fresh = state.fresh_id();
    let now = state.now();
    let options = state.options();
    let paging = state.with_settings(|settings| {
        Paging::read(request, &options, &mut settings.page_tokens, fresh)
    })?;
    let ttl = match list {
        List::Sessions => 0,
        List::Recordings | List::SessionRecordings(_) => media_ttl(state, request)?,
    };
    let (offset, size) = (paging.offset(), paging.size);
    let (data, more) = state.with_world(|world| {
        let (rows, more) = world.page(list, options.order, offset, size);
        let data = rows.into_iter().map(|row| match row {
            Row::Raw(value) => value,
            Row::Session(session) => world.patched(session.id, session.listed(now)),
            Row::Recording(recording) => world.patched(
                recording.id,
                recording.json(state.mint(&recording, ttl).as_deref()),
            ),
        });
        (data.collect::<Vec<Value>>(), more)
    });
    let links = paging.links(request, &options, &state.api_url(), more);
    Ok(Response::json(
        200,
        &json!({ "links": links, "data": data }),
    ))
}

fn media_ttl(state: &State, request: &Request) -> Result<u64, Box<Response>> {
    let options = state.options();
    let requested = number(options.error_format, request, "media_ttl")?;
    if requested.is_some_and(|seconds| seconds > options.media_ttl_max) {
        let message = format!("media_ttl must be at most {}", options.media_ttl_max);
        let refusal = invalid(
            options.error_format,
            "invalid_parameter",
            &message,
            "media_ttl",
        );
        return Err(Box::new(refusal));
    }
    Ok(requested
        .unwrap_or(options.link_ttl_default.as_secs())
        .min(LONGEST_LIFE))
}
