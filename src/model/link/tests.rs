use std::time::Duration;

use chrono::NaiveDate;
use proptest::prelude::*;

use super::{BadLink, MediaLink, UnreadLink};

const ARRIVED: Duration = Duration::from_secs(1000);
const TTL: Duration = Duration::from_mins(15);

fn server_now() -> chrono::NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 11, 23)
        .and_then(|date| date.and_hms_opt(20, 0, 0))
        .expect("a time")
}

fn life(uri: &str) -> Duration {
    let link = MediaLink::parse(uri, ARRIVED, TTL, Some(server_now())).expect("a link");
    link.life_left(ARRIVED)
}

#[test]
fn a_link_lives_as_long_as_the_shorter_of_what_was_asked_and_what_was_signed() {
    let signed = |date: &str, seconds: &str| {
        life(&format!(
            "https://media.example.com/a?X-Amz-Date={date}&x-amz-expires={seconds}"
        ))
    };
    assert_eq!(life("https://media.example.com/a"), TTL);
    assert_eq!(signed("20261123T200000Z", "60"), Duration::from_mins(1));
    assert_eq!(signed("20261123T195930Z", "60"), Duration::from_secs(30));
    assert_eq!(signed("20261123T195000Z", "60"), Duration::ZERO);
    assert_eq!(signed("20261123T200000Z", "604800"), TTL);
    for (date, seconds) in [
        ("garbage", "60"),
        ("20261123T200000Z", "-1"),
        ("20261123T200000Z", ""),
    ] {
        assert_eq!(signed(date, seconds), TTL, "{date} {seconds}");
    }
}

#[test]
fn a_links_life_runs_on_the_monotonic_clock() {
    let uri = "https://media.example.com/a";
    let link = MediaLink::parse(uri, ARRIVED, TTL, None).expect("a link");
    assert_eq!(link.life_left(ARRIVED + TTL / 3), TTL * 2 / 3);
    assert_eq!(link.life_left(ARRIVED + TTL * 2), Duration::ZERO);
}

#[test]
fn what_can_not_be_a_media_link_is_refused() {
    for (uri, bad) in [
        ("", BadLink::NotAUrl),
        ("/relative", BadLink::NotAUrl),
        ("https://", BadLink::NotAUrl),
        ("ftp://media.example.com/a", BadLink::Scheme),
        ("file:///etc/passwd", BadLink::Scheme),
        ("data:video/mp4,x", BadLink::Scheme),
        ("https://user@media.example.com/a", BadLink::UserInfo),
        ("https://:word@media.example.com/a", BadLink::UserInfo),
        ("https://media.example.com/a\r\nX: y", BadLink::Control),
        ("https://media.exa\tmple.com/a", BadLink::Control),
        (" https://media.example.com/a", BadLink::Control),
    ] {
        assert_eq!(
            MediaLink::parse(uri, ARRIVED, TTL, None).err(),
            Some(bad),
            "{uri:?}"
        );
    }
}

#[test]
fn only_the_host_is_ever_shown() {
    let uri = "https://media.example.com/path?X-Amz-Signature=secret";
    let link = MediaLink::parse(uri, ARRIVED, TTL, None).expect("a link");
    assert_eq!(format!("{link:?}"), "MediaLink(media.example.com:443/…)");
    assert_eq!(link.host(), "media.example.com:443");
}

proptest! {
    #[test]
    fn no_uri_makes_it_panic_or_live_too_long(uri: String, date: String, seconds: String) {
        for uri in [uri, format!("https://h/?X-Amz-Date={date}&X-Amz-Expires={seconds}")] {
            if let Ok(link) = MediaLink::parse(&uri, ARRIVED, TTL, Some(server_now())) {
                prop_assert!(link.life_left(ARRIVED) <= TTL);
            }
        }
    }
}

#[test]
fn a_link_that_was_not_read_yet_is_over_once_its_life_has_passed_and_not_before() {
    let link = UnreadLink::new(String::new(), ARRIVED, TTL, None);
    let end = ARRIVED + TTL;
    assert!(
        !link.is_expired(ARRIVED) && !link.is_expired(end.saturating_sub(Duration::from_nanos(1)))
    );
    assert!(link.is_expired(end) && link.is_expired(end + TTL));
    let endless = UnreadLink::new(String::new(), ARRIVED, Duration::MAX, None);
    assert!(!endless.is_expired(end));
}
