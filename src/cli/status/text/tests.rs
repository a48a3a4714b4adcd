use super::super::facts::{Cooldown, Disk, Queue};
use super::*;
use crate::app::health::{NextRuns, Problem, ProblemKind};
use crate::model::ConcernKind;
use crate::store::{
    AttemptOutcome, Counts, FailedAttempt, Failure, Gap, LastPass, PassOutcome, Pause,
};

const ID: &str = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f";

fn quiet() -> Status {
    let counts = Counts {
        by_state: State::ALL.map(|state| (state, 0)).into(),
        ..Counts::default()
    };
    Status {
        copies: Vec::new(),
        at: "2026-11-23T20:00:00.000Z".to_owned(),
        healthy: true,
        problems: Vec::new(),
        running: true,
        disk: Disk {
            free_bytes: Some(12 << 30),
            min_free_bytes: 1 << 30,
            error: None,
        },
        next_runs: NextRuns {
            poll: Some("2026-11-23T20:05:00.000Z".to_owned()),
            sweep: Some("2026-11-24T03:00:00.000Z".to_owned()),
            verify: None,
        },
        queue: Queue::of(&counts),
        recordings: counts.by_state,
        archived_bytes: 0,
        failures: 0,
        stuck: 0,
        stuck_since: None,
        concerns: ConcernKind::ALL.map(|kind| (kind.as_str(), 0)).into(),
        gaps: 0,
        oldest_failures: Vec::new(),
        oldest_gaps: Vec::new(),
        passes: Vec::new(),
        newest_errors: Vec::new(),
        pauses: Vec::new(),
        cooldowns: Vec::new(),
        webhooks: Vec::new(),
    }
}

fn pass(
    kind: PassKind,
    ended: Option<&str>,
    outcome: PassOutcome,
    error: Option<&str>,
) -> LastPass {
    LastPass {
        kind,
        started_at: "2026-11-23T19:55:00.000Z".to_owned(),
        ended_at: ended.map(str::to_owned),
        outcome,
        error: error.map(str::to_owned),
        last_complete_at: Some("2026-11-22T20:00:00.000Z".to_owned()),
    }
}

fn text(status: &Status) -> String {
    render(
        status,
        time::parse(&status.at).expect("a time"),
        Width::Full,
    )
}

#[test]
fn a_quiet_archive_is_healthy() {
    insta::assert_snapshot!(text(&quiet()), @"
    healthy

    service  running
    disk     12.0 GiB free, of which 1.0 GiB are kept free (archive.min_free_space)

    STATE        RECORDINGS
    waiting               0
    skipped               0
    pending               0
    downloading           0
    archived              0  0 B
    lost                  0
    damaged               0

    All recordings completed upstream are archived.

    PASS    STARTED  TOOK  OUTCOME  LAST COMPLETE  NEXT      ERROR
    poll    never                   never          in 5 min
    sweep   never                   never          in 7 h
    verify  never                   never
    ");
}

fn troubled() -> Status {
    let mut status = quiet();
    status.recordings.insert(State::Archived, 1_234);
    status.archived_bytes = 1_503_238_554;
    status.healthy = false;
    status.problems = vec![Problem {
        kind: ProblemKind::Api,
        text: "downloads have been paused for 3 min: refused\u{1b}[2J".to_owned(),
        since: time::parse("2026-11-23T19:57:00.000Z").expect("a time"),
    }];
    let pause = |kind, host: Option<&str>, error: &str, since| Pause {
        kind,
        host: host.map(str::to_owned),
        error: error.to_owned(),
        since: time::parse(since).expect("a time"),
    };
    let host = Some("media.example:443");
    status.pauses = vec![
        pause(PauseKind::Api, None, "refused", "2026-11-23T19:57:00.000Z"),
        pause(
            PauseKind::Host,
            host,
            "connection refused",
            "2026-11-23T19:59:00.000Z",
        ),
    ];
    status.concerns.insert("duration", 7);
    status.queue.missing = 3;
    status.failures = 12;
    status.stuck = 1;
    status.stuck_since = Some("2026-11-20T12:00:00.000Z".to_owned());
    status.gaps = 1;
    status.oldest_failures = vec![Failure {
        recording_id: ID.to_owned(),
        room_name: Some("standup".to_owned()),
        state: State::Damaged,
        started_at: Some("2026-11-23T10:00:00.000Z".to_owned()),
        duration_seconds: Some(3_720.0),
        size_bytes: Some(4_096),
        since: "2026-11-23T16:48:00.000Z".to_owned(),
        reason: "the archived file is missing".to_owned(),
    }];
    status.oldest_gaps = vec![Gap {
        session_id: ID.to_owned(),
        room_name: None,
        since: Some("2026-11-21T20:00:00.000Z".to_owned()),
        recordings_listed: 2,
        recordings_open: 1,
        list_error: Some("forbidden (HTTP 403)".to_owned()),
    }];
    status.passes = vec![
        pass(
            PassKind::Poll,
            Some("2026-11-23T19:55:02.000Z"),
            PassOutcome::Failed,
            Some("no answer"),
        ),
        pass(PassKind::Sweep, None, PassOutcome::Running, None),
    ];
    let failed = |id: &str| FailedAttempt {
        recording_id: id.to_owned(),
        attempt: 3,
        ended_at: Some("2026-11-23T19:59:20.000Z".to_owned()),
        http_status: Some(503),
        outcome: AttemptOutcome::Retry,
        error: "the media server answered 503".to_owned(),
    };
    // That of the first is in the list of failures already.
    status.newest_errors = vec![failed(ID), failed("e369a2a3-751a-4ffb-9ad5-a2002b9f0f3f")];
    status.cooldowns = vec![Cooldown {
        host: "media.example".to_owned(),
        until: "2026-11-23T20:00:40.000Z".to_owned(),
    }];
    status
}

#[test]
fn what_needs_attention_is_shown_with_its_age() {
    insta::assert_snapshot!(text(&troubled()), @r"
    not healthy
      api: downloads have been paused for 3 min: refused\u001B[2J

    service  running
    disk     12.0 GiB free, of which 1.0 GiB are kept free (archive.min_free_space)

    STATE        RECORDINGS
    waiting               0
    skipped               0
    pending               0
    downloading           0
    archived           1234  1.4 GiB
    lost                  0
    damaged               0

    3 recordings that are completed upstream are not archived yet.

    PASS    STARTED    TOOK  OUTCOME  LAST COMPLETE  NEXT      ERROR
    poll    5 min ago   2 s  failed   1 d ago        in 5 min  no answer
    sweep   5 min ago        running  1 d ago        in 7 h
    verify  never                     never

    Downloads are paused or slowed down
    BEGAN      REASON            HOST               ERROR
    3 min ago  API                                  refused
    1 min ago  media host fails  media.example:443  connection refused

    12 recordings need attention: 1 stuck, since 3 d 8 h ago
    RECORDING                             STARTED (UTC)           LENGTH     SIZE  STATE    SINCE           ROOM     REASON
    d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  2026-11-23 10:00:00  1 h 2 min  4.0 KiB  damaged  3 h 12 min ago  standup  the archived file is missing
    … and 11 more: see the view 'failures' of the database

    1 session is over and not complete
    SESSION                               ENDED    LISTED  OPEN  ROOM  ERROR
    d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  2 d ago       2     1        forbidden (HTTP 403)

    Latest errors of recordings that are tried again
    RECORDING                             ENDED     ATTEMPT  HTTP  OUTCOME  ERROR
    e369a2a3-751a-4ffb-9ad5-a2002b9f0f3f  40 s ago        3   503  retry    the media server answered 503

    Archived recordings with a concern (see 'room-archiver show ID', or the view 'concerns' of the database)
    CONCERN   RECORDINGS
    duration           7

    Hosts that are rate-limiting us
    HOST           ENDS
    media.example  in 40 s
    ");
}

#[test]
fn on_a_terminal_of_80_columns_nothing_wraps() {
    let mut status = troubled();
    let long = "a reason that is longer than a terminal is wide, ".repeat(4);
    status.problems[0].text.clone_from(&long);
    status.oldest_failures[0].room_name =
        Some("会議室 of the whole team on Monday morning".to_owned());
    status.oldest_failures[0].reason.clone_from(&long);
    status.oldest_gaps[0].list_error = Some(long.clone());
    status.passes[0].error = Some(long);
    status.disk.free_bytes = Some(5);
    let now = time::parse(&status.at).expect("a time");
    for columns in [40, 80, 120] {
        for line in render(&status, now, Width::Columns(columns)).lines() {
            let width = crate::cli::width::columns(line);
            assert!(width <= columns, "{columns}: {line}");
        }
    }
}
