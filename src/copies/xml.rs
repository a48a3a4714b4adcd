//! The few XML documents that are read here: an error, and the list of unfinished uploads.

use chrono::{DateTime, Utc};
use serde::Deserialize;

/// An error document; other documents have none of its fields.
#[derive(Debug, Default, Deserialize)]
#[serde(rename = "Error", rename_all = "PascalCase")]
pub(super) struct ErrorDocument {
    pub code: Option<String>,
    pub message: Option<String>,
}

/// A page of `ListMultipartUploads`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadsPage {
    #[serde(default)]
    pub is_truncated: bool,
    pub next_key_marker: Option<String>,
    pub next_upload_id_marker: Option<String>,
    #[serde(default)]
    pub upload: Vec<UploadEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UploadEntry {
    pub key: String,
    pub upload_id: String,
    pub initiated: Option<DateTime<Utc>>,
}

/// The error in a document, if it is one. Answers to successful requests can be errors, too: S3 begins to answer
/// the completion of an upload before it knows how that ends.
pub(super) fn error(body: &[u8]) -> Option<ErrorDocument> {
    let text = std::str::from_utf8(body).ok()?.trim_start();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => text,
    };
    let is_error = root
        .strip_prefix("<Error")
        .is_some_and(|rest| rest.starts_with(['>', ' ', '/', '\n']));
    is_error.then(|| quick_xml::de::from_str(root).unwrap_or_default())
}

/// A page of unfinished uploads; `None`: the document is something else.
pub(super) fn uploads(body: &[u8]) -> Option<UploadsPage> {
    let text = std::str::from_utf8(body).ok()?;
    if !text.contains("<ListMultipartUploadsResult") {
        return None;
    }
    quick_xml::de::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_document_is_told_from_any_other() {
        let text = "<?xml version=\"1.0\"?>\n<Error><Code>SlowDown</Code><Message>a &amp; b</Message></Error>";
        let found = error(text.as_bytes()).unwrap();
        assert_eq!(found.code.as_deref(), Some("SlowDown"));
        assert_eq!(found.message.as_deref(), Some("a & b"));
        assert!(error(b"<Error/>").unwrap().code.is_none());
        for other in [
            "",
            "<Errors/>",
            "<html>",
            "<Result><Error/></Result>",
            "\u{0}",
        ] {
            assert!(error(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn a_list_of_uploads_is_read_and_nothing_else() {
        let page = uploads(
            b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>\
              <Upload><Key>a b</Key><UploadId>u&quot;1</UploadId><Initiated>2026-11-26T10:00:00.000Z</Initiated>\
              <Owner><ID>1</ID></Owner></Upload><Upload><Key>c</Key><UploadId>u2</UploadId></Upload>\
              </ListMultipartUploadsResult>",
        )
        .unwrap();
        assert!(page.is_truncated);
        let ids: Vec<_> = page.upload.iter().map(|u| u.upload_id.as_str()).collect();
        assert_eq!(ids, ["u\"1", "u2"]);
        assert!(page.upload[0].initiated.is_some());
        assert!(uploads(b"<html>ListMultipartUploads</html>").is_none());
        assert!(uploads(b"<ListMultipartUploadsResult><Upload><Key>").is_none());
    }
}
