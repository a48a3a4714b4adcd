//! An API that allows less than is configured, or has no list where a list is empty: the archive is whole all
//! the same.

use fake_space::{Action, ErrorFormat, NextLinks, Options, Rule};
use room_archiver::store::PassOutcome;
use serde_json::json;

use super::harness::{DAY, MINUTE, Setting, Stage};
use super::text;

/// So many sessions with a recording each, ten minutes apart.
pub fn fill(stage: &Stage, count: u32) {
    for number in 0..count {
        let session = stage.ended(10 * MINUTE * number);
        stage.recording(session, "completed");
    }
}

/// Page sizes that were asked for, in the order they first came.
fn page_sizes(stage: &Stage) -> Vec<String> {
    let mut sizes: Vec<String> = Vec::new();
    for seen in stage.space().journal() {
        let size = seen.param("page_size").unwrap_or("none").to_owned();
        if seen.path.ends_with('s') && !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    sizes
}

#[tokio::test]
async fn a_space_that_allows_fewer_rows_a_page_is_archived_in_full() {
    for (most, asked) in [
        (200, vec!["1000", "200"]),
        (100, vec!["1000", "200", "100"]),
        (50, vec!["1000", "200", "100", "50"]),
        (20, vec!["1000", "200", "100", "50", "none"]),
    ] {
        for error_format in [ErrorFormat::Listed, ErrorFormat::Bare, ErrorFormat::Unnamed] {
            let options = Options {
                page_size_max: most,
                error_format,
                ..Options::default()
            };
            let stage = Stage::new(options, "").await;
            fill(&stage, 120);
            let report = stage.archive.poll().await;
            let whole = (PassOutcome::Complete, None, 120);
            assert_eq!((report.outcome, report.error, stage.known().len()), whole);
            // Later walks begin with what was learnt; the space's own links name its own size.
            assert!(
                page_sizes(&stage).starts_with(
                    &asked
                        .clone()
                        .into_iter()
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                ),
                "{most}"
            );
            stage.space().clear_journal();
            let report = stage.archive.sweep().await;
            assert_eq!(
                (report.outcome, report.error),
                (PassOutcome::Complete, None)
            );
            assert_eq!(report.counts.recordings_seen, 120);
            assert_eq!(page_sizes(&stage)[0], asked[asked.len() - 1], "{most}");
            let refused = stage
                .space()
                .journal()
                .into_iter()
                .filter(|seen| seen.status == 422);
            assert_eq!(refused.count(), 0, "it is remembered");
        }
    }
}

#[tokio::test]
async fn a_page_size_refused_in_the_middle_of_a_walk_begins_it_again_and_loses_nothing() {
    for links in [NextLinks::Absolute, NextLinks::Relative] {
        let options = Options {
            next_links: links,
            ..Options::default()
        };
        let stage = Stage::new(options, "[signalwire]\npage_size = 150\n").await;
        fill(&stage, 400);
        let tighten = Action::after(|space| space.configure(|options| options.page_size_max = 100));
        stage
            .space()
            .inject(Rule::recordings(tighten).page(0).once());
        let report = stage.archive.sweep().await;
        assert_eq!(
            (report.outcome, report.error),
            (PassOutcome::Complete, None)
        );
        assert_eq!(stage.known().len(), 400);
        assert_eq!(report.counts.recordings_seen, 150 + 400);
    }
}

#[test]
fn what_a_space_does_not_allow_is_logged_once() {
    let mut setting = Setting::new(Options {
        page_size_max: 100,
        media_ttl_max: 3600,
        ..Options::default()
    });
    setting.more = "[signalwire]\nmedia_ttl = \"7d\"\n".to_owned();
    for _ in 0..4 {
        setting.space.archivable("lesson");
    }
    setting.space.kill_links();
    let output = setting.run(&["once", "--sweep"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = text(&output.stderr);
    for line in [
        "refuses signalwire.page_size = 1000 and allows 100 rows per page",
        "refuses links that live for 604800 s (signalwire.media_ttl)",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
    assert_eq!(setting.count("archive"), "4");
}

#[tokio::test]
async fn links_whose_life_is_refused_are_taken_with_the_default_life() {
    for error_format in [ErrorFormat::Listed, ErrorFormat::Bare, ErrorFormat::Unnamed] {
        let options = Options {
            media_ttl_max: 3600,
            error_format,
            ..Options::default()
        };
        // So small a page size that an unnamed complaint soon leads to the life of links.
        let more = "[signalwire]\nmedia_ttl = \"2h\"\npage_size = 50\n";
        let stage = Stage::new(options, more).await;
        fill(&stage, 3);
        let report = stage.archive.sweep().await;
        assert_eq!(
            (report.outcome, report.error),
            (PassOutcome::Complete, None)
        );
        assert_eq!(stage.archive.poller.client.media_ttl(), 15 * MINUTE);
        // The listing's links count as dead after the default life: fresh ones are minted, by the default too.
        stage.pass_time(16 * MINUTE);
        stage.space().clear_journal();
        assert_eq!(stage.archive.download().await, 3);
        let journal = stage.space().journal();
        let mints = journal
            .iter()
            .filter(|seen| seen.path.contains("/room_recordings/"));
        let lives: Vec<_> = mints
            .map(|seen| (seen.status, seen.param("media_ttl")))
            .collect();
        assert_eq!(lives, [(200, None); 3], "{error_format:?}");
        let refused = journal
            .iter()
            .filter(|seen| seen.is_media() && seen.status == 403);
        assert_eq!(refused.count(), 0);
    }
}

#[tokio::test]
async fn a_mint_whose_life_is_refused_is_asked_for_again_without() {
    let more = "[signalwire]\nmedia_ttl = \"2h\"\n";
    let stage = Stage::new(Options::default(), more).await;
    fill(&stage, 2);
    stage.archive.poll().await;
    stage.space().kill_links();
    stage
        .space()
        .configure(|options| options.media_ttl_max = 900);
    assert_eq!(stage.archive.download().await, 2);
}

#[test]
fn doctor_finds_out_what_each_list_allows() {
    let setting = Setting::with("");
    let report = |setting: &Setting| text(&setting.run(&["doctor"]).stdout).to_owned();
    let empty = report(&setting);
    assert!(
        empty.contains("note  of a session   not tried: there is no session yet"),
        "{empty}"
    );
    let (session, _) = setting.space.archivable("lesson");
    let fine = report(&setting);
    for list in ["sessions", "recordings", "of a session"] {
        let line = format!("ok    {list:<13}  answered with pages of up to 1000 rows");
        assert!(fine.contains(&line), "{line} in\n{fine}");
    }
    for most in [200, 100, 50] {
        setting.space.configure(|options| {
            options.page_size_max = most;
            options.media_ttl_max = 600;
        });
        let done = setting.run(&["doctor"]);
        assert_eq!(done.status.code(), Some(0), "it is archived all the same");
        let report = text(&done.stdout);
        let remedy = format!("set signalwire.page_size = {most}");
        assert_eq!(report.matches(&remedy).count(), 3, "{report}");
    }
    // One list of its own opinion, and one that is refused.
    setting.space.configure(|options| {
        options.page_size_max = 1000;
        options.media_ttl_max = u64::MAX;
    });
    setting.space.inject(Rule::recordings(Action::error(403)));
    let refusal = json!({"code": "invalid_parameter", "attribute": "page_size"}).to_string();
    let refusal = fake_space::Answer::new(422).body("application/json", refusal);
    setting.space.inject(
        Rule::session_recordings(Action::Answer(refusal))
            .of(session)
            .once(),
    );
    let done = setting.run(&["doctor"]);
    let report = text(&done.stdout);
    assert_eq!(done.status.code(), Some(1), "{report}");
    for line in [
        "ok    sessions       answered",
        "FAIL  recordings     /api/video/room_recordings was refused with HTTP 403",
        "note  of a session   signalwire.page_size = 1000 is refused, 200 rows per page are allowed",
    ] {
        assert!(report.contains(line), "{line} in\n{report}");
    }
}

#[tokio::test]
async fn a_404_for_the_recordings_of_a_session_that_exists_is_an_empty_list() {
    let stage = Stage::new(Options::default(), "").await;
    let old = stage.ended(3 * DAY);
    let new = stage.ended(MINUTE);
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(404)));
    let report = stage.archive.poll().await;
    assert_eq!(
        (report.outcome, report.error),
        (PassOutcome::Complete, None)
    );
    assert_eq!(report.counts.sessions_listed, 2);
    let settled = |id| {
        stage.setting.sql(&format!(
            "SELECT settled_at IS NOT NULL FROM sessions WHERE session_id = '{id}'"
        ))
    };
    assert_eq!(
        (settled(old), settled(new)),
        ("1".to_owned(), "0".to_owned())
    );
    // Its first recording makes the list.
    stage.space().clear_faults();
    let recording = stage.recording(new, "completed");
    stage.pass_time(5 * MINUTE);
    stage.archive.poll().await;
    assert_eq!(stage.state(recording), "pending");
}

#[tokio::test]
async fn a_404_on_a_later_page_is_no_end_of_a_list() {
    let stage = Stage::new(Options::default(), "[signalwire]\npage_size = 2\n").await;
    let session = stage.ended(MINUTE);
    for _ in 0..5 {
        stage.recording(session, "completed");
    }
    stage
        .space()
        .inject(Rule::session_recordings(Action::error(404)).page(1).once());
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Incomplete);
    stage.pass_time(16 * MINUTE);
    assert_eq!(stage.archive.poll().await.outcome, PassOutcome::Complete);
    assert_eq!(stage.known().len(), 5);
}
