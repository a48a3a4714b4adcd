//! The doing: what comes before a request is handled, and how its answer is bent.

use bytes::Bytes;

use super::Action;
use crate::http::{Body, Break, Framing, Request, Response};
use crate::media::{Generated, Media};
use crate::space::{Inner, Space};
use crate::storage;

/// What is left to do after the actions that come before the answer.
pub(crate) enum Before {
    /// The connection ends without an answer.
    Cut(Break),
    /// The connection ends after these bytes.
    Raw(Bytes),
    /// This is the answer.
    Answered(Response),
    /// The space answers.
    GoOn,
}

/// Waits, cuts, changes the request, or answers it.
pub(crate) async fn before(actions: &[Action], request: &mut Request) -> Before {
    let mut end = Before::GoOn;
    for action in actions {
        match action {
            Action::Delay(time) => tokio::time::sleep(*time).await,
            Action::Hold(gate) => gate.pass().await,
            Action::Reset => return Before::Cut(Break::Reset),
            Action::Close => return Before::Cut(Break::Close),
            Action::Raw(bytes) => return Before::Raw(bytes.clone()),
            Action::Answer(answer) => {
                let mut response = Response::new(answer.status, Body::of(answer.body.clone()));
                response.headers.clone_from(&answer.headers);
                end = Before::Answered(response);
            }
            Action::IgnoreRange => request.remove_header("range"),
            Action::UnaskedPartial(first) if request.header("range").is_none() => {
                let range = format!("bytes={first}-");
                request.headers.push(("range".to_owned(), range));
            }
            Action::ShiftRange(by) => shift_range(request, *by),
            _ => {}
        }
    }
    end
}

fn shift_range(request: &mut Request, by: i64) {
    let range = request
        .header("range")
        .and_then(|text| text.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return;
    };
    let first = first.parse::<u64>().unwrap_or(0).saturating_add_signed(by);
    let range = format!("bytes={first}-{last}");
    request.remove_header("range");
    request.headers.push(("range".to_owned(), range));
}

/// Runs the hooks that come once the answer is made.
pub(crate) fn after(actions: &[Action], space: &Space) {
    for action in actions {
        if let Action::After(hook) = action {
            hook(space);
        }
    }
}

/// Bends the answer.
pub(crate) fn bend(
    actions: &[Action],
    inner: &Inner,
    request: &Request,
    mut response: Response,
) -> Response {
    for action in actions {
        if !bend_wire(action, &mut response) {
            response = bend_content(action, inner, request, response);
        }
    }
    response
}

/// Actions on how the answer goes over the wire; `false` if this is none.
fn bend_wire(action: &Action, response: &mut Response) -> bool {
    let delivery = &mut response.delivery;
    match action {
        Action::ResetAfter(bytes) => delivery.breaks = Some((*bytes, Break::Reset)),
        Action::CloseAfter(bytes) => delivery.breaks = Some((*bytes, Break::Close)),
        Action::StallAfter(bytes, gate) => {
            delivery.breaks = Some((*bytes, Break::Hold(gate.clone())));
        }
        Action::Trickle(size, pause) => delivery.trickle = Some((*size, *pause)),
        Action::TrickleHead(size, pause) => delivery.trickle_head = Some((*size, *pause)),
        Action::Bandwidth(rate) => delivery.bytes_per_second = Some(*rate),
        Action::Chunked => delivery.framing = Framing::Chunked,
        Action::UntilClose => delivery.framing = Framing::Close,
        Action::DeclareLength(len) => delivery.framing = Framing::Declared(*len),
        Action::Endless => {
            let more = Media::generated(Generated::of_size(u64::MAX >> 1)).read(0..u64::MAX);
            append(&mut response.body, more);
            response.body.len = None;
            delivery.framing = Framing::Chunked;
        }
        Action::LongerBy(bytes) => {
            delivery.framing = Framing::Declared(response.body.len.unwrap_or(0));
            let more = Media::generated(Generated::of_size(*bytes)).read(0..*bytes);
            append(&mut response.body, more);
        }
        _ => return false,
    }
    true
}

fn append(body: &mut Body, more: impl Iterator<Item = Bytes> + Send + 'static) {
    let pieces = std::mem::replace(&mut body.pieces, Box::new(std::iter::empty()));
    body.pieces = Box::new(pieces.chain(more));
}

/// Actions on what the answer says.
fn bend_content(
    action: &Action,
    inner: &Inner,
    request: &Request,
    mut response: Response,
) -> Response {
    match action {
        Action::Edit(change) => {
            let bytes = response.body.gather();
            response.body = Body::of(match serde_json::from_slice(&bytes) {
                Ok(mut value) => {
                    change(&mut value);
                    value.to_string().into()
                }
                Err(_) => bytes,
            });
        }
        Action::Replace(text, by) => {
            let bytes = response.body.gather();
            let body = String::from_utf8_lossy(&bytes).replace(text, by);
            response.body = Body::of(body);
        }
        Action::CutBody(keep) => {
            let bytes = response.body.gather();
            response.body = Body::of(bytes.slice(..bytes.len().min(*keep)));
        }
        Action::OversizedJson(bytes) => response.body = oversized(*bytes),
        Action::DeepJson(depth) => {
            let text = format!("{{\"data\":{}{}}}", "[".repeat(*depth), "]".repeat(*depth));
            response.body = Body::of(text);
        }
        Action::SetHeader(name, value) => response.set_header(name, value),
        Action::RemoveHeader(name) => response.remove_header(name),
        Action::Status(status) => response.status = *status,
        Action::RangeTotal(total) => {
            let old = response
                .headers
                .iter()
                .find(|(name, _)| name == "content-range");
            let range = old.and_then(|(_, text)| text.split_once('/'));
            let range = range.map_or("bytes 0-0", |(range, _)| range).to_owned();
            response.set_header("content-range", format!("{range}/{total}"));
        }
        Action::Multipart => multipart(&mut response),
        Action::NotSatisfiable => {
            let len = response.body.len.unwrap_or(0);
            return storage::xml(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            )
            .header("content-range", format!("bytes */{len}"));
        }
        Action::Redirect(status, location) => return redirect(*status, location),
        Action::RedirectLoop(status) => {
            return redirect(*status, &format!("{}?{}", request.path, request.raw_query));
        }
        // What already came by a hop is let through: the rule would match it again.
        Action::Bounce(status, hops) if !request.path.starts_with("/hop/") => {
            return redirect(*status, &hop(request, hops.saturating_sub(1)));
        }
        Action::BounceToApi(status) if !request.path.starts_with("/hop/") => {
            return redirect(*status, &format!("{}{}", inner.api_url(), hop(request, 0)));
        }
        _ => {}
    }
    response
}

fn redirect(status: u16, location: &str) -> Response {
    Response::new(status, Body::of("")).header("location", location)
}

fn hop(request: &Request, left: u32) -> String {
    format!("/hop/{left}{}?{}", request.path, request.raw_query)
}

fn oversized(bytes: u64) -> Body {
    const PADDING: Bytes = Bytes::from_static(&[b'a'; 1 << 16]);
    let start = Bytes::from_static(b"{\"data\":[],\"padding\":\"");
    let end = Bytes::from_static(b"\"}");
    let padding = bytes.div_ceil(PADDING.len() as u64);
    let fixed = (start.len() + end.len()) as u64;
    let pieces = (0..padding).map(|_| PADDING);
    Body {
        len: Some(fixed + padding * PADDING.len() as u64),
        pieces: Box::new(std::iter::once(start).chain(pieces).chain([end])),
    }
}

fn multipart(response: &mut Response) {
    let header = |name: &str| {
        let pair = response.headers.iter().find(|(key, _)| key == name);
        pair.map_or(String::new(), |(_, value)| value.clone())
    };
    let start = Bytes::from(format!(
        "--part\r\ncontent-type: {}\r\ncontent-range: {}\r\n\r\n",
        header("content-type"),
        header("content-range")
    ));
    let end = Bytes::from_static(b"\r\n--part--\r\n");
    let fixed = (start.len() + end.len()) as u64;
    let pieces = std::mem::replace(&mut response.body.pieces, Box::new(std::iter::empty()));
    response.body.len = response.body.len.map(|len| len + fixed);
    response.body.pieces = Box::new(std::iter::once(start).chain(pieces).chain([end]));
    response.status = 206;
    response.remove_header("content-range");
    response.set_header("content-type", "multipart/byteranges; boundary=part");
}
