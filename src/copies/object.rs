//! What a store says of its objects, and what is said to it of them.

use chrono::{DateTime, Utc};
use object_store::{Attribute, Attributes};

/// Metadata of an object: the SHA-256 of its content, hexadecimal.
const SHA256: &str = "sha256";
/// Metadata of an object: which upload made it.
const TOKEN: &str = "upload";
/// Metadata of an object: whose recording it is, SignalWire's project.
const PROJECT: &str = "project";

/// An object as `HEAD` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its length.
    pub bytes: u64,
    /// The store's checksum of it, in a form of its own.
    pub etag: Option<String>,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// The SHA-256 that it was uploaded with.
    pub sha256: Option<String>,
    /// The upload that made it.
    pub token: Option<String>,
    /// SignalWire's project that it is of.
    pub project: Option<String>,
    /// When it was written, by the store's clock.
    pub written_at: DateTime<Utc>,
}

impl Object {
    /// Whether it is what was uploaded, as far as that can be said without reading it.
    #[must_use]
    pub fn is(&self, bytes: u64, sha256: &str) -> bool {
        self.bytes == bytes && self.sha256.as_ref().is_none_or(|known| known == sha256)
    }
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Below the prefix.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// As in [`Object`].
    pub etag: Option<String>,
}

/// What the store answered to an object that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// As in [`Object`].
    pub etag: Option<String>,
    /// As in [`Object`].
    pub version: Option<String>,
}

/// An upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// Below the prefix.
    pub key: String,
    /// The store's id.
    pub id: String,
    /// When it began, by the store's clock.
    pub begun_at: Option<DateTime<Utc>>,
}

pub(super) fn attributes(key: &str, sha256: &str, token: &str, project: &str) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in [(SHA256, sha256), (TOKEN, token), (PROJECT, project)] {
        attributes.insert(Attribute::Metadata(name.into()), value.to_owned().into());
    }
    let extension = key.rsplit_once('.').map(|(_, extension)| extension);
    let kind = match extension {
        Some("mp4" | "m4v") => "video/mp4",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("mov") => "video/quicktime",
        Some("mp3") => "audio/mpeg",
        Some("m4a") => "audio/mp4",
        Some("ogg" | "opus") => "audio/ogg",
        Some("wav") => "audio/wav",
        Some("flac") => "audio/flac",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    attributes.insert(Attribute::ContentType, kind.into());
    attributes
}

pub(super) fn object(found: &object_store::GetResult) -> Object {
    let metadata = |name: &str| {
        let value = found
            .attributes
            .get(&Attribute::Metadata(name.to_owned().into()))?;
        Some(value.to_string())
    };
    Object {
        bytes: found.meta.size,
        etag: found.meta.e_tag.clone().map(plain),
        version: found.meta.version.clone(),
        sha256: metadata(SHA256),
        token: metadata(TOKEN),
        project: metadata(PROJECT),
        written_at: found.meta.last_modified,
    }
}

/// An `ETag` without its quotes: some stores leave them out of lists.
pub(super) fn plain(etag: String) -> String {
    match etag
        .strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'))
    {
        Some(inner) => inner.to_owned(),
        None => etag,
    }
}
