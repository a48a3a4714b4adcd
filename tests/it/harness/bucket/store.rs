//! What the bucket does with a request, and its answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::request::{Request, decode};
use super::{State, Stored, Unfinished, sha256};

impl State {
    pub(super) fn get(&self, key: &str, body: bool) -> Answer {
        let Some(object) = self.objects.get(key) else {
            return Answer::error(404, "NoSuchKey");
        };
        let mut answer = Answer::new(200);
        answer.length = Some(object.body.len());
        answer.headers.push(("etag", object.etag.clone()));
        answer
            .headers
            .push(("last-modified", "Thu, 26 Nov 2026 10:00:00 GMT".to_owned()));
        for (name, value) in &object.meta {
            answer.meta.push((name.clone(), value.clone()));
        }
        if body {
            answer.body.clone_from(&object.body);
        }
        answer
    }

    pub(super) fn put(&mut self, request: &Request) -> Answer {
        let conditional = request.headers.contains_key("if-none-match") && !self.unconditional;
        if conditional && self.objects.contains_key(&request.key) {
            return Answer::error(412, "PreconditionFailed");
        }
        let etag = format!("\"{}\"", &sha256(&request.body)[..32]);
        let stored = Stored {
            body: request.body.clone(),
            etag: etag.clone(),
            meta: meta(request),
        };
        self.objects.insert(request.key.clone(), stored);
        let mut answer = Answer::new(200);
        answer.headers.push(("etag", etag));
        answer
    }

    /// With Object Lock, what is written has a checksum; a part only if its upload was begun with one, and only then.
    pub(super) fn refuse_unchecked(&self, request: &Request, step: &str) -> Option<Answer> {
        let checked = request.headers.contains_key("x-amz-checksum-sha256");
        let upload = request.query.get("uploadId");
        let upload = upload.and_then(|id| self.uploads.get(id));
        let refused = match step.split(' ').next()? {
            "put" | "sidecar" => self.locked && !checked,
            "part" => (self.locked && !checked) || checked != upload?.checked,
            _ => false,
        };
        refused.then(|| Answer::error(400, "InvalidRequest"))
    }

    pub(super) fn copy(&mut self, request: &Request) -> Answer {
        let source = decode(&request.headers["x-amz-copy-source"]);
        let (_, key) = source.split_once('/').expect("bucket and key");
        let Some(stored) = self.objects.get(key).cloned() else {
            return Answer::error(404, "NoSuchKey");
        };
        self.objects.insert(request.key.clone(), stored);
        Answer::xml("<CopyObjectResult><ETag>&quot;0&quot;</ETag></CopyObjectResult>")
    }

    pub(super) fn versioning(&self) -> &'static str {
        if self.locked {
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        } else {
            "<VersioningConfiguration/>"
        }
    }

    pub(super) fn lock_rule(&self) -> Answer {
        if self.locked {
            return Answer::xml(
                "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                 <Mode>GOVERNANCE</Mode><Days>30</Days></DefaultRetention></Rule></ObjectLockConfiguration>",
            );
        }
        Answer::error(404, "ObjectLockConfigurationNotFoundError")
    }

    pub(super) fn begin(&mut self, request: &Request, now: DateTime<Utc>) -> Answer {
        self.next += 1;
        let id = format!("upload/{}&=", self.next);
        let upload = Unfinished {
            key: request.key.clone(),
            meta: meta(request),
            parts: BTreeMap::new(),
            begun_at: now,
            checked: request.headers.contains_key("x-amz-checksum-algorithm"),
        };
        self.uploads.insert(id.clone(), upload);
        Answer::xml(&format!(
            "<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>{}</UploadId></InitiateMultipartUploadResult>",
            escape(&id)
        ))
    }

    pub(super) fn part(&mut self, request: &Request) -> Answer {
        let Some(upload) = self.uploads.get_mut(&request.query["uploadId"]) else {
            return Answer::error(404, "NoSuchUpload");
        };
        let number = request.query["partNumber"].parse().expect("a number");
        upload.parts.insert(number, request.body.clone());
        let mut answer = Answer::new(200);
        let checksum = request.headers.get("x-amz-checksum-sha256").cloned();
        let checksum = checksum.map(|sum| ("x-amz-checksum-sha256", sum));
        answer.headers.extend(checksum);
        answer
            .headers
            .push(("etag", format!("\"{}\"", &sha256(&request.body)[..32])));
        answer
    }

    pub(super) fn complete(&mut self, request: &Request) -> Answer {
        let id = &request.query["uploadId"];
        let Some(upload) = self.uploads.get(id) else {
            return Answer::error(404, "NoSuchUpload");
        };
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let etags: Vec<&str> = text
            .split("<ETag>")
            .skip(1)
            .filter_map(|rest| rest.split("</ETag>").next())
            .collect();
        let theirs: Vec<String> = upload
            .parts
            .values()
            .map(|part| sha256(part)[..32].to_owned())
            .collect();
        let named: Vec<String> = etags
            .iter()
            .map(|etag| etag.replace("&quot;", "").replace('"', ""))
            .collect();
        if named != theirs {
            return Answer::error(400, "InvalidPart");
        }
        let upload = self.uploads.remove(id).expect("it is there");
        let body = upload.parts.into_values().collect::<Vec<_>>().concat();
        let etag = format!("\"{}-{}\"", &sha256(&body)[..32], theirs.len());
        let meta = upload.meta;
        self.objects.insert(
            upload.key.clone(),
            Stored {
                body,
                etag: etag.clone(),
                meta,
            },
        );
        Answer::xml(&format!(
            "<CompleteMultipartUploadResult><Key>k</Key><ETag>{}</ETag></CompleteMultipartUploadResult>",
            escape(&etag)
        ))
    }

    pub(super) fn list_uploads(&self, request: &Request) -> Answer {
        let prefix = request.query.get("prefix").cloned().unwrap_or_default();
        let mut text = String::from("<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>");
        for (id, upload) in self
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.starts_with(&prefix))
        {
            _ = write!(
                text,
                "<Upload><Key>{}</Key><UploadId>{}</UploadId><Initiated>{}</Initiated></Upload>",
                escape(&upload.key),
                escape(id),
                upload.begun_at.to_rfc3339_opts(SecondsFormat::Millis, true)
            );
        }
        Answer::xml(&(text + "</ListMultipartUploadsResult>"))
    }

    pub(super) fn list(&self, request: &Request) -> Answer {
        const PAGE: usize = 3;
        let given = |name| request.query.get(name).cloned().unwrap_or_default();
        let prefix = given("prefix");
        let after = given("continuation-token").max(given("start-after"));
        // A list from a key on is as long as a real one.
        let page = if given("start-after").is_empty() {
            PAGE
        } else {
            1000
        };
        let mut keys = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix) && **key > after);
        let mut text = String::from("<ListBucketResult>");
        let mut last = String::new();
        for (key, object) in keys.by_ref().take(page) {
            last.clone_from(key);
            _ = write!(
                text,
                "<Contents><Key>{}</Key><Size>{}</Size><ETag>{}</ETag><LastModified>2026-11-26T10:00:00.000Z</LastModified></Contents>",
                escape(key),
                object.body.len(),
                escape(&object.etag)
            );
        }
        let more = keys.next().is_some();
        if more {
            _ = write!(
                text,
                "<NextContinuationToken>{}</NextContinuationToken>",
                escape(&last)
            );
        }
        Answer::xml(&format!(
            "{text}<IsTruncated>{more}</IsTruncated></ListBucketResult>"
        ))
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) meta: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// Of a body that is not sent.
    pub(super) length: Option<usize>,
    pub(super) raw: Option<String>,
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            meta: Vec::new(),
            body: Vec::new(),
            length: None,
            raw: None,
        }
    }

    pub(super) fn xml(text: &str) -> Self {
        let mut answer = Self::new(200);
        answer.body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}").into_bytes();
        answer
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        let text =
            format!("<Error><Code>{code}</Code><Message>because of {code}</Message></Error>");
        Self {
            status,
            ..Self::xml(&text)
        }
    }

    /// An error that repeats all headers of the request.
    pub(super) fn echo(status: u16, request: &Request) -> Self {
        let headers = request.headers.iter();
        let said: Vec<String> = headers
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        let said = escape(&said.join("; "));
        let code = match status {
            403 => "AccessDenied",
            500 => "InternalError",
            _ => "InvalidArgument",
        };
        let text = format!("<Error><Code>{code}</Code><Message>{said}</Message></Error>");
        Self {
            status,
            ..Self::xml(&text)
        }
    }

    pub(super) fn bytes(&self, now: DateTime<Utc>, head: bool) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone().into_bytes();
        }
        let length = self.length.unwrap_or(self.body.len());
        let mut text = format!(
            "HTTP/1.1 {} X\r\ndate: {}\r\ncontent-length: {length}\r\n",
            self.status,
            now.format("%a, %d %b %Y %H:%M:%S GMT")
        );
        let headers = self.headers.iter().map(|(name, value)| (*name, value));
        let meta = self.meta.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in headers.chain(meta) {
            _ = write!(text, "{name}: {value}\r\n");
        }
        let mut bytes = (text + "\r\n").into_bytes();
        if !head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn meta(request: &Request) -> BTreeMap<String, String> {
    let headers = request.headers.iter();
    let of_object = headers.filter(|(name, _)| name.starts_with("x-amz-meta-"));
    of_object
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
