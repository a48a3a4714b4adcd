use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const DEFAULT: &str =
    "{{ room }}/{{ year }}/{{ month }}/{{ started_at }}_{{ recording_id }}.{{ ext }}";
const ID: &str = "0b5c3c7e-58a1-4c50-9ea5-000000000001";

fn facts(room: &str) -> Facts<'_> {
    Facts {
        room: Some(room),
        session_id: Some("7d0c3c7e-58a1-4c50-9ea5-000000000002".parse().unwrap()),
        recording_id: ID.parse().unwrap(),
        started_at: DateTime::from_timestamp(1_795_464_147, 0),
        extension: None,
        format: Some("video/mp4"),
    }
}

fn render(template: &str, facts: &Facts<'_>) -> String {
    let path = Template::parse(template).unwrap().render(facts);
    assert_eq!(RelativePath::parse(path.as_str()).as_ref(), Ok(&path));
    path.to_string()
}

fn room_of(name: &str) -> String {
    let path = render(DEFAULT, &facts(name));
    path.split('/').next().unwrap().to_owned()
}

#[test]
fn plain_names_stay_plain() {
    assert_eq!(
        render(DEFAULT, &facts("Team meeting")),
        format!("Team meeting/2026/11/20261123T200227Z_{ID}.mp4")
    );
    for name in [
        "会議室",
        "Ročník 3",
        "غرفة",
        "комната №5",
        "🎥 studio",
        "a..b",
        "-x",
    ] {
        assert_eq!(room_of(name), name);
    }
}

#[test]
fn unknown_facts_have_words_of_their_own() {
    let facts = Facts {
        room: None,
        session_id: None,
        recording_id: ID.parse().unwrap(),
        started_at: None,
        extension: None,
        format: Some("video/webm; codecs=vp8"),
    };
    assert_eq!(
        render(DEFAULT, &facts),
        format!("unnamed-room/undated/00/undated_{ID}.webm")
    );
    assert_eq!(
        render("{{ session_id }}-{{ day }}/{{ recording_id }}", &facts),
        format!("unknown-session-00/{ID}")
    );
}

#[test]
fn the_extension_follows_the_bytes_and_else_the_label() {
    let extension = |extension, format| {
        let facts = Facts {
            extension,
            format,
            ..facts("room")
        };
        render("{{ recording_id }}.{{ ext }}", &facts)
            .rsplit_once('.')
            .unwrap()
            .1
            .to_owned()
    };
    for (label, expected) in [
        (None, "mp4"),
        (Some(""), "mp4"),
        (Some(".mp4"), "mp4"),
        (Some("video"), "mp4"),
        (Some("application/octet-stream"), "mp4"),
        (Some("text/plain"), "mp4"),
        (Some("Video/WebM; codecs=vp8"), "webm"),
        (Some(".webm"), "webm"),
        (Some("video/x-matroska"), "mkv"),
        (Some("audio/mp4"), "m4a"),
        (Some("audio/mpeg"), "mp3"),
        (Some("video/mpeg"), "mp4"),
    ] {
        assert_eq!(extension(None, label), expected, "{label:?}");
        assert_eq!(extension(Some("flv"), label), "flv", "{label:?}");
        for unusable in ["", "../x", "a b", "muchtoolong"] {
            assert_eq!(extension(Some(unusable), label), expected, "{label:?}");
        }
    }
}

#[test]
fn names_without_anything_usable_are_unnamed() {
    for name in ["", ".", "..", " . ", "\u{202e}\u{200b}"] {
        assert_eq!(room_of(name), "unnamed-room", "{name:?}");
    }
    // Noncharacters, which no font shows, and what stands beside them, which one may.
    for hidden in ["a\u{fffe}", "a\u{1ffff}"] {
        assert!(room_of(hidden).starts_with("a~"), "{hidden:?}");
    }
    assert_eq!(room_of("a\u{fffd}"), "a\u{fffd}");
}

#[test]
fn hostile_names_are_made_safe_and_keep_apart() {
    let names = [
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "a:b",
        "a?b",
        "a\0b",
        "a\nb",
        "a\u{1b}[2Jb",
        "ab\u{202e}",
        "ab",
        "ab ",
        "ab.",
        ".ab",
        "CON",
        "con.txt",
        "_CON",
        "lpt1",
        "COM²",
        "NUL .x",
        ".partial",
    ];
    let rooms: HashSet<_> = names
        .iter()
        .map(|name| room_of(name).to_lowercase())
        .collect();
    assert_eq!(rooms.len(), names.len(), "{rooms:?}");
    assert!(room_of("a:b").starts_with("a_b~"));
    assert!(room_of("CON").starts_with("_CON~"));
    assert!(room_of("../x").starts_with("_x~"));
}

#[test]
fn long_names_are_cut_between_characters_and_keep_apart() {
    let (a, b) = ("語".repeat(100) + "a", "語".repeat(100) + "b");
    assert!(room_of(&a).len() <= clean::MAX_ROOM);
    assert_ne!(room_of(&a), room_of(&b));
    assert!(room_of(&a).starts_with("語語"));
    // 120 bytes at the most: nine of them keep names apart, the rest is as many whole characters as fit.
    for (name, kept) in [
        ("x".repeat(120), "x".repeat(120)),
        ("x".repeat(121), "x".repeat(111) + "~"),
        ("語".repeat(40), "語".repeat(40)),
        ("語".repeat(41), "語".repeat(37) + "~"),
        (
            "x".to_owned() + &"語".repeat(40),
            "x".to_owned() + &"語".repeat(36) + "~",
        ),
        (
            "x".to_owned() + &"😀".repeat(40),
            "x".to_owned() + &"😀".repeat(27) + "~",
        ),
    ] {
        let room = room_of(&name);
        let suffix = if kept.ends_with('~') { 8 } else { 0 };
        assert!(room.starts_with(&kept), "{room}");
        assert_eq!(room.len(), kept.len() + suffix, "{room}");
    }
}

#[test]
fn differently_encoded_accents_are_one_room() {
    assert_eq!(room_of("Cafe\u{301}"), "Café");
    assert_eq!(room_of("e\u{200d}\u{301}").chars().next(), Some('é'));
}

#[test]
fn the_id_survives_every_cut() {
    let long = "x".repeat(300);
    for template in [
        "{{ room }}{{ room }}{{ room }}_{{ recording_id }}.{{ ext }}",
        "{{ recording_id }}{{ room }}{{ room }}{{ room }}.{{ ext }}",
        "{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ room }}/{{ recording_id }}",
        "{{ recording_id | upper }}.mp4",
    ] {
        let template = Template::parse(template).unwrap();
        let path = template.render(&facts(&long));
        assert_eq!(recording_id_in(path.as_str()), Some(ID.parse().unwrap()));
        assert!(path.as_str().len() <= MAX_PATH);
    }
}

#[test]
fn names_are_shortened_to_what_the_file_system_allows_and_stay_apart() {
    let template = "{{ room }}{{ room }}/{{ room }}{{ room }}_{{ recording_id }}.{{ ext }}";
    for max in [MIN_COMPONENT, 143, MAX_COMPONENT] {
        let template = Template::parse(template).unwrap().with_name_max(max);
        let names: HashSet<_> = (1..=3_u128)
            .map(|number| {
                let path = template.render(&Facts {
                    recording_id: Uuid::from_u128(number).into(),
                    ..facts(&"語".repeat(100))
                });
                assert!(path.components().all(|name| name.len() <= max), "{path}");
                assert!(path.components().any(|name| name.len() > max - 3), "{path}");
                let id = recording_id_in(path.as_str());
                assert_eq!(id, Some(Uuid::from_u128(number).into()));
                assert_eq!(path.as_str().rsplit_once('.').unwrap().1, "mp4");
                path
            })
            .collect();
        assert_eq!(names.len(), 3);
    }
    let long = format!(
        "{}.{{{{ recording_id }}}}.{}",
        "x".repeat(300),
        "y".repeat(32)
    );
    let template = Template::parse(&long).unwrap().with_name_max(1);
    let path = template.render(&facts("room"));
    assert_eq!(recording_id_in(path.as_str()), Some(ID.parse().unwrap()));
    assert!(path.as_str().len() <= MIN_COMPONENT, "{path}");
}

#[test]
fn a_template_that_drops_the_id_for_some_room_gets_it_back() {
    let odd = "{% if room == 'odd' %}fixed.mp4{% else %}{{ recording_id }}{% endif %}";
    assert_eq!(render(odd, &facts("odd")), format!("fixed.mp4_{ID}.mp4"));
    let failing = "x/{% if room == 'odd' %}{{ 1 / 'a' }}{% endif %}{{ recording_id }}.mp4";
    assert_eq!(render(failing, &facts("odd")), format!("{ID}.mp4"));
    let other = "7d0c3c7e-58a1-4c50-9ea5-000000000009";
    let path = render("{{ recording_id }} {{ room }}.mp4", &facts(other));
    assert_eq!(recording_id_in(&path), Some(ID.parse().unwrap()));
}

#[test]
fn bad_templates_are_refused_in_one_sentence() {
    use BadTemplate::{Absolute, Dot, NoRecordingId, Render, Syntax, TooDeep, UnknownVariable};
    let id = "{{ recording_id }}";
    for (template, expected) in [
        ("{{ room }}.mp4".to_owned(), NoRecordingId),
        (String::new(), NoRecordingId),
        (format!("{id}/a.mp4"), NoRecordingId),
        (format!("{id}/"), NoRecordingId),
        ("{{ recording_id[:8] }}.mp4".to_owned(), NoRecordingId),
        (format!("{id}_{{{{ session_id }}}}"), NoRecordingId),
        (format!("/srv/{id}"), Absolute),
        (format!("../{id}"), Dot),
        (format!("a/../{id}"), Dot),
        (format!(".partial/{id}"), Dot),
        (format!(".quarantine/{id}"), Dot),
        (format!("a/.{id}"), Dot),
        ("a/".repeat(40) + id, TooDeep),
        (format!("{{{{ rom }}}}/{id}"), UnknownVariable("rom".into())),
    ] {
        let error = Template::parse(&template).unwrap_err();
        assert_eq!(error, expected, "{template}");
        assert!(!error.to_string().contains('\n'));
    }
    for template in ["{{ recording_id", "{% if %}", "{{ recording_id | nope }}"] {
        let error = Template::parse(template).unwrap_err();
        assert!(matches!(error, Syntax(_) | Render(_)), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

#[test]
fn the_id_is_found_in_found_files() {
    let id = Some(ID.parse().unwrap());
    assert_eq!(recording_id_in(&format!("a/b/{ID}.mp4")), id);
    assert_eq!(recording_id_in(&format!("abc{}x", ID.to_uppercase())), id);
    let session = "7d0c3c7e-58a1-4c50-9ea5-000000000002";
    assert_eq!(recording_id_in(&format!("{session}_é{ID}.mp4")), id);
    for path in [
        "",
        "a/b.mp4",
        "語語語語語語語語語語語語語",
        &format!("{ID}/x.mp4"),
    ] {
        assert_eq!(recording_id_in(path), None);
    }
}

#[test]
fn paths_from_outside_are_checked() {
    for path in ["a", "a/b c:d", ".quarantine/x", "a/..b"] {
        assert!(RelativePath::parse(path).is_ok(), "{path}");
    }
    let long = "x".repeat(256);
    for path in [
        "", "/a", "a/", "a//b", ".", "a/../b", "..", "a/./b", "a\0", "a\n/b", &long,
    ] {
        assert_eq!(RelativePath::parse(path), Err(BadPath), "{path}");
    }
    let path = RelativePath::parse("a/b/c").unwrap();
    assert_eq!(path.parents().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(RelativePath::parse("c").unwrap().parents().count(), 0);
}

/// Names made of what hurts, joined with anything else.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("../".to_owned()),
        Just(".".to_owned()),
        Just("/".to_owned()),
        Just("\0".to_owned()),
        Just("{{ x }}".to_owned()),
        Just("CON.".to_owned()),
        Just("\u{202e}".to_owned()),
        Just("\u{301}".to_owned()),
        Just(ID.to_owned()),
        Just(" ".repeat(130)),
        "\\PC{0,40}",
        any::<String>(),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn check_component(component: &str) {
    assert!(!component.is_empty() && component.len() <= MAX_COMPONENT);
    assert_eq!(clean::component(component, MAX_COMPONENT), component);
    assert!(!component.starts_with('.') && !component.ends_with(['.', ' ']));
    let bidi = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!component.contains(|c: char| c.is_control() || bidi(c) || "/\\:*?\"<>|".contains(c)));
}

proptest! {
    #[test]
    fn no_name_escapes_or_takes_anothers_place(room in hostile(), a: u128, b: u128) {
        for template in [
            DEFAULT,
            "{{ recording_id }}{{ room }}",
            "{{ room }}{{ room }}{{ room }}{{ recording_id }}",
            "{{ room | upper }}/{{ room | title }}/{{ room | reverse }}/{{ recording_id }}",
        ] {
            let template = Template::parse(template).unwrap();
            let path = |id: u128| {
                let path = template.render(&Facts {
                    recording_id: Uuid::from_u128(id).into(),
                    ..facts(&room)
                });
                assert_eq!(RelativePath::parse(path.as_str()).as_ref(), Ok(&path));
                path.components().for_each(check_component);
                assert_eq!(recording_id_in(path.as_str()), Some(Uuid::from_u128(id).into()));
                path
            };
            prop_assert_eq!(path(a), path(a));
            if a != b {
                prop_assert_ne!(
                    path(a).file_name().to_lowercase(),
                    path(b).file_name().to_lowercase()
                );
            }
        }
    }

    #[test]
    fn any_template_is_refused_or_safe(template in "(\\{\\{ (room|recording_id|ext) \\}\\}|[./\\\\a: ]){1,8}", room in hostile()) {
        if let Ok(template) = Template::parse(&template) {
            template.render(&facts(&room)).components().for_each(check_component);
        }
    }
}
