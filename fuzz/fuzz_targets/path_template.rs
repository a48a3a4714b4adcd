//! Where a recording's file goes: the first line is a template, the rest a room's name. Whatever they are,
//! the path lies in the archive, can be shown, and belongs to one recording alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use room_archiver::archive::paths::{
    Facts, MAX_COMPONENT, RelativePath, Template, recording_id_in,
};
use uuid::Uuid;

fuzz_target!(|text: &str| {
    let (template, room) = text.split_once('\n').unwrap_or(("", text));
    // Templates are the operator's own: one that counts to a billion harms nobody else.
    let template = if template.contains("range") || template.contains('*') || template.len() > 400 {
        ""
    } else {
        template
    };
    let default = "{{ room }}/{{ year }}/{{ month }}/{{ started_at }}_{{ recording_id }}.{{ ext }}";
    for template in [
        template,
        default,
        "{{ recording_id }}{{ room }}",
        "{{ room }}{{ recording_id }}",
    ] {
        let Ok(template) = Template::parse(template) else {
            continue;
        };
        let render = |id: u128| {
            let id = Uuid::from_u128(id).into();
            let path = template.render(&Facts {
                room: Some(room),
                session_id: None,
                recording_id: id,
                started_at: chrono::DateTime::from_timestamp(1_795_464_147, 0),
                extension: None,
                format: Some(room),
            });
            assert_eq!(RelativePath::parse(path.as_str()).as_ref(), Ok(&path));
            assert_eq!(recording_id_in(path.as_str()), Some(id));
            path.components().for_each(check);
            path
        };
        let (one, other) = (
            0x0b5c_3c7e_58a1_4c50_9ea5_0000_0000_0001,
            0x0b5c_3c7e_58a1_4c50_9ea5_0000_0000_0002,
        );
        assert_eq!(render(one), render(one));
        assert_ne!(
            render(one).file_name().to_lowercase(),
            render(other).file_name().to_lowercase()
        );
    }
});

fn check(component: &str) {
    assert!(!component.is_empty() && component.len() <= MAX_COMPONENT);
    assert!(!component.starts_with('.') && !component.ends_with(['.', ' ']));
    let bidi = ['\u{61c}', '\u{200e}', '\u{200f}'];
    assert!(!component.chars().any(|c| c.is_control()
        || "/\\:*?\"<>|".contains(c)
        || bidi.contains(&c)
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)));
}
