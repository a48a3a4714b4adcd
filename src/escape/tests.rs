use proptest::prelude::*;

use super::*;

#[test]
fn harmless_text_is_borrowed_unchanged() {
    for text in ["", "standup", "Grüße, 会議 №7", "a\\u0041"] {
        assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
    }
}

#[test]
fn what_acts_on_a_terminal_is_shown() {
    assert_eq!(line("a\x1b[2Jb"), "a\\u001B[2Jb");
    assert_eq!(line("a\r\nb\tc\0"), "a\\u000D\\u000Ab\\u0009c\\u0000");
    assert_eq!(line("\u{9b}31m"), "\\u009B31m");
    assert_eq!(line("cod\u{202e}4pm"), "cod\\u202E4pm");
    assert_eq!(line("a\u{200b}b\u{feff}"), "a\\u200Bb\\uFEFF");
    assert_eq!(line("tag\u{e0041}"), "tag\\u{E0041}");
    assert_eq!(line("one\u{2028}two"), "one\\u2028two");
}

proptest! {
    #[test]
    fn output_never_holds_an_unsafe_character(text in any::<String>()) {
        let out = line(&text);
        prop_assert!(!out.chars().any(is_unsafe));
        prop_assert!(!out.chars().any(char::is_control));
    }

    #[test]
    fn bidi_and_invisible_characters_never_pass(
        chars in prop::collection::vec(
            prop::sample::select(vec!['\u{200e}', '\u{202a}', '\u{2066}', '\u{2069}', '\u{61c}', '\u{200d}', '\u{1b}', '\n', '\u{85}', 'x']), 0..20)
    ) {
        let text: String = chars.iter().collect();
        prop_assert!(line(&text).is_ascii());
    }
}
