//! What a rule does to a request or to its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::space::Space;

/// An answer given instead of the true one.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

type Edit = Arc<dyn Fn(&mut Value) + Send + Sync>;
type Hook = Arc<dyn Fn(&Space) + Send + Sync>;

/// One fault. Several can act on one answer, in order.
#[derive(Clone)]
pub enum Action {
    /// Waits before it answers.
    Delay(Duration),
    /// Does not answer before the gate opens.
    Hold(Gate),
    /// Cuts the connection with a RST instead of an answer.
    Reset,
    /// Closes the connection instead of answering.
    Close,
    /// Answers this instead.
    Answer(Answer),
    /// Sends these bytes in place of an answer, HTTP or not, and closes the connection.
    Raw(Bytes),
    /// Does something to the space once the answer is made and before it is sent: rows that shift.
    After(Hook),

    /// Changes the JSON of the answer.
    Edit(Edit),
    /// Replaces a text of the body by another, which need not be JSON.
    Replace(String, String),
    /// Sends only the first bytes of the body, as if they were all of it.
    CutBody(usize),
    /// Answers JSON of at least so many bytes.
    OversizedJson(u64),
    /// Answers JSON of so many arrays in each other.
    DeepJson(usize),

    /// Sets a header of the answer.
    SetHeader(String, String),
    /// Takes a header out of the answer.
    RemoveHeader(String),
    /// Answers with this status and otherwise the same.
    Status(u16),

    /// Resets the connection after at most so many bytes of the body (the network may lose the last).
    ResetAfter(u64),
    /// Closes the connection after so many bytes of the body.
    CloseAfter(u64),
    /// Stops sending after so many bytes of the body, until the gate opens.
    StallAfter(u64, Gate),
    /// Sends pieces of this many bytes with a pause after each.
    Trickle(usize, Duration),
    /// Sends the head of the answer in such pieces.
    TrickleHead(usize, Duration),
    /// Sends at most so many bytes a second.
    Bandwidth(u64),
    /// Sends the body in chunks, without its length.
    Chunked,
    /// Sends the body without its length; the end of the connection is its end.
    UntilClose,
    /// Sends a body that never ends, in chunks.
    Endless,
    /// Sends so many bytes more than declared.
    LongerBy(u64),
    /// Declares this length, whatever is sent.
    DeclareLength(u64),

    /// Answers a Range request with 200 and the whole.
    IgnoreRange,
    /// Answers a request without a Range with 206 and the range from this byte on.
    UnaskedPartial(u64),
    /// Sends a 206 from this far beside the asked start, correctly labelled.
    ShiftRange(i64),
    /// Tells this total in the Content-Range.
    RangeTotal(String),
    /// Wraps the body as `multipart/byteranges`.
    Multipart,
    /// Answers 416.
    NotSatisfiable,

    /// Redirects to this place.
    Redirect(u16, String),
    /// Redirects so many times, within the media origin, and then answers.
    Bounce(u16, u32),
    /// Redirects to the API's origin, which then answers with the media.
    BounceToApi(u16),
    /// Redirects to itself, for ever.
    RedirectLoop(u16),
}

impl Action {
    /// This status with the documented error body.
    #[must_use]
    pub fn error(status: u16) -> Self {
        let word = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let body = json!({ "error": word }).to_string();
        Self::Answer(Answer::new(status).body("application/json", body))
    }

    /// This status with a `Retry-After` of this text.
    #[must_use]
    pub fn retry_after(status: u16, text: &str) -> Self {
        Self::Answer(Answer::new(status).header("retry-after", text))
    }

    /// A page of HTML, as something in between answers.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = "<!doctype html><html><title>Sorry</title><h1>We are back soon</h1></html>\n";
        Self::Answer(Answer::new(status).body("text/html; charset=utf-8", page))
    }

    /// An error of S3.
    #[must_use]
    pub fn s3_error(status: u16, code: &str) -> Self {
        let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code></Error>");
        Self::Answer(Answer::new(status).body("application/xml", body))
    }

    /// This text as a body of JSON.
    #[must_use]
    pub fn json_text(text: &str) -> Self {
        let body = text.to_owned();
        Self::Answer(Answer::new(200).body("application/json", body))
    }

    /// Changes the JSON of the answer.
    pub fn edit(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Edit(Arc::new(change))
    }

    /// Does something to the space once the answer is made and before it is sent.
    pub fn after(hook: impl Fn(&Space) + Send + Sync + 'static) -> Self {
        Self::After(Arc::new(hook))
    }

    /// Replaces a text of the body by another, which need not be JSON.
    #[must_use]
    pub fn replace(text: &str, by: &str) -> Self {
        Self::Replace(text.to_owned(), by.to_owned())
    }

    /// A list without `data`.
    #[must_use]
    pub fn data_missing() -> Self {
        Self::edit(|page| {
            page.as_object_mut().map(|page| page.remove("data"));
        })
    }

    /// A list whose `data` is this.
    #[must_use]
    pub fn data(value: Value) -> Self {
        Self::edit(move |page| page["data"] = value.clone())
    }

    /// Each row of the list twice.
    #[must_use]
    pub fn duplicate_rows() -> Self {
        Self::edit(|page| {
            if let Some(rows) = page["data"].as_array_mut() {
                rows.extend(rows.clone());
            }
        })
    }

    /// A list whose next page is this; null and `""` are said too.
    #[must_use]
    pub fn next(value: impl Into<Value>) -> Self {
        let value = value.into();
        Self::edit(move |page| page["links"]["next"] = value.clone())
    }

    /// A list whose next page is itself.
    #[must_use]
    pub fn repeat_next() -> Self {
        Self::edit(|page| page["links"]["next"] = page["links"]["self"].clone())
    }

    /// A list that always tells of another page, each with a link of its own; beyond the end they are
    /// empty.
    #[must_use]
    pub fn endless_pages() -> Self {
        Self::edit(|page| {
            let Some(this) = page["links"]["self"].as_str() else {
                return;
            };
            let number = this
                .split(['?', '&'])
                .find_map(|pair| pair.strip_prefix("page_number="));
            let number: u64 = number.and_then(|text| text.parse().ok()).unwrap_or(0);
            let old = format!("page_number={number}");
            let next = this.replace(&old, &format!("page_number={}", number + 1));
            page["links"]["next"] = next.into();
        })
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(name: &str, value: &str) -> Self {
        Self::SetHeader(name.to_owned(), value.to_owned())
    }

    /// Takes a header out of the answer.
    #[must_use]
    pub fn no_header(name: &str) -> Self {
        Self::RemoveHeader(name.to_owned())
    }
}
