//! Makes a path component of any text: safe here and on other systems, to which files may be copied.

use std::fmt::Write as _;

use icu_normalizer::ComposingNormalizerBorrowed;
use sha2::{Digest, Sha256};

/// The most bytes of a room's component, which leaves space for more in the same name.
pub(super) const MAX_ROOM: usize = 120;

/// The component of a room without a usable name.
const UNNAMED: &str = "unnamed-room";

/// The component of a room's name.
///
/// A plain name is not changed. A name that cleaning changed gets a short hash of the original, so that
/// `a:b` and `a?b` stay distinct. Names that differ only in case, or only in the encoding of accents, get
/// no hash: they look like one room, and may share a directory; the recording's id keeps their files apart.
pub(super) fn room(name: &str) -> String {
    let cleaned = component(name, MAX_ROOM);
    if cleaned.is_empty() {
        return UNNAMED.to_owned();
    }
    if cleaned == nfc(name) {
        return cleaned;
    }
    let mut suffix = String::from("~");
    for byte in &Sha256::digest(name)[..4] {
        let _ = write!(suffix, "{byte:02x}");
    }
    cut(&cleaned, MAX_ROOM - suffix.len()).to_owned() + &suffix
}

/// A component of at most `max` bytes; empty if nothing usable is left.
pub(super) fn component(text: &str, max: usize) -> String {
    let visible: String = text.chars().filter(|&c| !is_invisible(c)).collect();
    let replaced: String = nfc(&visible)
        .chars()
        .map(|c| if is_unsafe(c) { '_' } else { c })
        .collect();
    let text = replaced.trim_start_matches(is_edge);
    // Device names on Windows, whatever their extension.
    let prefix = if is_reserved(text) { "_" } else { "" };
    let kept = cut(text, max.saturating_sub(prefix.len())).trim_end_matches(is_edge);
    format!("{prefix}{kept}")
}

/// The longest prefix of at most `max` bytes that ends at a character boundary.
pub(super) fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// Normalisation form C, so that a name typed on a Mac equals the same name typed elsewhere.
/// The normalizer is no new dependency: `url` needs it too.
fn nfc(text: &str) -> std::borrow::Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// A leading dot hides a file; Windows drops dots and spaces at the end.
fn is_edge(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

fn is_unsafe(c: char) -> bool {
    matches!(
        c,
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2028}' | '\u{2029}'
    ) || c.is_control()
}

/// Invisible characters, which can make a name look like another: Unicode's format characters (Cf, with text
/// direction), tags, and noncharacters.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x600..=0x605 | 0x61C | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x180E
        | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF | 0xFFF0..=0xFFFB
        | 0x1_10BD | 0x1_10CD | 0x1_3430..=0x1_343F | 0x1_BCA0..=0x1_BCA3 | 0x1_D173..=0x1_D17A
        | 0xE_0000..=0xE_0FFF | 0xFDD0..=0xFDEF)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let port = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"))
        .unwrap_or_default();
    let mut rest = port.chars();
    matches!(rest.next(), Some('0'..='9' | '¹' | '²' | '³')) && rest.next().is_none()
}
