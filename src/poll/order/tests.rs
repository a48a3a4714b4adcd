use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::model::SessionStatus;

const DAY: Duration = Duration::from_hours(24);

fn at(hour: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::hours(10_000 + hour)
}

fn session(created: Option<i64>, started: Option<i64>) -> Session {
    Session {
        id: uuid::Uuid::nil().into(),
        room_name: None,
        status: SessionStatus::Completed,
        start_time: started.map(at),
        end_time: None,
        created_at: created.map(at),
        updated_at: None,
        upstream: String::new(),
    }
}

fn watch(hours: impl IntoIterator<Item = i64>) -> OrderWatch {
    let mut order = OrderWatch::default();
    for hour in hours {
        order.see(&session(Some(hour), Some(hour)));
    }
    order
}

fn known(hour: i64) -> Horizon {
    Horizon {
        created: Some(at(hour)),
        started: Some(at(hour)),
    }
}

#[test]
fn a_walk_from_the_newest_end_may_stop_once_it_is_the_overlap_beyond_what_is_known() {
    assert!(watch([3, 0, -25]).passed(known(0), DAY));
    assert!(watch([0, 0, -25]).passed(known(0), DAY));
    assert!(!watch([3, 0, -24]).passed(known(0), DAY));
    assert!(!watch([3, 0, -25]).passed(Horizon::default(), DAY));
    assert!(!watch([]).passed(known(0), DAY));
}

#[test]
fn other_orders_walk_on() {
    assert!(!watch([-50, -40, -30]).passed(known(0), DAY));
    assert!(!watch([3, -50, 2, -60]).passed(known(0), DAY));
    // One old row is in any order; it does not begin at the newest end.
    assert!(!watch([-50]).passed(known(0), DAY));
}

#[test]
fn either_of_the_times_will_do_and_an_absent_one_proves_nothing() {
    let mut order = OrderWatch::default();
    order.see(&session(None, Some(1)));
    order.see(&session(Some(5), Some(-25)));
    assert!(order.passed(known(0), DAY));
    assert_eq!(order.horizon().created, Some(at(5)));
    order.see(&session(Some(4), None));
    assert!(!order.passed(known(0), DAY));
}

proptest! {
    /// Whatever the first rows are: what is left out of a walk is older than the overlap reaches, if
    /// the whole list is newest first, and a list that is not has shown it or began late.
    #[test]
    fn a_walk_never_stops_before_an_unknown_session(
        mut rows in proptest::collection::vec(-200_i64..50, 1..40),
        shown in 1_usize..40,
    ) {
        rows.sort_unstable_by(|a, b| b.cmp(a));
        let shown = shown.min(rows.len());
        let order = watch(rows[..shown].iter().copied());
        if order.passed(known(0), DAY) {
            prop_assert!(rows[shown..].iter().all(|hour| *hour < -24));
        }
    }
}
