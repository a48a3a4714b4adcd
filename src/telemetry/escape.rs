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
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_unsafe(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_forges_lines_or_steers_terminals_is_escaped() {
        assert_eq!(
            line("a\r\nb\t\x1b[2J\u{9b}"),
            "a\\r\\nb\\t\\u{1b}[2J\\u{9b}"
        );
        assert_eq!(
            line("\u{202e}gpj\u{200b}\u{feff}"),
            "\\u{202e}gpj\\u{200b}\\u{feff}"
        );
        assert_eq!(line("\u{2028}\u{e0041}"), "\\u{2028}\\u{e0041}");
    }

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        assert!(matches!(line("Straße 会議 \\ 'x' 🎥"), Cow::Borrowed(_)));
    }
}
