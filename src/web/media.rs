//! `/media/ID`: an archived file, as the archive's own code opens it, never through a symbolic link.
//!
//! Not tower-http's file service: it opens files by their paths, through links, and does not know the SHA-256.
//! A viewer, however slow, holds one chunk in memory and one open file; nothing of the database.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use bytes::Bytes;
use futures::stream;

use super::db::ArchivedFile;
use super::failure::Failure;
use super::range::{Answer, answer};
use crate::archive::media::{MediaKind, recognise_file};
use crate::archive::paths::RelativePath;
use crate::archive::root::Root;

/// What a viewer holds in memory. The connection sends a chunk before it asks for the next.
const CHUNK: usize = 16 << 10;

/// An open file of the archive.
pub(super) struct Opened {
    file: File,
    name: String,
    size: u64,
    sha256: String,
    kind: MediaKind,
}

/// Opens the file of a recording. Blocks.
pub(super) fn open(directory: &Path, row: ArchivedFile) -> Result<Opened, Failure> {
    let Some(path) = row.path else {
        return Err(Failure::NotFound(
            "The file of this recording is no longer on this disk. 'room-archiver fetch' brings it back from a copy.",
        ));
    };
    // The path is in the log and not on the page: it may be long, and says nothing that the page does not.
    let failed = |error: &dyn std::error::Error| {
        tracing::warn!(path = %path, error = %error, "could not open an archived file for the page");
        Failure::Unavailable(
            "The archived file can't be read now. Run 'room-archiver doctor', and 'room-archiver verify' for this recording."
                .to_owned(),
        )
    };
    let relative = RelativePath::parse(&path).map_err(|error| failed(&error))?;
    let root = Root::open(directory).map_err(|error| failed(&error))?;
    let file = root.open_file(&relative).map_err(|error| failed(&error))?;
    let size = file.metadata().map_err(|error| failed(&error))?.len();
    if Some(size) != row.size_bytes {
        // Its SHA-256 can't be the one that the ETag would promise.
        return Err(failed(&io::Error::other(
            "it has not the size that was archived",
        )));
    }
    let kind = recognise_file(&file, size).map_err(|error| failed(&error))?;
    Ok(Opened {
        file,
        name: relative.file_name().to_owned(),
        size,
        sha256: row.sha256,
        kind,
    })
}

impl Opened {
    /// Whether a browser is to show a picture.
    pub(super) fn is_audio(&self) -> bool {
        self.mime().starts_with("audio/")
    }

    /// Whether browsers may be able to play it.
    pub(super) fn is_playable(&self) -> bool {
        use MediaKind::{Aac, Flac, M4a, Matroska, Mp3, Mp4, Ogg, QuickTime, ThreeGp, Wav, WebM};
        matches!(
            self.kind,
            Mp4 | M4a | QuickTime | ThreeGp | WebM | Matroska | Ogg | Mp3 | Aac | Wav | Flac
        )
    }

    /// The type, by the bytes of the file and not by what SignalWire says: never one that a browser runs or renders.
    fn mime(&self) -> &'static str {
        let extension = self
            .name
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension);
        match (self.kind, extension) {
            (MediaKind::M4a, _) | (MediaKind::Mp4, "m4a") => "audio/mp4",
            (MediaKind::QuickTime, _) | (MediaKind::Mp4, "mov") => "video/quicktime",
            (MediaKind::ThreeGp, _) | (MediaKind::Mp4, "3gp") => "video/3gpp",
            (MediaKind::Mp4, _) => "video/mp4",
            (MediaKind::WebM, _) | (MediaKind::Matroska, "webm") => "video/webm",
            (MediaKind::Matroska, _) => "video/x-matroska",
            (MediaKind::Ogg, _) => "video/ogg",
            (MediaKind::Mp3, _) => "audio/mpeg",
            (MediaKind::Aac, _) => "audio/aac",
            (MediaKind::MpegTs, _) => "video/mp2t",
            (MediaKind::MpegPs, _) => "video/mpeg",
            (MediaKind::Flv, _) => "video/x-flv",
            (MediaKind::Wav, _) => "audio/wav",
            (MediaKind::Avi, _) => "video/x-msvideo",
            (MediaKind::Flac, _) => "audio/flac",
            (MediaKind::Aiff, _) => "audio/aiff",
            (MediaKind::Caf, _) => "audio/x-caf",
            (MediaKind::Amr, _) => "audio/amr",
            (MediaKind::Asf, _) => "video/x-ms-wmv",
            (MediaKind::Unknown, _) => "application/octet-stream",
        }
    }

    /// The answer to a request; `steps` counts the chunks that the connection took.
    pub(super) fn respond(
        self,
        method: &Method,
        headers: &HeaderMap,
        steps: Arc<AtomicU64>,
    ) -> Result<Response<Body>, Failure> {
        let etag = format!("\"{}\"", self.sha256);
        let (status, first, length) = match answer(method == Method::GET, headers, &etag, self.size)
        {
            Answer::Whole => (StatusCode::OK, 0, self.size),
            Answer::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            Answer::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0),
            Answer::NotModified => (StatusCode::NOT_MODIFIED, 0, 0),
            Answer::Failed => return Err(Failure::Precondition),
        };
        let mut response = Response::builder()
            .status(status)
            .header(ACCEPT_RANGES, "bytes")
            .header(ETAG, &etag);
        let content_range = match status {
            StatusCode::PARTIAL_CONTENT => {
                let last = first + length - 1;
                Some(format!("bytes {first}-{last}/{}", self.size))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Some(format!("bytes */{}", self.size)),
            _ => None,
        };
        if let Some(range) = content_range {
            response = response.header(CONTENT_RANGE, range);
        }
        if status.is_success() {
            response = response
                .header(CONTENT_TYPE, self.mime())
                .header(CONTENT_LENGTH, length)
                .header(CONTENT_DISPOSITION, disposition(&self.name));
        }
        let body = if status.is_success() && method == Method::GET {
            self.body(first, length, steps)
        } else {
            Body::empty()
        };
        response
            .body(body)
            .map_err(|error| Failure::internal(&error))
    }

    fn body(self, first: u64, length: u64, steps: Arc<AtomicU64>) -> Body {
        let file = Arc::new(self.file);
        let end = first + length;
        Body::from_stream(stream::try_unfold(first, move |at| {
            steps.fetch_add(1, Ordering::Relaxed);
            let file = file.clone();
            async move {
                if at >= end {
                    return Ok(None);
                }
                let chunk = tokio::task::spawn_blocking(move || read(&file, at, end)).await??;
                let next = at + chunk.len() as u64;
                Ok::<_, io::Error>(Some((chunk, next)))
            }
        }))
    }
}

/// The next bytes. A file that became shorter ends the transfer with a failure: its length was promised.
fn read(file: &File, at: u64, end: u64) -> io::Result<Bytes> {
    let most = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
    let mut chunk = vec![0; most];
    match file.read_at(&mut chunk, at)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            chunk.truncate(length);
            Ok(chunk.into())
        }
    }
}

/// "Save it under this name": as RFC 6266 has it, with the name as RFC 8187 has it, and one of ASCII for old clients.
fn disposition(name: &str) -> HeaderValue {
    let keep = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
    };
    let plain: String = name
        .chars()
        .map(|c| match c {
            '"' | '\\' | '%' | '/' => '_',
            c if c == ' ' || c.is_ascii_graphic() => c,
            _ => '_',
        })
        .collect();
    let mut encoded = String::new();
    for byte in name.as_bytes() {
        if keep(byte) {
            encoded.push(char::from(*byte));
        } else {
            // Writing to a String can't fail.
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_given_in_ascii_and_in_full() {
        let value = disposition("Größe \"a\"; b\\c%.mp4");
        assert_eq!(
            value.to_str().expect("ASCII"),
            "attachment; filename=\"Gr__e _a_; b_c_.mp4\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%22a%22%3B%20b%5Cc%25.mp4"
        );
        assert_eq!(
            disposition("a.mp4"),
            "attachment; filename=\"a.mp4\"; filename*=UTF-8''a.mp4"
        );
    }
}
