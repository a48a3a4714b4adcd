use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Cooldowns, DEFAULT, LONGEST, parse_http_date, parse_retry_after};

fn now() -> DateTime<Utc> {
    parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date")
}

#[test]
fn retry_after_is_read_in_each_form_and_kept_within_limits() {
    for (header, wait) in [
        ("7", Duration::from_secs(7)),
        (" 7 ", Duration::from_secs(7)),
        ("0", Duration::from_secs(1)),
        ("99999999999999999999999999", LONGEST),
        ("86400", LONGEST),
        ("Sun, 06 Nov 1994 08:50:07 GMT", Duration::from_secs(30)),
        ("Sun, 06 Nov 1994 08:00:00 GMT", Duration::from_secs(1)),
        ("Tue, 01 Nov 2044 08:00:00 GMT", LONGEST),
        ("Sunday, 06-Nov-94 08:50:07 GMT", Duration::from_secs(30)),
        ("Sun Nov  6 08:50:07 1994", Duration::from_secs(30)),
        ("", DEFAULT),
        ("-5", DEFAULT),
        ("1.5", DEFAULT),
        ("soon", DEFAULT),
        ("Sun, 06 Nov 1994", DEFAULT),
    ] {
        assert_eq!(parse_retry_after(header, now()), wait, "{header:?}");
    }
}

#[test]
fn a_date_of_another_age_is_none() {
    for text in [
        "Tue, 31 Dec +262142 23:59:59 GMT",
        "Fri, 31 Dec +262142 23:59:59 GMT",
        "Sun, 06 Nov 194 08:49:37 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Sat, 01 Jan +10000 00:00:00 GMT",
    ] {
        assert_eq!(parse_http_date(text), None, "{text}");
    }
}

#[test]
fn a_host_is_left_alone_until_its_time_and_others_are_not() {
    let cooldowns = Cooldowns::default();
    let until = cooldowns.ask("media.example.com", Some("60"), None, now());
    assert_eq!(until, now() + TimeDelta::seconds(60));
    assert_eq!(cooldowns.until("media.example.com", now()), Some(until));
    assert_eq!(cooldowns.until("media.example.com", until), None);
    assert_eq!(cooldowns.until("api.example.com", now()), None);
}

#[test]
fn what_is_kept_survives_a_restart_and_a_clock_set_back() {
    let cooldowns = Cooldowns::default();
    let until = cooldowns.ask("media.example.com", None, None, now());
    let kept = cooldowns.take_changed(now()).expect("a change");
    assert_eq!(cooldowns.take_changed(now()), None);
    let again = Cooldowns::load(kept);
    assert_eq!(again.until("media.example.com", now()), Some(until));
    let years_ago = now() - TimeDelta::days(3650);
    assert_eq!(again.until("media.example.com", years_ago), None);
}

#[test]
fn what_has_just_ended_is_not_kept() {
    let cooldowns = Cooldowns::default();
    let until = cooldowns.ask("media", Some("5"), None, now());
    assert_eq!(cooldowns.take_changed(until), Some(Vec::new()));
}

#[test]
fn a_date_counts_from_the_answers_own_time_whatever_our_clock_says() {
    let header = Some("Sun, 06 Nov 1994 08:50:07 GMT");
    let ours = now() + TimeDelta::days(3650);
    let until = Cooldowns::default().ask("media.example.com", header, Some(now()), ours);
    assert_eq!(until, ours + TimeDelta::seconds(30));
}

proptest! {
    #[test]
    fn whatever_a_host_asks_the_wait_is_bounded(header: String) {
        let wait = parse_retry_after(&header, now());
        prop_assert!(wait >= Duration::from_secs(1) && wait <= LONGEST);
    }

    #[test]
    fn seconds_and_dates_are_read_as_they_were_written(seconds in 0..100_000_u64, at in 0..253_402_300_800_i64) {
        let clamped = |wait: Duration| wait.clamp(Duration::from_secs(1), LONGEST);
        let wait = parse_retry_after(&seconds.to_string(), now());
        prop_assert_eq!(wait, clamped(Duration::from_secs(seconds)));

        let at = DateTime::from_timestamp(at, 0).expect("a time");
        let text = at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        prop_assert_eq!(parse_http_date(&text), Some(at));
        let wait = parse_retry_after(&text, now());
        prop_assert_eq!(wait, clamped((at - now()).to_std().unwrap_or_default()));
    }

    #[test]
    fn no_date_is_beyond_what_can_be_reckoned_with(text in "[A-Z][a-z]{2}, [0-3]?[0-9] (Jan|Dec) [-+]?[0-9]{1,6} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT", more: String) {
        for text in [text, more] {
            if let Some(date) = parse_http_date(&text) {
                prop_assert!((0..253_402_300_800).contains(&date.timestamp()), "{}", date);
            }
        }
    }
}
