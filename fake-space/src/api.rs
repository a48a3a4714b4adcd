//! The documented video API: sessions, their recordings, recordings, and their deletion.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Body, Request, Response};
use crate::model::Recording;
use crate::paging::{Paging, invalid, number};
use crate::signing::secure_link;
use crate::space::{Complaints, Inner};
use crate::world::{Filter, List, Row};

/// `SigV4` itself allows no longer life.
const LONGEST_LINK: u64 = 604_800;

type Answered = Result<Response, Box<Response>>;

pub(crate) fn handle(inner: &Inner, request: &Request) -> Response {
    answer(inner, request).unwrap_or_else(|refusal| *refusal)
}

/// A documented error: one word for the status.
fn error(status: u16, word: &str) -> Box<Response> {
    Box::new(Response::json(status, &json!({ "error": word })))
}

fn answer(inner: &Inner, request: &Request) -> Answered {
    authorize(inner, request)?;
    let path = request.path.strip_prefix("/api/video/").unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["room_sessions"]) => list(inner, request, List::Sessions),
        ("GET", ["room_sessions", id]) => session(inner, id),
        ("GET", ["room_sessions", id, "recordings"]) => {
            // An id that is none is answered like one that is unknown: with an empty list.
            let id = Uuid::try_parse(id).unwrap_or_default();
            list(inner, request, List::SessionRecordings(id))
        }
        ("GET", ["room_recordings"]) => list(inner, request, List::Recordings),
        ("GET", ["room_recordings", id]) => recording(inner, request, id),
        ("DELETE", ["room_recordings", id]) => delete(inner, id),
        _ => Err(error(404, "Not Found")),
    }
}

fn authorize(inner: &Inner, request: &Request) -> Result<(), Box<Response>> {
    let (options, refused) =
        inner.with_settings(|settings| (settings.options.clone(), settings.refuse_credentials));
    match refused {
        Some(403) => return Err(error(403, "Forbidden")),
        Some(_) => return Err(error(401, "Unauthorized")),
        None => {}
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
        .ok_or_else(|| error(401, "Unauthorized"))
}

fn uuid(text: &str) -> Result<Uuid, Box<Response>> {
    Uuid::try_parse(text).map_err(|_| error(404, "Not Found"))
}

fn session(inner: &Inner, id: &str) -> Answered {
    let id = uuid(id)?;
    let now = inner.clock.now();
    inner.with_world(|world| {
        let session = world.session(id).ok_or_else(|| error(404, "Not Found"))?;
        Ok(Response::json(200, &world.patched(id, session.single(now))))
    })
}

fn recording(inner: &Inner, request: &Request, id: &str) -> Answered {
    let id = uuid(id)?;
    let ttl = media_ttl(inner, request)?;
    inner.with_world(|world| {
        let recording = world.recording(id).ok_or_else(|| error(404, "Not Found"))?;
        let object = recording.json(mint(inner, &recording, ttl).as_deref());
        Ok(Response::json(200, &world.patched(id, object)))
    })
}

fn delete(inner: &Inner, id: &str) -> Answered {
    let id = uuid(id)?;
    if inner.with_world(|world| world.delete_recording(id)) {
        return Ok(Response::new(204, Body::of("")));
    }
    Err(error(404, "Not Found"))
}

fn list(inner: &Inner, request: &Request, list: List) -> Answered {
    let fresh = inner.fresh_id();
    let now = inner.clock.now();
    let options = inner.with_settings(|settings| settings.options.clone());
    let paging = inner.with_settings(|settings| {
        Paging::read(request, &options, &mut settings.page_tokens, fresh)
    })?;
    let mut filter = Filter::default();
    let mut ttl = 0;
    if list == List::Sessions {
        filter = read_filter(options.complaints, request)?;
    } else {
        ttl = media_ttl(inner, request)?;
    }
    let (offset, size) = (paging.offset(), paging.size);
    let (data, more) = inner.with_world(|world| {
        let (rows, more) = world.page(list, &filter, options.order, offset, size);
        let data = rows.into_iter().map(|row| match row {
            Row::Raw(value) => value,
            Row::Session(session) => world.patched(session.id, session.listed(now)),
            Row::Recording(recording) => world.patched(
                recording.id,
                recording.json(mint(inner, &recording, ttl).as_deref()),
            ),
        });
        (data.collect::<Vec<Value>>(), more)
    });
    let links = paging.links(request, &options, &inner.api_url(), more);
    Ok(Response::json(
        200,
        &json!({ "links": links, "data": data }),
    ))
}

fn read_filter(form: Complaints, request: &Request) -> Result<Filter, Box<Response>> {
    let parameter = |name| request.param(name).map(str::to_owned);
    let status = parameter("status");
    if status
        .as_ref()
        .is_some_and(|word| !["in-progress", "completed"].contains(&word.as_str()))
    {
        let message = "status must be in-progress or completed";
        return Err(Box::new(invalid(
            form,
            "invalid_parameter",
            message,
            "status",
        )));
    }
    Ok(Filter {
        room_id: parameter("room_id"),
        room_name: parameter("room_name"),
        room_name_matches: parameter("room_name_matches"),
        status,
    })
}

fn media_ttl(inner: &Inner, request: &Request) -> Result<u64, Box<Response>> {
    let options = inner.with_settings(|settings| settings.options.clone());
    let asked = number(options.complaints, request, "media_ttl")?;
    if asked.is_some_and(|asked| asked > options.media_ttl_max) {
        let message = format!("media_ttl must be at most {}", options.media_ttl_max);
        let refusal = invalid(
            options.complaints,
            "invalid_parameter",
            &message,
            "media_ttl",
        );
        return Err(Box::new(refusal));
    }
    Ok(asked
        .unwrap_or(options.link_ttl_default.as_secs())
        .min(LONGEST_LINK))
}

/// A fresh link to a completed recording.
pub(crate) fn mint(inner: &Inner, recording: &Recording, ttl: u64) -> Option<String> {
    let (id, session) = (recording.id, recording.session_id);
    let (project, secure) = inner.with_settings(|settings| {
        let options = &settings.options;
        (options.project_id, options.secure_links.clone())
    });
    let folder = format!("/files.signalwire.com/{project}/{session}/video-room-recordings");
    recording.is_ready().then(|| {
        if let Some(secure) = &secure {
            return secure_link(secure, &format!("{id}.mp4"), inner.clock.now(), ttl);
        }
        inner.signer.sign(
            &format!("{folder}/{id}.mp4"),
            &format!("{id}.mp4"),
            recording.media.content_type(),
            inner.clock.now(),
            ttl.cast_signed(),
        )
    })
}
