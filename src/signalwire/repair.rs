//! Repairs JSON strings that `serde_json` refuses but some writers send: lone surrogates, such as half an emoji
//! cut by a length limit, and control characters that are not escaped.

use std::borrow::Cow;

/// U+FFFD, escaped.
const REPLACEMENT: &str = "\\ufffd";

/// The same JSON with lone surrogates replaced by U+FFFD and raw control characters in strings escaped;
/// `None`: there are none, so parsing again would fail again.
pub(super) fn repaired(json: &str) -> Option<String> {
    let bytes = json.as_bytes();
    let mut text = String::with_capacity(json.len());
    let (mut at, mut copied, mut in_string) = (0, 0, false);
    while let Some(&byte) = bytes.get(at) {
        let (len, instead): (usize, Option<Cow<'static, str>>) = match byte {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' => match (unit(bytes, at), unit(bytes, at + 6)) {
                (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, None),
                (Some(0xd800..=0xdfff), _) => (6, Some(REPLACEMENT.into())),
                // Any other escape, also of a quote or a backslash.
                _ => (2, None),
            },
            0..0x20 if in_string => (1, Some(format!("\\u{byte:04x}").into())),
            _ => (1, None),
        };
        if let Some(instead) = instead {
            text.push_str(&json[copied..at]);
            text.push_str(&instead);
            copied = at + len;
        }
        at += len;
    }
    if copied == 0 {
        return None;
    }
    text.push_str(&json[copied..]);
    Some(text)
}

/// The UTF-16 unit of a `\uXXXX` at this position.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let digits = escape.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(digit).ok()?)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(json: &str) -> Option<Value> {
        serde_json::from_str(&repaired(json)?).ok()
    }

    #[test]
    fn lone_surrogates_become_the_replacement_character_and_pairs_stay() {
        for (text, becomes) in [
            (r#"["a\ud83d"]"#, json!(["a\u{fffd}"])),
            (r#"["\ude00b"]"#, json!(["\u{fffd}b"])),
            (r#"["\ud83d\ude00 \uD83D!"]"#, json!(["😀 \u{fffd}!"])),
            (r#"["\ud83d\ud83d\ude00"]"#, json!(["\u{fffd}😀"])),
            (r#"["\ud83d\n\\"]"#, json!(["\u{fffd}\n\\"])),
            (r#"{"\udc00": 1}"#, json!({"\u{fffd}": 1})),
        ] {
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
            assert_eq!(read(text), Some(becomes), "{text}");
        }
    }

    #[test]
    fn control_characters_in_strings_are_escaped() {
        assert_eq!(
            read("{\n\"a\": \"\t\u{1}b\n\"}"),
            Some(json!({"a": "\t\u{1}b\n"}))
        );
    }

    #[test]
    fn what_is_no_surrogate_is_left_alone() {
        for text in [
            r#"["\\ud83d"]"#,
            r#"["\ud83d\ude00", "😀", "\"\\", 1]"#,
            "{\n}",
            r#"["\u12"#,
            "\\",
            "",
        ] {
            assert_eq!(repaired(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken_and_valid_json_never_changed(text in ".*", value in ".*") {
            _ = repaired(&text);
            let valid = json!([value, {&value: 1}]).to_string();
            proptest::prop_assert_eq!(repaired(&valid), None);
        }

        #[test]
        fn any_units_are_read_after_the_repair(units in proptest::collection::vec(0xd7f0..0xe010_u32, 1..8)) {
            let escapes: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let escapes = escapes.concat();
            let text = format!("[\"{escapes}\"]");
            let text = repaired(&text).unwrap_or(text);
            proptest::prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
