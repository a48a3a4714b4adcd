use super::super::{Cooldown, Queue};
use super::*;
use crate::store::{Counts, FailedAttempt, Failure, Gap, LastPass};

const ID: &str = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f";

fn quiet() -> Status {
    let counts = Counts {
        by_state: State::ALL.map(|state| (state.to_string(), 0)).into(),
        ..Counts::default()
    };
    Status {
        at: "2026-11-23T20:00:00.000Z".to_owned(),
        queue: Queue::of(&counts),
        recordings: counts.by_state.into_iter().collect(),
        archived_bytes: 0,
        failures: 0,
        stuck: 0,
        stuck_since: None,
        gaps: 0,
        oldest_failures: Vec::new(),
        oldest_gaps: Vec::new(),
        passes: Vec::new(),
        newest_errors: Vec::new(),
        cooldowns: Vec::new(),
    }
}

fn pass(kind: &str, ended: Option<&str>, outcome: &str, error: Option<&str>) -> LastPass {
    LastPass {
        kind: kind.to_owned(),
        started_at: "2026-11-23T19:55:00.000Z".to_owned(),
        ended_at: ended.map(str::to_owned),
        outcome: outcome.to_owned(),
        error: error.map(str::to_owned),
        last_complete_at: Some("2026-11-22T20:00:00.000Z".to_owned()),
    }
}

fn text(status: &Status) -> String {
    render(status, time::parse(&status.at).expect("a time"))
}

#[test]
fn a_quiet_archive_needs_nobody() {
    insta::assert_snapshot!(text(&quiet()), @"
    STATE        RECORDINGS
    waiting               0
    skipped               0
    pending               0
    downloading           0
    archived              0  0 B
    failed                0
    lost                  0
    damaged               0

    No recording known to be completed upstream is left to archive.

    PASS    STARTED  TOOK  OUTCOME  LAST COMPLETE  ERROR
    poll    never                   never
    sweep   never                   never
    verify  never                   never
    ");
}

#[test]
fn what_needs_a_person_is_told_with_its_age() {
    let mut status = quiet();
    status.recordings.insert("archived".to_owned(), 1_234);
    status.archived_bytes = 1_503_238_554;
    status.queue.missing = 3;
    status.failures = 12;
    status.stuck = 1;
    status.stuck_since = Some("2026-11-20T12:00:00.000Z".to_owned());
    status.gaps = 1;
    status.oldest_failures = vec![Failure {
        recording_id: ID.to_owned(),
        room_name: Some("standup".to_owned()),
        state: "failed".to_owned(),
        since: "2026-11-23T16:48:00.000Z".to_owned(),
        reason: "its content was wrong 3 times: cut".to_owned(),
    }];
    status.oldest_gaps = vec![Gap {
        session_id: ID.to_owned(),
        room_name: None,
        since: Some("2026-11-21T20:00:00.000Z".to_owned()),
        recordings_listed: 2,
        recordings_open: 1,
    }];
    status.passes = vec![
        pass(
            "poll",
            Some("2026-11-23T19:55:02.000Z"),
            "failed",
            Some("no answer"),
        ),
        pass("sweep", None, "running", None),
    ];
    status.newest_errors = vec![FailedAttempt {
        recording_id: ID.to_owned(),
        attempt: 3,
        ended_at: Some("2026-11-23T19:59:20.000Z".to_owned()),
        http_status: Some(503),
        outcome: "retry".to_owned(),
        error: "the media server answered 503".to_owned(),
    }];
    status.cooldowns = vec![Cooldown {
        host: "media.example".to_owned(),
        until: "2026-11-23T20:00:40.000Z".to_owned(),
    }];
    insta::assert_snapshot!(text(&status), @"
    STATE        RECORDINGS
    waiting               0
    skipped               0
    pending               0
    downloading           0
    archived           1234  1.4 GiB
    failed                0
    lost                  0
    damaged               0

    3 recordings that are completed upstream are not archived yet.

    PASS    STARTED    TOOK  OUTCOME  LAST COMPLETE  ERROR
    poll    5 min ago  2 s   failed   1 d ago        no answer
    sweep   5 min ago        running  1 d ago
    verify  never                     never

    Recordings that need a person: 12, of them stuck upstream: 1, the first became so 3 d 8 h ago
    SINCE           STATE   RECORDING                             ROOM     REASON
    3 h 12 min ago  failed  d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  standup  its content was wrong 3 times: cut
    … and 11 more: the view 'failures' of the database has them all

    Sessions that are over and not complete: 1
    ENDED    SESSION                               LISTED  OPEN  ROOM
    2 d ago  d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f       2     1

    Newest errors of downloads
    ENDED     RECORDING                             ATTEMPT  HTTP  OUTCOME  ERROR
    40 s ago  d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f        3   503  retry    the media server answered 503

    Hosts that asked for patience
    HOST           ENDS
    media.example  in 40 s
    ");
}
