//! Escapes characters that could move the cursor, forge a log line or reorder text. All external text passes through
//! here on its way to a terminal or a log.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text on one line, with control, bidi, zero-width and other invisible characters as `\uXXXX`
/// (beyond four digits `\u{XXXXX}`). Harmless text is borrowed unchanged.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_unsafe) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first);
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(clean);
    for c in rest.chars() {
        let code = u32::from(c);
        // Writing to a String can't fail.
        let _ = match (is_unsafe(c), code > 0xffff) {
            (false, _) => out.write_char(c),
            (true, false) => write!(out, "\\u{code:04X}"),
            (true, true) => write!(out, "\\u{{{code:X}}}"),
        };
    }
    Cow::Owned(out)
}

/// Characters that control the display or are invisible: Cc, Cf, line and paragraph separators, variation
/// selectors, blank fillers, and noncharacters.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || matches!(code,
            0x00ad | 0x034f | 0x0600..=0x0605 | 0x061c | 0x06dd | 0x070f | 0x0890..=0x0891 | 0x08e2
            | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            | 0x2800 | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x110bd | 0x110cd | 0x13430..=0x1345f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
            | 0xe0000..=0xe0fff)
        || code & 0xfffe == 0xfffe
        || (0xfdd0..=0xfdef).contains(&code)
}

#[cfg(test)]
mod tests;
