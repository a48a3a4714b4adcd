//! Whether the label that SignalWire gives a recording contradicts its bytes.

use super::MediaKind;

/// Formats with the same structure, which labels may confuse without harm.
#[derive(PartialEq)]
enum Family {
    Mp4,
    Matroska,
    Ogg,
    Riff,
    Mpeg,
    Audio(MediaKind),
    Other(MediaKind),
}

/// Whether `label` names another format than the bytes are. A label that names none (`video`,
/// `application/octet-stream`, an unknown `video/…`) contradicts nothing.
pub(super) fn contradicts(label: &str, kind: MediaKind) -> bool {
    let label = label.split(';').next().unwrap_or_default().trim();
    let label = label.to_ascii_lowercase();
    let (class, word) = label.split_once('/').unwrap_or(("", &label));
    let word = word.trim_start_matches('.').trim_start_matches("x-");
    match (class, named(word)) {
        ("" | "video" | "audio" | "application", Some(families)) => {
            !families.contains(&family(kind))
        }
        ("" | "video" | "audio" | "binary", None) => false,
        ("application", None) => !matches!(
            word,
            "" | "octet-stream" | "binary" | "force-download" | "download" | "unknown"
        ),
        _ => !matches!(word, "" | "unknown" | "*"),
    }
}

fn family(kind: MediaKind) -> Family {
    match kind {
        MediaKind::Mp4 | MediaKind::M4a | MediaKind::QuickTime | MediaKind::ThreeGp => Family::Mp4,
        MediaKind::WebM | MediaKind::Matroska => Family::Matroska,
        MediaKind::Ogg => Family::Ogg,
        MediaKind::MpegTs | MediaKind::MpegPs => Family::Mpeg,
        MediaKind::Mp3 | MediaKind::Aac | MediaKind::Flac | MediaKind::Amr => Family::Audio(kind),
        MediaKind::Wav => Family::Riff,
        other => Family::Other(other),
    }
}

/// The families that the last part of a MIME type, or an extension, may stand for.
fn named(word: &str) -> Option<&'static [Family]> {
    use Family::{Audio, Matroska, Mp4, Mpeg, Ogg, Other, Riff};
    Some(match word {
        "mp4" | "m4v" | "m4a" | "m4b" | "quicktime" | "mov" | "qt" | "3gp" | "3g2" | "3gpp2" => {
            &[Mp4]
        }
        "3gpp" => &[Mp4, Audio(MediaKind::Amr)],
        "webm" | "matroska" | "mkv" | "mka" | "matroska-3d" => &[Matroska],
        "ogg" | "oga" | "ogv" | "vorbis" | "theora" | "speex" => &[Ogg],
        // Codecs that occur in several containers.
        "opus" => &[Ogg, Matroska, Mp4],
        "flac" => &[Audio(MediaKind::Flac), Ogg, Mp4],
        "aac" | "aacp" | "hx-aac-adts" | "mp4a-latm" => &[Audio(MediaKind::Aac), Mp4],
        "mp3" | "mpeg3" | "mp2" => &[Audio(MediaKind::Mp3)],
        "mpeg" | "mpg" => &[Mpeg, Audio(MediaKind::Mp3), Audio(MediaKind::Aac)],
        "mp2t" | "ts" | "m2ts" | "mts" | "mpegts" | "mp2p" | "vob" => &[Mpeg],
        "flv" => &[Other(MediaKind::Flv)],
        "wav" | "wave" | "vnd.wave" | "pn-wav" | "w64" => &[Riff],
        "avi" | "msvideo" | "vnd.avi" => &[Other(MediaKind::Avi)],
        "aiff" | "aif" => &[Other(MediaKind::Aiff)],
        "caf" => &[Other(MediaKind::Caf)],
        "amr" | "amr-wb" => &[Audio(MediaKind::Amr)],
        "ms-wmv" | "ms-asf" | "ms-wma" | "vnd.ms-asf" | "wmv" | "asf" | "wma" => {
            &[Other(MediaKind::Asf)]
        }
        _ => return None,
    })
}
