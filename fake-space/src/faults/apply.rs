//! Applying actions: before a request is handled, and to its response.

use bytes::Bytes;

use super::action::Action;
use crate::http::{Body, Break, Framing, Request, Response};
use crate::media::{Generated, Media};
use crate::state::State;
use crate::storage::{self, hop_path, is_hop};

/// What to do with a request, according to the actions on it.
pub(crate) enum Intercepted {
    /// Close the connection without a response.
    Close,
    /// End the connection with a RST.
    Reset,
    /// Send these bytes and close the connection.
    Raw(Bytes),
    /// This is the response.
    Answer(Response),
    /// Handle it as usual.
    Pass,
}

/// Applies the actions that come before a response: they wait, change the request or take it over.
pub(crate) async fn intercept(actions: &[Action], request: &mut Request) -> Intercepted {
    let mut result = Intercepted::Pass;
    for action in actions {
        match action {
            Action::Delay(time) => tokio::time::sleep(*time).await,
            Action::Hold(gate) => gate.pass().await,
            Action::Reset => return Intercepted::Reset,
            Action::Close => return Intercepted::Close,
            Action::Raw(bytes) => return Intercepted::Raw(bytes.clone()),
            Action::Answer(answer) => {
                let mut response = Response::new(answer.status, Body::of(answer.body.clone()));
                response.headers.clone_from(&answer.headers);
                result = Intercepted::Answer(response);
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
    result
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

pub(crate) fn run_hooks(actions: &[Action], state: &State) {
    for action in actions {
        if let Action::After(hook) = action {
            hook(state);
        }
    }
}

/// Applies the actions on a response, in order.
pub(crate) fn modify(
    actions: &[Action],
    state: &State,
    request: &Request,
    mut response: Response,
) -> Response {
    for action in actions {
        if !modify_delivery(action, &mut response) {
            response = modify_content(action, state, request, response);
        }
    }
    response
}

/// Actions on how the response is sent; returns `false` for all others.
fn modify_delivery(action: &Action, response: &mut Response) -> bool {
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

/// Actions on the status, the headers and the body.
fn modify_content(
    action: &Action,
    state: &State,
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
            let range = response.header("content-range");
            let range = range.and_then(|text| text.split_once('/'));
            let range = range.map_or("bytes 0-0", |(range, _)| range).to_owned();
            response.set_header("content-range", format!("{range}/{total}"));
        }
        Action::Multipart => multipart(&mut response),
        Action::NotSatisfiable => {
            return storage::not_satisfiable(response.body.len.unwrap_or(0));
        }
        Action::Redirect(status, location) => return Response::redirect(*status, location),
        Action::RedirectLoop(status) => {
            let location = format!("{}?{}", request.path, request.raw_query);
            return Response::redirect(*status, &location);
        }
        // A request that was redirected passes, or the rule would redirect it again and again.
        Action::Bounce(status, hops) if !is_hop(request) => {
            let location = hop_path(request, hops.saturating_sub(1));
            return Response::redirect(*status, &location);
        }
        Action::BounceToApi(status) if !is_hop(request) => {
            let location = format!("{}{}", state.api_url(), hop_path(request, 0));
            return Response::redirect(*status, &location);
        }
        _ => {}
    }
    response
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
    let header = |name| response.header(name).unwrap_or_default();
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
