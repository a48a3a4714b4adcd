//! The body of an event. It never holds a link.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What may hold the name of a room besides the name itself: the path of the file, and texts of errors.
const OF_ROOMS: [&str; 3] = ["room_name", "path", "error"];

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: &'a str,
    data: &'a RawValue,
}

/// The event as JSON; the same in every attempt.
///
/// # Errors
/// `data` is not JSON.
pub(super) fn body(
    kind: &str,
    timestamp: &str,
    data: &str,
    room_names: bool,
) -> serde_json::Result<String> {
    let data = if room_names {
        data.to_owned()
    } else {
        without_rooms(serde_json::from_str(data)?).to_string()
    };
    serde_json::to_string(&Body {
        r#type: kind,
        timestamp,
        data: &RawValue::from_string(data)?,
    })
}

fn without_rooms(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        for field in OF_ROOMS {
            fields.remove(field);
        }
        let problems = fields.get_mut("problems").and_then(Value::as_array_mut);
        for problem in problems.into_iter().flatten() {
            if let Some(problem) = problem.as_object_mut() {
                problem.remove("text");
            }
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rooms_are_left_out_where_they_may_not_be_told() {
        let data =
            r#"{"recording_id":"1","room_name":"Board","path":"Board/1.mp4","error":"Board"}"#;
        let told = body("recording.stuck", "2026-11-26T00:00:00.000Z", data, true).expect("JSON");
        let expected = format!(
            r#"{{"type":"recording.stuck","timestamp":"2026-11-26T00:00:00.000Z","data":{data}}}"#
        );
        assert_eq!(told, expected);
        let told = body("recording.stuck", "2026-11-26T00:00:00.000Z", data, false).expect("JSON");
        assert!(
            !told.contains("Board") && told.contains(r#""recording_id":"1""#),
            "{told}"
        );
        let data = r#"{"problems":[{"kind":"disk","text":"Board/1.mp4","since":"2026"}]}"#;
        let told = body("archive.unhealthy", "2026", data, false).expect("JSON");
        assert!(!told.contains("Board") && told.contains("disk"), "{told}");
    }
}
