//! What a rule does to a request or to its response.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::http::reason;
use crate::state::State;
use crate::storage;

/// A response to send instead of the true one.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Answer {
    /// A response without a body.
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
type Hook = Arc<dyn Fn(&State) + Send + Sync>;

/// One fault. Several can act on one response, in order.
#[derive(Clone)]
pub enum Action {
    /// Waits before the response.
    Delay(Duration),
    /// Sends no response until the gate opens.
    Hold(Gate),
    /// Ends the connection with a RST instead of a response.
    Reset,
    /// Closes the connection instead of a response.
    Close,
    /// Sends this response instead.
    Answer(Answer),
    /// Sends these bytes instead of a response, HTTP or not, and closes the connection.
    Raw(Bytes),
    /// Runs a hook once the response is made and before it is sent, for example to shift rows between pages.
    After(Hook),

    /// Changes the JSON of the response.
    Edit(Edit),
    /// Replaces a text in the body by another; the result need not be JSON.
    Replace(String, String),
    /// Sends only the first bytes of the body, with their number as its length.
    CutBody(usize),
    /// Sends JSON of at least so many bytes.
    OversizedJson(u64),
    /// Sends JSON of so many nested arrays.
    DeepJson(usize),

    /// Sets a header of the response.
    SetHeader(String, String),
    /// Removes a header of the response.
    RemoveHeader(String),
    /// Changes only the status of the response.
    Status(u16),

    /// Resets the connection after so many bytes of the body, of which the RST may discard the last.
    ResetAfter(u64),
    /// Closes the connection after so many bytes of the body.
    CloseAfter(u64),
    /// Stops sending after so many bytes of the body, until the gate opens.
    StallAfter(u64, Gate),
    /// Sends pieces of this many bytes with a pause after each.
    Trickle(usize, Duration),
    /// Sends the head of the response in such pieces.
    TrickleHead(usize, Duration),
    /// Sends at most so many bytes per second.
    Bandwidth(u64),
    /// Sends the body in chunks, without a length.
    Chunked,
    /// Sends the body without a length; it ends with the connection.
    UntilClose,
    /// Sends a body that never ends, in chunks.
    Endless,
    /// Sends so many bytes more than declared.
    LongerBy(u64),
    /// Declares this length for the unchanged body.
    DeclareLength(u64),

    /// Answers a `Range` request with 200 and the whole file.
    IgnoreRange,
    /// Answers a request without a `Range` with 206 and the bytes from this one on.
    UnaskedPartial(u64),
    /// Sends a 206 that starts this far from the requested byte, with the `Content-Range` of what it sends.
    ShiftRange(i64),
    /// Sends this total in the `Content-Range`.
    RangeTotal(String),
    /// Wraps the body as `multipart/byteranges`.
    Multipart,
    /// Answers 416.
    NotSatisfiable,

    /// Redirects to this URL.
    Redirect(u16, String),
    /// Redirects so many times within the media origin, and then serves the file.
    Bounce(u16, u32),
    /// Redirects to the API's origin, which then serves the file.
    BounceToApi(u16),
    /// Redirects every request to itself.
    RedirectLoop(u16),
}

impl Action {
    /// This status with the documented error body.
    #[must_use]
    pub fn error(status: u16) -> Self {
        let body = json!({ "error": reason(status) }).to_string();
        Self::Answer(Answer::new(status).body("application/json", body))
    }

    /// This status with this `Retry-After`.
    #[must_use]
    pub fn retry_after(status: u16, text: &str) -> Self {
        Self::Answer(Answer::new(status).header("retry-after", text))
    }

    /// An HTML page, as a proxy sends it.
    #[must_use]
    pub fn html(status: u16) -> Self {
        let page = "<!doctype html><html><title>Sorry</title><h1>We are back soon</h1></html>\n";
        Self::Answer(Answer::new(status).body("text/html; charset=utf-8", page))
    }

    /// An error of S3.
    #[must_use]
    pub fn s3_error(status: u16, code: &str) -> Self {
        let body = storage::error_body(code, "Injected by a test.");
        Self::Answer(Answer::new(status).body("application/xml", body))
    }

    /// This text as a body of the type JSON; it need not be valid.
    #[must_use]
    pub fn json_text(text: &str) -> Self {
        let body = text.to_owned();
        Self::Answer(Answer::new(200).body("application/json", body))
    }

    /// See [`Action::Edit`].
    pub fn edit(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::Edit(Arc::new(change))
    }

    /// See [`Action::After`].
    pub fn after(hook: impl Fn(&State) + Send + Sync + 'static) -> Self {
        Self::After(Arc::new(hook))
    }

    /// See [`Action::Replace`].
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

    /// A list with this link to the next page, which can be null or empty.
    #[must_use]
    pub fn next(value: impl Into<Value>) -> Self {
        let value = value.into();
        Self::edit(move |page| page["links"]["next"] = value.clone())
    }

    /// A list with a link to the same page as the next one.
    #[must_use]
    pub fn repeat_next() -> Self {
        Self::edit(|page| page["links"]["next"] = page["links"]["self"].clone())
    }

    /// A list that always has a link to another page; the pages after the last are empty.
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

    /// See [`Action::SetHeader`].
    #[must_use]
    pub fn header(name: &str, value: &str) -> Self {
        Self::SetHeader(name.to_owned(), value.to_owned())
    }

    /// See [`Action::RemoveHeader`].
    #[must_use]
    pub fn no_header(name: &str) -> Self {
        Self::RemoveHeader(name.to_owned())
    }
}
