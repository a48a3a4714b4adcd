//! Makes text from elsewhere safe to show on one line.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes what could forge a line or steer a terminal: control characters, line and
/// paragraph separators, bidirectional and zero-width characters.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let code = u32::from(c);
        // Writing to a String cannot fail.
        let _ = match (is_unsafe(c), code > 0xffff) {
            (false, _) => safe.write_char(c),
            (true, false) => write!(safe, "\\u{code:04X}"),
            (true, true) => write!(safe, "\\u{{{code:X}}}"),
        };
    }
    Cow::Owned(safe)
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}
