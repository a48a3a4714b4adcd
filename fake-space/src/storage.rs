//! The media store: what S3 does with a pre-signed GET, as far as a downloader can observe it.

use uuid::Uuid;

use crate::http::{self, Body, Request, Response};
use crate::media::Media;
use crate::model::Recording;
use crate::signing::Refusal;
use crate::state::State;

const HOP: &str = "/hop/";

/// The body of an error of S3.
pub(crate) fn error_body(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message><RequestId>FAKE0000SPACE000</RequestId>\
         <HostId>fake-space</HostId></Error>"
    )
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body = Body::of(error_body(code, message));
    Response::new(status, body).with_header("content-type", "application/xml")
}

/// A 416 for a file of this length.
pub(crate) fn not_satisfiable(len: u64) -> Response {
    let message = "The requested range is not satisfiable";
    error(416, "InvalidRange", message).with_header("content-range", format!("bytes */{len}"))
}

pub(crate) fn handle(state: &State, request: &Request) -> Response {
    let response = match hop(request) {
        Some((0, request)) => object(state, &request, &state.media_host()),
        Some((left, request)) => Response::redirect(302, &hop_path(&request, left - 1)),
        None => object(state, request, request.header("host").unwrap_or_default()),
    };
    response
        .with_header("x-amz-request-id", "FAKE0000SPACE000")
        .with_header("server", "AmazonS3")
}

/// The path of a redirect that a fault makes: `/hop/<redirects left>` before the path of the file.
pub(crate) fn hop_path(request: &Request, left: u32) -> String {
    format!("{HOP}{left}{}?{}", request.path, request.raw_query)
}

pub(crate) fn is_hop(request: &Request) -> bool {
    request.path.starts_with(HOP)
}

/// The redirects left, and the request without its hop.
fn hop(request: &Request) -> Option<(u32, Request)> {
    let (left, path) = request.path.strip_prefix(HOP)?.split_once('/')?;
    let mut request = request.clone();
    request.path = format!("/{path}");
    Some((left.parse().ok()?, request))
}

fn object(state: &State, request: &Request, host: &str) -> Response {
    if request.header("authorization").is_some() {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                       Signature query string parameter or the Authorization header should be specified";
        return error(400, "InvalidArgument", message);
    }
    let life = state.options().real_link_life.map(|life| life.as_secs());
    if let Err(refusal) = state.signer.check(request, host, state.now(), life) {
        return refused(refusal);
    }
    let found = recording_id(&request.path)
        .and_then(|id| state.with_world(|world| world.recording(id)))
        .filter(Recording::is_ready);
    match found {
        Some(recording) => serve(request, &recording),
        None => error(404, "NoSuchKey", "The specified key does not exist."),
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unsigned => error(403, "AccessDenied", "Access Denied"),
        Refusal::Expired => error(403, "AccessDenied", "Request has expired"),
        Refusal::Malformed => error(
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be a number less than a week (in seconds) 604800",
        ),
        Refusal::Mismatch => error(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. \
             Check your key and signing method.",
        ),
    }
}

fn recording_id(path: &str) -> Option<Uuid> {
    let (_, file) = path.rsplit_once('/')?;
    Uuid::try_parse(file.strip_suffix(".mp4")?).ok()
}

fn serve(request: &Request, recording: &Recording) -> Response {
    let media = &recording.media;
    let modified = http::date(recording.updated_at);
    if let Some(wanted) = request.header("if-match")
        && wanted != "*"
        && wanted != media.etag()
    {
        let message = "At least one of the pre-conditions you specified did not hold";
        return error(412, "PreconditionFailed", message);
    }
    let same = request
        .header("if-range")
        .is_none_or(|validator| validator == media.etag() || validator == modified);
    let range = request.header("range").filter(|_| same);
    let mut response = match range.map_or(Range::Whole, |text| Range::read(text, media.len())) {
        Range::Whole => Response::new(200, body(media, 0, media.len())),
        Range::Part(first, last) => {
            let range = format!("bytes {first}-{last}/{}", media.len());
            Response::new(206, body(media, first, last + 1)).with_header("content-range", range)
        }
        Range::NotSatisfiable => return not_satisfiable(media.len()),
    };
    let content_type = request.param("response-content-type");
    response.set_header("content-type", content_type.unwrap_or(media.content_type()));
    if let Some(disposition) = request.param("response-content-disposition") {
        response.set_header("content-disposition", disposition);
    }
    response
        .with_header("etag", media.etag())
        .with_header("last-modified", modified)
        .with_header("accept-ranges", "bytes")
}

fn body(media: &Media, from: u64, to: u64) -> Body {
    Body {
        len: Some(to - from),
        pieces: Box::new(media.read(from..to)),
    }
}

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From this byte to that one, both included.
    Part(u64, u64),
    NotSatisfiable,
}

impl Range {
    /// As S3 does, an invalid header or more than one range is answered with the whole file.
    fn read(text: &str, len: u64) -> Self {
        let range = text
            .strip_prefix("bytes=")
            .and_then(|range| range.split_once('-'));
        let parsed = range.and_then(|(first, last)| {
            let number = |text: &str| text.parse::<u64>().ok();
            match (first, last) {
                ("", count) => Some((len.saturating_sub(number(count)?), u64::MAX)),
                (first, "") => Some((number(first)?, u64::MAX)),
                (first, last) => Some((number(first)?, number(last)?)),
            }
        });
        match parsed {
            Some((first, last)) if first <= last && first < len => {
                Self::Part(first, last.min(len - 1))
            }
            Some((first, last)) if first <= last => Self::NotSatisfiable,
            _ => Self::Whole,
        }
    }
}
