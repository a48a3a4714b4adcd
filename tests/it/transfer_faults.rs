//! What a media host can do wrong, each with what has to come of it: never a spliced, cut or foreign
//! file in the archive.

use fake_space::{Action, Answer, Generated, Media, NewRecording, Reported, Rule};
use uuid::Uuid;

use super::harness::{MIB, Setting};

fn seeded(seed: u64) -> Media {
    Media::generated(Generated {
        seed,
        ..Generated::of_size(3 * MIB)
    })
}

/// A space with one recording of this media, and retries that nobody has to wait for.
fn setting(recording: NewRecording) -> (Setting, Uuid) {
    Setting::of(
        recording,
        "[download]\nretry_initial = \"1ms\"\nretry_max = \"5ms\"",
    )
}

fn assert_archived(setting: &Setting, media: &Media, fault: &str) {
    let found = setting.sql("SELECT sha256 FROM archive");
    let attempts = setting.sql("SELECT * FROM attempts");
    assert_eq!(found, media.sha256(), "{fault}: {attempts}");
    let files = setting.files();
    assert_eq!(files.len(), 1, "{fault}");
    assert_eq!(
        std::fs::metadata(&files[0]).expect("the file").len(),
        media.len(),
        "{fault}"
    );
    assert!(setting.parts().is_empty());
}

/// Nothing but an error that passes: no file, no final state.
async fn fails(recording: NewRecording, rule: Option<Rule>, error: &str) -> Setting {
    let (setting, _) = Setting::of(recording, "[download]\nretry_initial = \"10m\"");
    let archive = setting.polled().await;
    if let Some(rule) = rule {
        setting.space.inject(rule);
    }
    assert_eq!(archive.download().await, 0, "{error}");
    assert_eq!(
        setting.sql("SELECT state, attempts FROM queue"),
        "pending|1",
        "{error}"
    );
    let found = setting.sql("SELECT last_error FROM queue");
    assert!(found.contains(error), "{error}: {found}");
    assert_eq!(setting.files().len(), 0, "{error}");
    assert!(setting.parts().is_empty());
    setting
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_part_starts_over() {
    let label = |text: &str| Action::header("content-range", text);
    let faults: [(&str, Action); 12] = [
        ("200 to a range", Action::IgnoreRange),
        ("range beside", Action::ShiftRange(-1000)),
        ("range beyond", Action::ShiftRange(1000)),
        ("other total", Action::RangeTotal("9999999".to_owned())),
        ("no total", Action::RangeTotal("*".to_owned())),
        ("another range", label("bytes 0-99/3145728")),
        ("416", Action::NotSatisfiable),
        ("other etag", Action::header("etag", "\"other\"")),
        ("weak etag", Action::header("etag", "W/\"weak\"")),
        ("no etag", Action::no_header("etag")),
        ("garbage", label("bytes garbage")),
        ("no range", Action::no_header("content-range")),
    ];
    for (name, fault) in faults {
        let media = seeded(1);
        let (setting, _) = setting(NewRecording::completed(media.clone()));
        let archive = setting.polled().await;
        setting
            .space
            .inject(Rule::media(Action::CloseAfter(2 * MIB)).once());
        let rule = setting.space.inject(Rule::media(fault).ranged(true).once());
        assert_eq!(archive.download().await, 1, "{name}");
        assert_eq!(setting.space.fired(rule), 1, "{name}");
        assert_archived(&setting, &media, name);
    }
}

#[tokio::test]
async fn a_multipart_answer_is_never_taken() {
    let media = seeded(1);
    let (setting, _) = setting(NewRecording::completed(media.clone()));
    let archive = setting.polled().await;
    setting
        .space
        .inject(Rule::media(Action::CloseAfter(2 * MIB)).once());
    setting
        .space
        .inject(Rule::media(Action::Multipart).ranged(true).once());
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "multipart");
    assert_eq!(
        setting.sql("SELECT count(*) FROM attempts WHERE outcome = 'retry'"),
        "2"
    );
}

#[tokio::test]
async fn an_object_that_changed_between_two_parts_is_fetched_anew() {
    let (old, new) = (seeded(1), seeded(2));
    let (setting, recording) = setting(NewRecording::completed(old));
    let archive = setting.polled().await;
    let changed = new.clone();
    let change = Action::after(move |space| {
        let media = changed.clone();
        space.update_recording(recording, |recording| recording.media = media);
    });
    setting
        .space
        .inject(Rule::media(Action::CloseAfter(2 * MIB)).once().and(change));
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &new, "changed");
    let seen = setting.media_requests();
    // The server is asked to send the rest only of the same object, and sends the whole of the other.
    assert_eq!((seen.len(), seen[1].status), (2, 200));
}

#[tokio::test]
async fn a_validator_that_comes_and_goes_never_joins_two_objects() {
    let (first, second) = (seeded(1), seeded(2));
    let (setting, recording) = setting(NewRecording::completed(first.clone()));
    let archive = setting.polled().await;
    // The first is cut and noted; the second, unnamed, is cut further on; then the first is back.
    let show = |media: Media| {
        Action::after(move |space| {
            let media = media.clone();
            space.update_recording(recording, |recording| recording.media = media);
        })
    };
    let space = &setting.space;
    space.inject(
        Rule::media(Action::CloseAfter(MIB))
            .nth(1)
            .and(show(second)),
    );
    let unnamed = Rule::media(Action::CloseAfter(2 * MIB))
        .nth(2)
        .and(Action::no_header("etag"))
        .and(show(first.clone()));
    space.inject(unnamed);
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &first, "the first again");
    // Nothing of the second was to be gone on from.
    assert_eq!(setting.media_requests()[2].range, None);
}

#[tokio::test]
async fn without_a_strong_validator_every_attempt_starts_over_and_backs_off() {
    let media = seeded(1);
    let (setting, _) = setting(NewRecording::completed(media.clone()));
    let archive = setting.polled().await;
    setting.space.inject(Rule::media(Action::no_header("etag")));
    setting
        .space
        .inject(Rule::media(Action::CloseAfter(2 * MIB)).times(2));
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "no validator");
    assert!(
        setting
            .media_requests()
            .iter()
            .all(|seen| seen.range.is_none())
    );
}

#[tokio::test]
async fn a_416_that_tells_the_parts_length_means_that_it_is_whole() {
    let media = seeded(1);
    let (setting, _) = setting(NewRecording::completed(media.clone()).size(Reported::Null));
    let archive = setting.polled().await;
    // All of it came, but not its end: the length is known of none.
    let endless = Rule::media(Action::UntilClose).and(Action::CloseAfter(media.len()));
    setting.space.inject(endless.once());
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "416");
}

#[tokio::test]
async fn a_body_without_a_length_counts_if_the_medias_structure_proves_its_end() {
    for action in [Action::UntilClose, Action::Chunked] {
        let media = seeded(1);
        let (setting, _) = setting(NewRecording::completed(media.clone()).size(Reported::Null));
        let archive = setting.polled().await;
        setting.space.inject(Rule::media(action));
        assert_eq!(archive.download().await, 1);
        assert_archived(&setting, &media, "no length");
    }
}

#[tokio::test]
async fn a_cut_body_without_a_length_is_not_archived() {
    let media = seeded(1);
    let (setting, _) = setting(NewRecording::completed(media.clone()).size(Reported::Null));
    let archive = setting.polled().await;
    let cut = Rule::media(Action::UntilClose).and(Action::CloseAfter(2 * MIB));
    setting.space.inject(cut.once());
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "cut without a length");
    assert_eq!(setting.count("attempts"), "2");
}

#[tokio::test]
async fn a_body_whose_end_nothing_proves_is_resumed_and_not_archived() {
    // Frames of sound, none of which says that it is the last: a cut between two of them does not show.
    let frame = [&[0xFF, 0xFB, 0x90, 0x00][..], &[0; 413]].concat();
    let media = Media::bytes(frame.repeat(1000)).typed("audio/mpeg");
    let (setting, _) = setting(NewRecording::completed(media.clone()).size(Reported::Null));
    let archive = setting.polled().await;
    let cut = Rule::media(Action::UntilClose).and(Action::CloseAfter(417 * 600));
    setting.space.inject(cut.once());
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "no end");
    let attempts = "SELECT outcome, from_byte, coalesce(error, '') FROM attempts ORDER BY attempt";
    assert_eq!(
        setting.sql(attempts),
        "retry|0|nothing proves that the body was complete\narchived|250200|"
    );
}

#[tokio::test]
async fn surplus_bytes_never_get_into_a_file() {
    for action in [Action::LongerBy(1000), Action::LongerBy(1 << 20)] {
        let media = seeded(1);
        let (setting, _) = setting(NewRecording::completed(media.clone()));
        let archive = setting.polled().await;
        setting.space.inject(Rule::media(action).times(1));
        assert_eq!(archive.download().await, 1);
        assert_archived(&setting, &media, "surplus");
    }
}

#[tokio::test]
async fn answers_that_are_no_media_are_refused_and_told() {
    let page = Media::html_page();
    let always = |action| Some(Rule::media(action));
    let recording = || NewRecording::completed(seeded(1));
    fails(recording(), always(Action::html(200)), "an HTML page").await;
    fails(
        recording(),
        always(Action::s3_error(200, "SlowDown")),
        "an XML document",
    )
    .await;
    fails(NewRecording::completed(page), None, "an HTML page").await;
    let json = Action::json_text("{\"error\":\"Forbidden\"}");
    fails(recording(), always(json), "a JSON document").await;
    let gzip = Action::header("content-encoding", "gzip");
    fails(recording(), always(gzip), "encoded body").await;
    let unasked = Action::UnaskedPartial(0);
    fails(
        recording(),
        always(unasked),
        "although the whole was asked for",
    )
    .await;
    fails(recording(), always(Action::Multipart), "multipart").await;
    let gone = Action::s3_error(404, "NoSuchKey");
    fails(recording(), always(gone), "does not have it").await;
}

#[tokio::test]
async fn redirects_are_followed_for_a_few_hops() {
    let media = seeded(1);
    let (setting, _) = setting(NewRecording::completed(media.clone()));
    let archive = setting.polled().await;
    setting
        .space
        .inject(Rule::media(Action::CloseAfter(MIB)).once());
    setting.space.inject(Rule::media(Action::Bounce(307, 3)));
    assert_eq!(archive.download().await, 1);
    assert_archived(&setting, &media, "hops");
}

#[tokio::test]
async fn redirects_that_lead_astray_are_refused() {
    let recording = || NewRecording::completed(seeded(1));
    let to = |place: &str| Some(Rule::media(Action::Redirect(302, place.to_owned())));
    let endless = Some(Rule::media(Action::RedirectLoop(302)));
    let setting = fails(recording(), endless, "more than 5 times").await;
    assert_eq!(setting.media_requests().len(), 6);
    fails(recording(), to("file:///etc/passwd"), "scheme is not https").await;
    fails(
        recording(),
        to("http://media.invalid/x"),
        "scheme is not https",
    )
    .await;
    fails(
        recording(),
        to("https://user:word@media.invalid/x"),
        "user name or password",
    )
    .await;
    fails(recording(), to("http://["), "redirected to nowhere").await;
    let nowhere = Some(Rule::media(Action::Answer(Answer::new(302))));
    fails(recording(), nowhere, "redirected to nowhere").await;
}

#[tokio::test]
async fn links_into_the_customers_own_network_are_refused_without_a_request() {
    for uri in [
        "https://10.0.0.1/a.mp4",
        "https://[::1]/a.mp4",
        "https://[::ffff:192.168.0.1]/a.mp4",
        "https://0x7f.1/a.mp4",
        "https://localhost/a.mp4",
    ] {
        let (mut setting, recording) = setting(NewRecording::completed(seeded(1)));
        setting.more =
            "[download]\nretry_initial = \"10m\"\nallow_private_hosts = false".to_owned();
        setting.space.override_uri(recording, uri);
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 0);
        let found = setting.sql("SELECT state, last_error FROM queue");
        assert_eq!(
            found,
            "pending|the media host has a private or local address; if that is right, set download.allow_private_hosts",
            "{uri}"
        );
        assert_eq!(setting.space.counters().media_requests, 0);
    }
}

#[tokio::test]
async fn links_of_other_forms_are_never_used() {
    for uri in [
        "ftp://media.invalid/a.mp4",
        "file:///etc/passwd",
        "https://user:word@media.invalid/a.mp4",
        "https://media.invalid/a\r\nX-Evil: 1.mp4",
        "http://media.invalid/a.mp4",
        "a.mp4",
        "",
    ] {
        let (mut setting, recording) = setting(NewRecording::completed(seeded(1)));
        "[download]\nretry_initial = \"10m\"".clone_into(&mut setting.more);
        setting.space.override_uri(recording, uri);
        let archive = setting.polled().await;
        assert_eq!(archive.download().await, 0, "{uri}");
        assert_eq!(setting.sql("SELECT state FROM queue"), "pending", "{uri}");
        assert_ne!(setting.sql("SELECT last_error FROM queue"), "", "{uri}");
        assert_eq!(setting.space.counters().media_requests, 0);
    }
}
