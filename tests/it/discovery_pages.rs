//! Discovery against pages that are none, links that lead astray, refusals and requests that fail.

use std::time::Duration;

use fake_space::{Action, NextLinks, Options, Rule};
use room_archiver::store::PassOutcome;
use serde_json::{Value, json};
use uuid::Uuid;

use super::harness::{HOUR, MINUTE, Setting, Stage};

const PAGES_OF_2: &str = "[signalwire]\npage_size = 2\n[download]\nretry_initial = \"1ms\"\n";

/// Five sessions with a recording each, an hour apart.
pub async fn five(options: Options) -> Stage {
    let stage = Stage::new(options, PAGES_OF_2).await;
    for hours in 0..5 {
        let session = stage.ended(HOUR * hours);
        stage.recording(session, "completed");
    }
    stage
}

#[tokio::test]
async fn next_links_may_be_relative_and_lack_the_life_of_the_links() {
    let options = Options {
        next_links: NextLinks::Relative,
        next_keeps_media_ttl: false,
        ..Options::default()
    };
    let stage = five(options).await;
    let report = stage.archive.sweep().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(stage.known().len(), 5);
    let journal = stage.space().journal();
    let lists = journal
        .iter()
        .filter(|seen| seen.path.ends_with("recordings"));
    let lives: Vec<_> = lists.map(|seen| seen.param("media_ttl")).collect();
    assert_eq!(lives, [Some("900"); 3]);
}

/// What makes a `next` of a true one's query.
type Bent = Box<dyn Fn(&str) -> String + Send + Sync>;

#[tokio::test]
async fn of_a_next_link_only_the_query_is_used_wherever_it_leads() {
    let trap = Setting::with("");
    let there = trap.space.api_url();
    let name = there.trim_start_matches("http://").to_owned();
    let bent: Vec<Bent> = vec![
        Box::new(move |query| format!("{there}/api/video/room_sessions?{query}")),
        Box::new(move |query| format!("//{name}/x?{query}")),
        Box::new(|query| format!("https://media.example.com:8443/?{query}#here")),
        Box::new(|query| format!("http://me:pw@127.0.0.1:1/api/video/room_recordings?{query}")),
        Box::new(|query| format!("/api/relay/rest/calls?{query}")),
        Box::new(|query| format!("../../../etc?{query}")),
        Box::new(|query| format!("file:///etc/passwd?{query}")),
        Box::new(|query| format!("javascript:alert(1)?{query}")),
        Box::new(|query| format!("?{query}")),
        // Without the parameters that the request had.
        Box::new(|query| {
            let kept = query
                .split('&')
                .filter(|pair| pair.starts_with("page_number") || pair.starts_with("page_token"));
            format!("?{}", kept.collect::<Vec<_>>().join("&"))
        }),
    ];
    for (number, bend) in bent.into_iter().enumerate() {
        let stage = five(Options::default()).await;
        stage.space().inject(Rule::api(Action::edit(move |page| {
            let next = page["links"]["next"].as_str().map(str::to_owned);
            if let Some((_, query)) = next.as_deref().and_then(|next| next.split_once('?')) {
                page["links"]["next"] = bend(query).into();
            }
        })));
        let report = stage.archive.sweep().await;
        let whole = (PassOutcome::Complete, None);
        assert_eq!((report.outcome, report.error), whole, "{number}");
        assert_eq!((report.counts.sessions_seen, stage.known().len()), (5, 5));
        for seen in stage.space().journal() {
            assert_eq!(seen.param("page_size"), Some("2"), "{number}");
            let life = seen.path.ends_with("recordings").then_some("900");
            assert_eq!(seen.param("media_ttl"), life, "{number}");
        }
    }
    assert!(trap.space.journal().is_empty(), "the trap saw something");
}

#[tokio::test]
async fn repeated_endless_and_garbled_next_links_leave_the_pass_incomplete() {
    for (action, text) in [
        (Action::repeat_next(), "repeats an earlier one"),
        (Action::endless_pages(), "the pages do not end"),
        (Action::next(5), "not a URL"),
        (Action::next("http://["), "not a URL"),
        (Action::next("/api/video/room_sessions"), "has no query"),
        (Action::next("?"), "has no query"),
        (Action::next("https://example.com/#a?b"), "has no query"),
    ] {
        let stage = five(Options::default()).await;
        stage.space().inject(Rule::sessions(action));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete, "{text}");
        let error = report.error.expect("an error");
        assert!(error.contains(text), "{error}");
        assert!(report.counts.sessions_seen >= 2, "{text}");
        let requests = stage.space().counters().api_requests;
        assert_eq!(report.counts.requests, requests);
        assert!(requests < 120, "{requests}");
        let horizon = stage.archive.app.store.horizon().await.expect("a database");
        assert_eq!(horizon.created, None);
    }
}

#[tokio::test]
async fn null_links_and_an_empty_next_end_a_list() {
    for links in [
        json!(null),
        json!({}),
        json!({"next": null}),
        json!({"next": ""}),
    ] {
        let stage = Stage::new(Options::default(), "").await;
        stage.space().archivable("lesson");
        stage.space().inject(Rule::api(Action::edit(move |page| {
            page["links"] = links.clone();
        })));
        let report = stage.archive.poll().await;
        assert_eq!((report.error, stage.known().len()), (None, 1));
    }
}

#[tokio::test]
async fn a_page_that_is_no_page_is_tried_again_and_spoils_nothing_that_came_before() {
    for (name, action) in [
        ("HTML", Action::html(200)),
        ("cut", Action::CutBody(40)),
        ("empty", Action::CutBody(0)),
        ("no data", Action::data_missing()),
        ("null", Action::data(Value::Null)),
        ("an object", Action::data(json!({"id": 1}))),
        ("500", Action::error(500)),
        ("400", Action::error(400)),
        ("a reset", Action::Reset),
    ] {
        let stage = five(Options::default()).await;
        stage.space().inject(Rule::sessions(action).page(1));
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete, "{name}");
        assert_eq!((report.counts.sessions_seen, stage.known().len()), (2, 2));
        let error = report.error.expect("an error");
        assert!(
            !error.contains("page_token") && !error.contains('<'),
            "{error}"
        );
        stage.space().clear_faults();
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.known().len(), 5);
    }
}

#[tokio::test]
async fn an_absurdly_deep_item_is_rejected_like_any_other_bad_one() {
    let stage = five(Options::default()).await;
    stage
        .space()
        .inject(Rule::sessions(Action::DeepJson(100_000)).page(1));
    let report = stage.archive.poll().await;
    assert_eq!(
        report.error.as_deref(),
        Some("1 item could not be read and was rejected")
    );
    assert_eq!(stage.known().len(), 2);
}

#[tokio::test]
async fn refused_credentials_end_the_pass_with_one_request_and_heal_by_themselves() {
    let stage = five(Options::default()).await;
    for status in [401, 403] {
        stage.space().clear_journal();
        stage.space().refuse_credentials(Some(status));
        for report in [stage.archive.poll().await, stage.archive.sweep().await] {
            assert_eq!(report.outcome, PassOutcome::Refused);
            assert_eq!(report.counts.requests, 1);
        }
        assert_eq!(stage.space().counters().api_requests, 2);
    }
    stage.space().refuse_credentials(None);
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    let passes = "SELECT outcome FROM passes ORDER BY id";
    assert_eq!(
        stage.setting.sql(passes),
        "refused\nrefused\nrefused\nrefused\ncomplete"
    );
}

#[tokio::test]
async fn retry_after_is_honoured_and_outlives_the_process() {
    for (status, header, seconds) in [
        (429, "600", 600),
        (503, "120", 120),
        (429, "garbage", 30),
        (429, "99999999999999999999999", 3600),
    ] {
        let stage = five(Options::default()).await;
        let rule = Rule::sessions(Action::retry_after(status, header)).once();
        stage.space().inject(rule);
        let report = stage.archive.poll().await;
        assert_eq!(report.outcome, PassOutcome::Incomplete);
        assert_eq!(report.counts.requests, 1, "nothing more is asked");
        let Stage {
            setting,
            clock,
            archive,
        } = stage;
        archive.close().await;
        let archive = setting.open(&clock).await;
        let stage = Stage {
            setting,
            clock,
            archive,
        };
        stage.pass_time(Duration::from_secs(seconds - 10));
        let report = stage.archive.poll().await;
        assert_eq!(
            (report.counts.requests, stage.known().len()),
            (0, 0),
            "{header}"
        );
        stage.pass_time(Duration::from_secs(11));
        assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
        assert_eq!(stage.known().len(), 5);
    }
}

#[tokio::test]
async fn sessions_whose_lists_always_fail_do_not_hold_up_the_others() {
    let stage = Stage::new(Options::default(), "[poll]\nconcurrency = 1\n").await;
    for _ in 0..8 {
        let bad = stage.ended(MINUTE);
        stage
            .space()
            .inject(Rule::session_recordings(Action::error(500)).of(bad));
    }
    stage.archive.poll().await;
    let (_, good) = stage.space().archivable("good");
    for _ in 0..2 {
        stage.pass_time(5 * MINUTE);
        stage.archive.poll().await;
    }
    assert_eq!(stage.state(good), "pending");
}

#[tokio::test]
async fn what_a_listing_brought_before_it_failed_is_kept_and_counted() {
    let stage = Stage::new(Options::default(), PAGES_OF_2).await;
    let session = stage.ended(MINUTE);
    for _ in 0..5 {
        stage.recording(session, "completed");
    }
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(500)).page(1));
    let report = stage.archive.poll().await;
    assert_eq!(report.outcome, PassOutcome::Incomplete);
    let counts = report.counts;
    assert_eq!(
        (counts.recordings_seen, counts.recordings_new, report.due),
        (2, 2, 2)
    );
    assert_eq!(counts.requests, stage.space().counters().api_requests);
    let row = "SELECT kind, sessions_seen, sessions_listed, recordings_seen, recordings_new, requests, outcome FROM passes";
    assert_eq!(stage.setting.sql(row), "poll|1|0|2|2|5|incomplete");
    stage.space().clear_faults();
    stage.pass_time(20 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.known().len(), 5);
}

#[tokio::test]
async fn a_session_that_is_gone_is_settled_even_if_its_list_answers_404() {
    let stage = Stage::new(Options::default(), "").await;
    let session = stage.ended(MINUTE);
    stage.archive.poll().await;
    stage.space().delete_session(session);
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(404)));
    stage.pass_time(5 * MINUTE);
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(
        stage
            .setting
            .sql("SELECT settled_at IS NOT NULL FROM sessions"),
        "1"
    );
}

#[tokio::test]
async fn one_recording_that_can_not_be_confirmed_does_not_keep_the_sweep_from_the_others() {
    let stage = five(Options::default()).await;
    stage.archive.poll().await;
    let ids: Vec<Uuid> = stage
        .known()
        .iter()
        .map(|id| id.parse().expect("an id"))
        .collect();
    for _ in 0..5 {
        stage.space().archivable("lesson");
    }
    stage.archive.poll().await;
    for id in &ids {
        stage.space().delete_recording(*id);
    }
    stage
        .space()
        .inject(Rule::single_recordings(Action::error(500)).of(ids[0]));
    let report = stage.archive.sweep().await;
    assert_eq!(
        report.outcome,
        PassOutcome::Complete,
        "both lists were whole"
    );
    let error = report.error.expect("what was put off");
    assert!(
        error.starts_with("1 request failed and is tried again later"),
        "{error}"
    );
    let states: Vec<_> = ids.iter().map(|id| stage.state(*id)).collect();
    assert_eq!(states, ["pending", "lost", "lost", "lost", "lost"]);
}
