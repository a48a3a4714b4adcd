//! `retry` queues what can be tried again, and says why it leaves the rest.

use room_archiver::store::{Ending, Order, Tally};
use tokio_util::sync::CancellationToken;

use super::harness::filled::{
    ARCHIVED, DAMAGED, DOWNLOADING, FAILED, Filled, LOST, NO_LINK, OLD, PENDING, SKIPPED, STUCK,
    at, recording,
};
use super::harness::sqlite;

#[test]
fn retry_queues_what_was_given_up_and_says_why_not_the_rest() {
    let filled = Filled::with_every_state();
    let (queued, refused) = filled.output(0, &["retry", "--stuck"]);
    insta::assert_snapshot!(queued, @"
    22222222-2222-2222-2222-222222222222: was pending; queued
    33333333-3333-3333-3333-333333333333: was lost; queued
    44444444-4444-4444-4444-444444444444: was pending; queued
    55555555-5555-5555-5555-555555555555: was damaged; queued
    77777777-7777-7777-7777-777777777777: was pending; queued
    ");
    assert_eq!(refused, "");

    let ids = [
        ARCHIVED,
        FAILED,
        LOST,
        NO_LINK,
        DAMAGED,
        DOWNLOADING,
        STUCK,
        SKIPPED,
        0xff,
        LOST,
    ]
    .map(|n| recording(n).to_string());
    let args: Vec<_> = std::iter::once("retry")
        .chain(ids.iter().map(String::as_str))
        .collect();
    let (queued, refused) = filled.output(1, &args);
    insta::assert_snapshot!(queued, @"
    22222222-2222-2222-2222-222222222222: was pending; queued
    33333333-3333-3333-3333-333333333333: was pending; queued
    44444444-4444-4444-4444-444444444444: was pending; queued
    55555555-5555-5555-5555-555555555555: was damaged; queued
    ");
    insta::assert_snapshot!(refused, @"
    11111111-1111-1111-1111-111111111111: not queued: it is archived; 'room-archiver verify' checks its file
    66666666-6666-6666-6666-666666666666: not queued: it is being downloaded now
    88888888-8888-8888-8888-888888888888: not queued: it is not completed upstream yet
    aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa: not queued: the configured filter leaves it out
    ffffffff-ffff-ffff-ffff-ffffffffffff: not queued: no such recording is known
    ");

    // Queued is what the daemon claims, at once and all of it.
    let claimed = filled.with(async |store| {
        store
            .claim(9, Order::OldestFirst, at(OLD), &CancellationToken::new())
            .await
            .expect("claims")
    });
    let claimed: Vec<_> = claimed.iter().map(|claim| claim.id).collect();
    assert_eq!(
        claimed,
        [FAILED, LOST, NO_LINK, DAMAGED, PENDING].map(recording)
    );
}

#[test]
fn a_damaged_recording_that_was_gone_upstream_is_asked_for_again() {
    let filled = Filled::with_every_state();
    let id = recording(DAMAGED);
    filled.with(async |store| store.recording_gone(id, at(OLD)).await.expect("gone"));
    let (queued, _) = filled.output(0, &["retry", &id.to_string()]);
    assert_eq!(queued, format!("{id}: was damaged; queued\n"));
    let claims = filled.with(async |store| {
        store
            .claim(9, Order::OldestFirst, at(OLD), &CancellationToken::new())
            .await
            .expect("claims")
    });
    assert!(claims.iter().any(|claim| claim.id == id));
    // Gone again: it stays damaged, and rests for a day.
    let claim = claims
        .iter()
        .find(|claim| claim.id == id)
        .expect("its claim");
    let (gone, tally) = (Ending::Gone, Tally::default());
    filled.with(async |store| {
        store
            .end_attempt(claim, &gone, &tally, at(OLD))
            .await
            .expect("an end");
    });
    let row = format!("SELECT state, next_attempt_at FROM queue WHERE recording_id = '{id}'");
    assert_eq!(
        sqlite(&filled.path(), &row),
        "damaged|2026-01-02T12:00:00.000Z"
    );
}
