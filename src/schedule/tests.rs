use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn schedule(text: &str) -> Schedule {
    text.parse().expect("a schedule")
}

fn next(text: &str, after: &str) -> String {
    let slot = schedule(text).next_after(at(after)).expect("a slot");
    slot.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[test]
fn the_next_slot_is_a_whole_second_strictly_after() {
    assert_eq!(
        next("0 */5 * * * *", "2026-11-23T20:00:00Z"),
        "2026-11-23T20:05:00Z"
    );
    assert_eq!(
        next("0 */5 * * * *", "2026-11-23T20:04:59.999Z"),
        "2026-11-23T20:05:00Z"
    );
    assert_eq!(
        next("* * * * * *", "2026-11-23T20:04:59.999Z"),
        "2026-11-23T20:05:00Z"
    );
}

#[test]
fn slots_across_year_ends_and_leap_days_are_found() {
    assert_eq!(
        next("0 30 3 * * *", "2026-12-31T03:30:00Z"),
        "2027-01-01T03:30:00Z"
    );
    assert_eq!(
        next("0 0 0 29 2 *", "2026-11-23T00:00:00Z"),
        "2028-02-29T00:00:00Z"
    );
    // 2100 is no leap year.
    assert_eq!(
        next("0 0 0 29 2 *", "2096-02-29T00:00:00Z"),
        "2104-02-29T00:00:00Z"
    );
    assert_eq!(
        next("59 59 23 31 12 *", "2026-12-31T23:59:58Z"),
        "2026-12-31T23:59:59Z"
    );
}

#[test]
fn day_and_weekday_must_both_fit() {
    assert_eq!(
        next("0 0 4 1 * 0", "2026-11-23T00:00:00Z"),
        "2027-08-01T04:00:00Z"
    );
    // The 29th of February on a Sunday.
    assert_eq!(
        next("0 0 4 29 2 SUN", "2026-11-23T00:00:00Z"),
        "2032-02-29T04:00:00Z"
    );
}

#[test]
fn a_daily_slot_comes_once_on_days_when_clocks_change() {
    // Europe's and America's changes of 2026, by UTC: days of 24 hours all the same.
    for day in ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01"] {
        let daily = schedule("0 30 1 * * *");
        let mut last = at(&format!("{day}T00:00:00Z"));
        let mut ticks = 0;
        for minute in 0..24 * 60 {
            let now = at(&format!("{day}T00:00:00Z")) + chrono::TimeDelta::minutes(minute);
            if slot_passed(&daily, last, now) {
                last = now;
                ticks += 1;
            }
        }
        assert_eq!(ticks, 1, "{day}");
    }
}

#[test]
fn a_slot_has_passed_from_its_own_second_on() {
    let poll = schedule("0 */5 * * * *");
    let last = at("2026-11-23T20:00:00.250Z");
    assert!(!slot_passed(&poll, last, at("2026-11-23T20:04:59.999Z")));
    assert!(slot_passed(&poll, last, at("2026-11-23T20:05:00Z")));
    assert!(slot_passed(&poll, last, at("2027-11-23T20:05:00Z")));
    assert!(!slot_passed(&poll, last, last));
    assert!(
        !slot_passed(&poll, last, at("2026-11-23T19:00:00Z")),
        "set back"
    );
}

#[test]
fn a_rare_schedule_keeps_its_date() {
    let rare = schedule("0 0 0 29 2 *");
    let last = at("2024-02-29T00:00:00Z");
    assert!(!slot_passed(&rare, last, at("2028-02-28T23:59:59Z")));
    assert!(slot_passed(&rare, last, at("2028-02-29T00:00:00Z")));
}

#[test]
fn what_is_no_schedule_is_refused_with_the_reason() {
    let refused = |text: &str| text.parse::<Schedule>().expect_err(text).to_string();
    assert!(refused("*/5 * * * *").contains("expected six fields"));
    assert!(refused("@daily").ends_with("found 1"));
    assert!(refused("").ends_with("found 0"));
    assert!(refused("0 0 0 1 1 * 2020").ends_with("found 7"));
    assert!(refused("61 * * * * *").starts_with("not a cron schedule"));
    assert!(refused("0 0 0 * * funday").starts_with("not a cron schedule"));
}

#[test]
fn a_schedule_that_never_fires_is_refused() {
    for text in ["0 0 0 30 2 *", "0 0 0 31 4,6,9,11 *"] {
        let refused = text.parse::<Schedule>();
        assert_eq!(refused, Err(ScheduleError::NeverFires));
    }
}

#[test]
fn a_schedule_reads_and_writes_as_its_text() {
    let text = "\"0 */5 * * * *\"";
    let read: Schedule = serde_json::from_str(text).expect("a schedule");
    assert_eq!(serde_json::to_string(&read).expect("a text"), text);
    assert_eq!(read, schedule("  0  */5 * * *   * "));
    assert!(serde_json::from_str::<Schedule>("\"often\"").is_err());
}
