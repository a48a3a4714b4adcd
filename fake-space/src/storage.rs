//! The media origin: what S3 does with a pre-signed GET, as far as a downloader can tell.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::http::{Body, Request, Response};
use crate::media::Media;
use crate::model::Recording;
use crate::signing::Refusal;
use crate::space::Inner;

/// A time as HTTP writes it.
pub(crate) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An error as S3 writes it.
pub(crate) fn xml(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{message}</Message><RequestId>FAKE0000SPACE000</RequestId>\
         <HostId>fake-space</HostId></Error>"
    );
    Response::new(status, Body::of(body)).header("content-type", "application/xml")
}

pub(crate) fn handle(inner: &Inner, request: &Request) -> Response {
    let response = match hop(request) {
        Some((0, request)) => object(inner, &request, &inner.media_host()),
        Some((left, request)) => redirect_on(left, &request),
        None => object(inner, request, request.header("host").unwrap_or_default()),
    };
    response
        .header("x-amz-request-id", "FAKE0000SPACE000")
        .header("server", "AmazonS3")
}

/// A redirect of a fault leads through `/hop/<how many are left>` before the path.
fn hop(request: &Request) -> Option<(u32, Request)> {
    let (left, path) = request.path.strip_prefix("/hop/")?.split_once('/')?;
    let mut request = request.clone();
    request.path = format!("/{path}");
    Some((left.parse().ok()?, request))
}

fn redirect_on(left: u32, request: &Request) -> Response {
    let (path, query) = (&request.path, &request.raw_query);
    let location = format!("/hop/{}{path}?{query}", left - 1);
    Response::new(302, Body::of("")).header("location", location)
}

fn object(inner: &Inner, request: &Request, host: &str) -> Response {
    if request.header("authorization").is_some() {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                       Signature query string parameter or the Authorization header should be specified";
        return xml(400, "InvalidArgument", message);
    }
    let life = inner.with_settings(|settings| settings.options.real_link_life);
    let life = life.map(|life| life.as_secs().cast_signed());
    if let Err(refusal) = inner.signer.check(request, host, inner.clock.now(), life) {
        return refused(refusal);
    }
    let found = recording_id(&request.path)
        .and_then(|id| inner.with_world(|world| world.recording(id)))
        .filter(Recording::is_ready);
    match found {
        Some(recording) => serve(request, &recording),
        None => xml(404, "NoSuchKey", "The specified key does not exist."),
    }
}

fn refused(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Unsigned => xml(403, "AccessDenied", "Access Denied"),
        Refusal::Expired => xml(403, "AccessDenied", "Request has expired"),
        Refusal::Malformed => xml(
            400,
            "AuthorizationQueryParametersError",
            "X-Amz-Expires must be a number less than a week (in seconds) 604800",
        ),
        Refusal::Mismatch => xml(
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
    let modified = http_date(recording.updated_at);
    if let Some(wanted) = request.header("if-match")
        && wanted != "*"
        && wanted != media.etag()
    {
        let message = "At least one of the pre-conditions you specified did not hold";
        return xml(412, "PreconditionFailed", message);
    }
    let same = request
        .header("if-range")
        .is_none_or(|validator| validator == media.etag() || validator == modified);
    let asked = request.header("range").filter(|_| same);
    let mut response = match asked.map_or(Asked::Whole, |text| Asked::read(text, media.len())) {
        Asked::Whole => Response::new(200, body(media, 0, media.len())),
        Asked::Part(first, last) => {
            let range = format!("bytes {first}-{last}/{}", media.len());
            Response::new(206, body(media, first, last + 1)).header("content-range", range)
        }
        Asked::Nothing => {
            let range = format!("bytes */{}", media.len());
            return xml(
                416,
                "InvalidRange",
                "The requested range is not satisfiable",
            )
            .header("content-range", range);
        }
    };
    let content_type = request.param("response-content-type");
    response.set_header("content-type", content_type.unwrap_or(media.content_type()));
    if let Some(disposition) = request.param("response-content-disposition") {
        response.set_header("content-disposition", disposition);
    }
    response
        .header("etag", media.etag())
        .header("last-modified", modified)
        .header("accept-ranges", "bytes")
}

fn body(media: &Media, from: u64, to: u64) -> Body {
    Body {
        len: Some(to - from),
        pieces: Box::new(media.read(from..to)),
    }
}

/// What a Range header comes to.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    /// From this byte to this one, both included.
    Part(u64, u64),
    Nothing,
}

impl Asked {
    /// What can't be read, and more ranges than one, S3 answers with the whole.
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
            Some((first, last)) if first <= last => Self::Nothing,
            _ => Self::Whole,
        }
    }
}
