use super::*;

const DAY: Duration = Duration::from_hours(24);

fn listing(ended_ago: Duration, open: bool, settle: Duration) -> Listing {
    let ended = DateTime::UNIX_EPOCH + DAY * 300;
    let now = ended + ended_ago;
    next_listing(
        &SessionStatus::Completed,
        Some(ended - DAY),
        Some(ended),
        open,
        now,
        settle,
    )
}

/// When a session is listed after its end, if a poll comes the moment it is due.
fn listings(open: bool, settle: Duration, until: Duration) -> Vec<Duration> {
    let mut at = Duration::ZERO;
    let mut all = Vec::new();
    while at <= until {
        all.push(at);
        at += match listing(at, open, settle) {
            Listing::NextPoll => Duration::from_mins(5),
            Listing::After(step) => step,
            Listing::Settled => break,
        };
    }
    all
}

#[test]
fn a_running_session_is_listed_at_each_poll_then_hourly_then_daily() {
    let start = DateTime::UNIX_EPOCH;
    let hourly = Listing::After(Duration::from_hours(1));
    for (age, open, expected) in [
        (Duration::ZERO, false, Listing::NextPoll),
        (DAY, false, Listing::NextPoll),
        (DAY * 3 / 2, false, hourly),
        (DAY * 6, false, hourly),
        (DAY * 7, false, Listing::After(DAY)),
        (DAY * 300, false, Listing::After(DAY)),
        (DAY * 300, true, hourly),
    ] {
        let running = &SessionStatus::InProgress;
        let next = next_listing(running, Some(start), None, open, start + age, DAY);
        assert_eq!(next, expected, "{age:?} {open}");
    }
    let next = next_listing(&SessionStatus::InProgress, None, None, false, start, DAY);
    assert_eq!(next, Listing::NextPoll);
}

#[test]
fn a_session_without_a_word_that_is_understood_is_listed_ever_less_often_and_never_settles() {
    let start = DateTime::UNIX_EPOCH;
    for (age, next) in [
        (Duration::ZERO, Listing::NextPoll),
        (
            Duration::from_hours(4),
            Listing::After(Duration::from_hours(2)),
        ),
        (DAY * 300, Listing::After(LONGEST_STEP)),
    ] {
        let other = &SessionStatus::Other(Some("paused".to_owned()));
        let listing = next_listing(other, Some(start), None, false, start + age, DAY);
        assert_eq!(listing, next);
    }
}

#[test]
fn a_session_settles_at_its_time_and_not_before_unless_something_is_open() {
    let before = Duration::from_millis(24 * 60 * 60 * 1000 - 1);
    assert_eq!(
        listing(before, false, DAY),
        Listing::After(Duration::from_millis(1))
    );
    assert_eq!(listing(DAY, false, DAY), Listing::Settled);
    assert_eq!(listing(DAY, true, DAY), Listing::After(LONGEST_STEP));
    assert_eq!(listing(DAY * 300, true, DAY), Listing::After(LONGEST_STEP));
}

#[test]
fn the_first_quarter_of_an_hour_has_every_poll_even_if_settling_is_quicker() {
    let eager = Duration::from_mins(14);
    assert_eq!(listing(eager, false, Duration::ZERO), Listing::NextPoll);
    assert_eq!(listing(EAGER, false, Duration::ZERO), Listing::Settled);
}

#[test]
fn a_quarter_of_an_hour_after_its_end_a_session_is_listed_less_often() {
    let before = EAGER.saturating_sub(Duration::from_secs(1));
    assert_eq!(listing(before, true, DAY), Listing::NextPoll);
    assert_eq!(listing(EAGER, true, DAY), Listing::After(EAGER / 2));
}

#[test]
fn an_end_in_the_future_counts_as_now() {
    let now = DateTime::UNIX_EPOCH;
    let next = next_listing(
        &SessionStatus::Completed,
        None,
        Some(now + DAY),
        false,
        now,
        Duration::ZERO,
    );
    assert_eq!(next, Listing::NextPoll);
}

#[test]
fn steps_grow_and_the_last_listing_is_at_the_time_of_settling() {
    for settle in [Duration::from_hours(1), DAY, DAY * 7] {
        let all = listings(false, settle, settle * 2);
        assert_eq!(all.last(), Some(&settle));
        let steps: Vec<_> = all
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        assert!(steps[..steps.len() - 1].is_sorted(), "{steps:?}");
    }
    assert!(listings(false, DAY, DAY).len() < 18);
    assert!(listings(true, DAY, DAY * 30).len() < 140);
}
