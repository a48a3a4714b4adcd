//! When a failed event is sent again, and when its webhook gets the next request at all: decided from what is known,
//! without asking anybody.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::endpoint::Answer;
use crate::store::{Delivery, Failed, WebhookState};

/// The waits between the attempts of one event; the last one is repeated. They begin as the specification proposes, and
/// end at a shorter one: a receiver that is back gets what waits within hours, even if nothing else happens.
const EVENT: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(6),
];
/// The waits between the requests to a webhook that accepts nothing, whatever the events: a long backlog costs no
/// more than one event.
const WEBHOOK: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
];
/// For so long an event is tried.
pub(super) const KEPT: TimeDelta = TimeDelta::days(3);
/// The longest `Retry-After` that is believed.
const LONGEST: Duration = Duration::from_hours(24);

/// What follows from an answer that did not accept an event.
pub(super) fn after(
    answer: &Answer,
    delivery: &Delivery,
    webhook: &WebhookState,
    now: DateTime<Utc>,
) -> Failed {
    let asked = answer.retry_after.unwrap_or_default().min(LONGEST);
    let later = |waits: &[Duration], failures: u32| {
        let nth = (failures as usize).min(waits.len() - 1);
        now + waits[nth].max(asked)
    };
    let tried_since = delivery.first_attempt_at.unwrap_or(now);
    let gone = answer.status == Some(410);
    let again_at = match now - tried_since {
        // It says nothing about the event: it waits until the webhook is enabled again.
        _ if gone => Some(now),
        tried if tried >= KEPT => None,
        _ => Some(later(&EVENT, delivery.attempts)),
    };
    Failed {
        status: answer.status,
        error: answer.error.clone().unwrap_or_default(),
        unreachable: is_unreachable(answer.status),
        again_at,
        next_at: later(&WEBHOOK, webhook.failures),
        gone,
        give_up_before: now - KEPT,
    }
}

/// Whether an answer says nothing about the event it answers: nobody is there, or another than the receiver answered.
fn is_unreachable(status: Option<u16>) -> bool {
    match status {
        None => true,
        Some(status) => matches!(
            status,
            300..=399 | 401 | 403 | 404 | 405 | 407 | 408 | 410 | 421 | 425 | 429 | 502..=504
        ),
    }
}
