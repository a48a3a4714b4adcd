use proptest::prelude::*;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Verdict, judge, parse_content_range};
use crate::download::Resume;

const ETAG: &str = "\"abc\"";

fn answer(status: u16, headers: &[(&str, &str)], resume: Option<&Resume>) -> Verdict {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (name, HeaderValue::from_str(value).expect("a value"))
        })
        .collect();
    judge(
        StatusCode::from_u16(status).expect("a status"),
        &headers,
        resume,
    )
}

fn resume(from: u64, total: Option<u64>) -> Resume {
    Resume {
        from,
        validator: ETAG.to_owned(),
        total,
    }
}

#[test]
fn a_whole_answer_tells_length_and_strong_validator() {
    let cases = [
        (ETAG, Some(ETAG)),
        ("W/\"abc\"", None),
        ("abc", None),
        ("\"\"", None),
        ("\"", None),
    ];
    for (etag, validator) in cases {
        let verdict = answer(200, &[("content-length", "100"), ("etag", etag)], None);
        let (total, validator) = (Some(100), validator.map(str::to_owned));
        assert_eq!(verdict, Verdict::Whole { total, validator }, "{etag}");
    }
}

#[test]
fn only_the_rest_of_the_same_object_is_appended() {
    let good = [
        ("content-range", "bytes 40-99/100"),
        ("content-length", "60"),
        ("etag", ETAG),
    ];
    for total in [None, Some(100)] {
        let resume = resume(40, total);
        assert_eq!(
            answer(206, &good, Some(&resume)),
            Verdict::Append { total: 100 }
        );
    }
    let start_over = |name: &str, value: Option<&str>, total| {
        let mut headers = good.to_vec();
        headers.retain(|(old, _)| *old != name);
        headers.extend(value.map(|value| (name, value)));
        let verdict = answer(206, &headers, Some(&resume(40, total)));
        assert!(
            matches!(verdict, Verdict::StartOver(_)),
            "{name} {value:?}: {verdict:?}"
        );
    };
    for range in [
        "bytes 39-99/100",
        "bytes 41-99/100",
        "bytes 40-98/100",
        "bytes 40-99/*",
    ] {
        start_over("content-range", Some(range), None);
    }
    for etag in [None, Some("\"other\""), Some("W/\"abc\"")] {
        start_over("etag", etag, None);
    }
    start_over("content-length", Some("59"), None);
    start_over("etag", Some(ETAG), Some(101));
}

#[test]
fn a_part_that_nobody_asked_for_or_without_a_label_is_refused() {
    let refused = |verdict| assert!(matches!(verdict, Verdict::Refused(_)), "{verdict:?}");
    refused(answer(206, &[("content-range", "bytes 0-99/100")], None));
    refused(answer(206, &[("etag", ETAG)], Some(&resume(40, None))));
    let multipart = ("content-type", "Multipart/ByteRanges; boundary=x");
    refused(answer(206, &[multipart], Some(&resume(40, None))));
    refused(answer(200, &[("content-encoding", "gzip")], None));
    refused(answer(200, &[("content-length", "0")], None));
}

#[test]
fn a_type_in_the_head_says_nothing_about_the_bytes() {
    for kind in ["text/html; charset=utf-8", "text/plain", "application/json"] {
        let verdict = answer(200, &[("content-type", kind)], None);
        assert!(
            matches!(verdict, Verdict::Whole { .. }),
            "{kind}: {verdict:?}"
        );
    }
}

#[test]
fn with_416_the_length_decides() {
    let told = |range, resume: &Resume| answer(416, &[("content-range", range)], Some(resume));
    assert_eq!(told("bytes */100", &resume(100, None)), Verdict::Complete);
    assert_eq!(
        told("bytes */100", &resume(100, Some(100))),
        Verdict::Complete
    );
    for verdict in [
        told("bytes */99", &resume(100, None)),
        told("bytes */100", &resume(100, Some(200))),
        told("garbage", &resume(100, None)),
        answer(416, &[], Some(&resume(100, None))),
    ] {
        assert!(matches!(verdict, Verdict::StartOver(_)), "{verdict:?}");
    }
    assert!(matches!(answer(416, &[], None), Verdict::Refused(_)));
}

#[test]
fn only_a_body_that_is_not_encoded_is_taken() {
    for (encoding, taken) in [
        ("", true),
        ("identity", true),
        (" Identity ", true),
        ("gzip", false),
        ("identity, br", false),
    ] {
        let verdict = answer(200, &[("content-encoding", encoding)], None);
        let whole = matches!(verdict, Verdict::Whole { .. });
        assert_eq!(whole, taken, "{encoding:?}: {verdict:?}");
    }
}

#[test]
fn each_status_has_its_meaning() {
    for status in [400, 401, 403, 410] {
        assert_eq!(answer(status, &[], None), Verdict::FreshLink, "{status}");
    }
    for status in [500, 502, 503, 504, 599, 408] {
        assert!(
            matches!(answer(status, &[], None), Verdict::HostFails(_)),
            "{status}"
        );
    }
    assert_eq!(answer(429, &[], None), Verdict::RateLimited);
    assert_eq!(
        answer(503, &[("retry-after", "5")], None),
        Verdict::RateLimited
    );
    for status in [100, 201, 204, 304, 404, 405, 451] {
        assert!(
            matches!(answer(status, &[], None), Verdict::Refused(_)),
            "{status}"
        );
    }
}

#[test]
fn content_ranges_that_say_nothing_are_none() {
    assert_eq!(parse_content_range("bytes 0-0/1"), Some((0, 0, Some(1))));
    assert_eq!(parse_content_range(" bytes 5-9/* "), Some((5, 9, None)));
    for text in [
        "",
        "bytes",
        "bytes 1-2",
        "bytes 2-1/3",
        "bytes 0-3/3",
        "bytes -1/3",
        "bytes 0-/3",
        "bytes */3",
        "bytes +0-1/3",
        "items 0-1/3",
        "bytes 0-18446744073709551616/*",
    ] {
        assert_eq!(parse_content_range(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_content_range_is_read_as_it_was_written(first: u64, more: u64, beyond in 1..u64::MAX) {
        let last = first.saturating_add(more);
        prop_assume!(last < u64::MAX);
        let total = last.saturating_add(beyond);
        let text = format!("bytes {first}-{last}/{total}");
        prop_assert_eq!(parse_content_range(&text), Some((first, last, Some(total))));
    }

    #[test]
    fn what_is_read_of_a_content_range_makes_sense(text in "( |bytes|items|[0-9]{1,20}|[-/*+]){1,8}") {
        if let Some((first, last, total)) = parse_content_range(&text) {
            prop_assert!(first <= last && total.is_none_or(|total| last < total));
            let total = total.map_or("*".to_owned(), |total| total.to_string());
            let written = format!("bytes {first}-{last}/{total}");
            prop_assert_eq!(parse_content_range(&written), parse_content_range(&text));
        }
    }

    #[test]
    fn no_text_makes_it_panic(text: String, from: u64, total: Option<u64>) {
        _ = parse_content_range(&text);
        if HeaderValue::from_str(&text).is_ok() {
            for name in ["content-range", "etag", "content-length", "content-type"] {
                for status in [200, 206, 416] {
                    _ = answer(status, &[(name, &text)], Some(&resume(from, total)));
                }
            }
        }
    }

    #[test]
    fn nothing_is_appended_but_at_the_byte_asked_for(from in 0..50_u64, first in 0..50_u64, total in 51..60_u64) {
        let range = format!("bytes {first}-{}/{total}", total - 1);
        let headers = [("content-range", range.as_str()), ("etag", ETAG)];
        let verdict = answer(206, &headers, Some(&resume(from, None)));
        prop_assert_eq!(verdict == Verdict::Append { total }, first == from);
    }
}
