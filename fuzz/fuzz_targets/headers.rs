//! Headers that decide what is done with bytes and with time: Content-Range, Retry-After, Date.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use room_archiver::cooldown::{parse_http_date, parse_retry_after};
use room_archiver::download::http::answer::parse_content_range;

fuzz_target!(|text: &str| {
    if let Some((first, last, total)) = parse_content_range(text) {
        assert!(first <= last && total.is_none_or(|total| last < total));
        let total = total.map_or("*".to_owned(), |total| total.to_string());
        let written = format!("bytes {first}-{last}/{total}");
        assert_eq!(parse_content_range(&written), parse_content_range(text));
    }
    let now = chrono::DateTime::from_timestamp(1_795_464_147, 0).expect("a time");
    let wait = parse_retry_after(text, now);
    assert!((Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&wait));
    if let Some(date) = parse_http_date(text) {
        let written = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        assert_eq!(parse_http_date(&written), Some(date));
        // What callers reckon with it must not overflow.
        let _ = (date - now, date + chrono::TimeDelta::days(366));
    }
});
