//! Which bytes of a file a request asks for, by RFC 9110: conditions first, then the range. Pure.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName};

/// What to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The whole file.
    Whole,
    /// The bytes from the first to the last, both included.
    Part(u64, u64),
    /// The range begins behind the end of the file.
    Unsatisfiable,
    /// The client has these bytes.
    NotModified,
    /// The client wants other bytes than there are.
    Failed,
}

/// What a request with these headers gets of a file with `size` bytes and this strong `ETag`, quotes included.
pub(super) fn answer(get: bool, headers: &HeaderMap, etag: &str, size: u64) -> Answer {
    if let Some(wanted) = all(headers, &IF_MATCH)
        && !wanted.any(|tag| tag == "*" || tag == etag)
    {
        return Answer::Failed;
    }
    if let Some(known) = all(headers, &IF_NONE_MATCH)
        && known.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    {
        return Answer::NotModified;
    }
    // Of two ranges, or of two conditions, none is believed: the whole file is never wrong.
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None, true) = (ranges.next(), ranges.next(), get) else {
        return Answer::Whole;
    };
    // Only the strong ETag proves that the client's bytes are of the same file. A date does not.
    let mut conditions = headers.get_all(IF_RANGE).iter();
    if conditions.next().is_some_and(|tag| tag != etag) || conditions.next().is_some() {
        return Answer::Whole;
    }
    range
        .to_str()
        .ok()
        .and_then(|range| part(range, size))
        .unwrap_or(Answer::Whole)
}

/// The members of a header that is a list of `ETag`s; `None` without one.
fn all<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Tags<'a>> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let tags = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    Some(Tags(Box::new(tags.map(str::trim))))
}

struct Tags<'a>(Box<dyn Iterator<Item = &'a str> + 'a>);

impl<'a> Tags<'a> {
    fn any(mut self, fits: impl Fn(&'a str) -> bool) -> bool {
        self.0.any(fits)
    }
}

/// The one range of bytes that is asked for; `None`, if it is of another unit, no range, or several: those are ignored.
fn part(range: &str, size: u64) -> Option<Answer> {
    let (unit, range) = range.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    if first.is_empty() {
        let length = number(last)?.min(size);
        return Some(match length {
            0 => Answer::Unsatisfiable,
            length => Answer::Part(size - length, size - 1),
        });
    }
    let first = number(first)?;
    let last = if last.is_empty() {
        u64::MAX
    } else {
        number(last)?
    };
    if last < first {
        return None;
    }
    Some(if first >= size {
        Answer::Unsatisfiable
    } else {
        Answer::Part(first, last.min(size - 1))
    })
}

/// Digits as a number; too large ones are the largest.
fn number(digits: &str) -> Option<u64> {
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn asked(pairs: &[(HeaderName, &str)]) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value.parse().expect("a value"));
        }
        answer(true, &headers, TAG, 100)
    }

    #[test]
    fn one_range_of_bytes_is_understood_in_each_form() {
        for (range, expected) in [
            ("bytes=0-0", Answer::Part(0, 0)),
            ("bytes=0-", Answer::Part(0, 99)),
            ("bytes=99-", Answer::Part(99, 99)),
            ("bytes=10-19", Answer::Part(10, 19)),
            ("bytes=10-1000", Answer::Part(10, 99)),
            ("bytes=10-99999999999999999999999999", Answer::Part(10, 99)),
            ("bytes=-1", Answer::Part(99, 99)),
            ("bytes=-1000", Answer::Part(0, 99)),
            ("Bytes= 5-6 ", Answer::Part(5, 6)),
            ("bytes=100-", Answer::Unsatisfiable),
            ("bytes=18446744073709551615-", Answer::Unsatisfiable),
            ("bytes=99999999999999999999999-", Answer::Unsatisfiable),
            ("bytes=-0", Answer::Unsatisfiable),
        ] {
            assert_eq!(asked(&[(RANGE, range)]), expected, "{range}");
        }
        assert_eq!(answer(true, &HeaderMap::new(), TAG, 0), Answer::Whole);
    }

    #[test]
    fn what_is_no_single_range_of_bytes_gets_the_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5",
            "bytes=6-5",
            "bytes=--5",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "bytes=0-0,-1",
            "items=0-1",
            "bytes=0x1-2",
            "bytes=1 - 2",
            "bytes 0-1",
            "bytes=0-1;",
        ] {
            assert_eq!(asked(&[(RANGE, range)]), Answer::Whole, "{range}");
        }
        assert_eq!(
            asked(&[(RANGE, "bytes=0-1"), (RANGE, "bytes=0-2")]),
            Answer::Whole
        );
    }

    #[test]
    fn a_range_is_only_for_those_who_have_the_same_file_and_for_get() {
        let range = (RANGE, "bytes=1-2");
        let part = Answer::Part(1, 2);
        assert_eq!(asked(&[range.clone(), (IF_RANGE, TAG)]), part);
        for other in [
            "\"other\"",
            "W/\"abc\"",
            "abc",
            "Wed, 21 Oct 2015 07:28:00 GMT",
        ] {
            assert_eq!(
                asked(&[range.clone(), (IF_RANGE, other)]),
                Answer::Whole,
                "{other}"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, "bytes=1-2".parse().expect("a value"));
        assert_eq!(answer(false, &headers, TAG, 100), Answer::Whole, "HEAD");
    }

    #[test]
    fn conditions_come_before_ranges() {
        let range = (RANGE, "bytes=500-");
        for known in [TAG, "*", "W/\"abc\"", "\"x\", \"abc\""] {
            assert_eq!(
                asked(&[range.clone(), (IF_NONE_MATCH, known)]),
                Answer::NotModified,
                "{known}"
            );
        }
        assert_eq!(asked(&[(IF_NONE_MATCH, "\"x\"")]), Answer::Whole);
        assert_eq!(asked(&[range.clone(), (IF_MATCH, "\"x\"")]), Answer::Failed);
        assert_eq!(asked(&[(IF_MATCH, "W/\"abc\"")]), Answer::Failed);
        assert_eq!(asked(&[(IF_MATCH, "\"x\",\"abc\"")]), Answer::Whole);
    }
}
