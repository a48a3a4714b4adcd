//! Answers of media hosts in detail: redirects of every kind, encodings, validators.

use fake_space::{Action, Answer, Media, Origin, Rule, Seen};

use super::harness::{MIB, Setting, media};

/// A space with one recording, and the first retry soon or never.
fn setting(retry: &str) -> (Setting, Media) {
    let setting = Setting::with(&format!("[download]\nretry_initial = \"{retry}\"\n"));
    let media = media(3 * MIB);
    setting.add_media(&media);
    (setting, media)
}

/// The one attempt under a fault, its error, and how many requests the media host saw of it.
async fn refused(action: Action) -> (String, u64) {
    let (setting, _) = setting("10m");
    let archive = setting.polled().await;
    setting.space.inject(Rule::media(action));
    assert_eq!(archive.download().await, 0);
    assert_eq!(setting.files().len(), 0);
    let row = setting.sql("SELECT error FROM attempts");
    (row, setting.space.counters().media_requests)
}

async fn archives(action: Action) {
    let (setting, media) = setting("1ms");
    let archive = setting.polled().await;
    setting.space.inject(Rule::media(action));
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
}

fn tells_nothing(seen: &Seen) -> bool {
    seen.authorization.is_none() && seen.referer.is_none() && seen.header("cookie").is_none()
}

#[tokio::test]
async fn each_kind_of_redirect_keeps_the_range_and_tells_nobody_anything() {
    for status in [301, 302, 303, 307, 308] {
        let (setting, media) = setting("1ms");
        let archive = setting.polled().await;
        setting
            .space
            .inject(Rule::media(Action::CloseAfter(2 * MIB)).once());
        setting
            .space
            .inject(Rule::media(Action::Bounce(status, 2)).from(2));
        assert_eq!(archive.download().await, 1, "{status}");
        assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
        let mut seen = setting.space.journal();
        seen.retain(Seen::is_media);
        assert_eq!(seen.len(), 4, "{status}");
        assert!(seen.iter().all(tells_nothing));
        assert!(seen[1].range.is_some() && seen[3].status == 206);
        assert!(seen[2..].iter().all(|later| later.range == seen[1].range));
        assert_eq!(seen[3].if_range.as_deref(), Some(media.etag()));
    }
}

#[tokio::test]
async fn a_redirect_to_the_api_brings_it_no_credentials() {
    let (setting, media) = setting("1ms");
    let archive = setting.polled().await;
    setting.space.inject(Rule::media(Action::BounceToApi(302)));
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    let journal = setting.space.journal();
    let last = journal.last().expect("a request");
    assert_eq!(last.origin, Origin::Api);
    assert!(
        last.path.starts_with("/hop/") && tells_nothing(last),
        "{last:?}"
    );
}

#[tokio::test]
async fn five_hops_are_followed_and_six_are_not() {
    archives(Action::Bounce(302, 5)).await;
    let (error, requests) = refused(Action::Bounce(302, 6)).await;
    assert!(error.contains("redirected more than 5 times"), "{error}");
    assert_eq!(requests, 6);
}

#[tokio::test]
async fn what_is_no_plain_redirect_is_not_followed() {
    for status in [300, 304, 305, 306] {
        let place = "http://127.0.0.1:1/x".to_owned();
        let (error, requests) = refused(Action::Redirect(status, place)).await;
        assert!(error.contains(&format!("HTTP {status}")), "{error}");
        assert_eq!(requests, 1, "{status}");
    }
}

#[tokio::test]
async fn every_hop_is_checked_like_the_link_itself() {
    for place in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.mp4",
        "data:video/mp4;base64,AAAA",
        "javascript:alert(1)",
        // Plain http is for loopback alone, however its address is written.
        "http://10.0.0.1/a.mp4",
        "http://0x0a000001/a.mp4",
        "//user@127.0.0.1/a.mp4",
        "http://user:word@127.0.0.1/a.mp4",
        "http://media.invalid/a.mp4",
        "\\\\media.invalid\\a.mp4",
    ] {
        for status in [301, 307] {
            let (error, requests) = refused(Action::Redirect(status, place.to_owned())).await;
            assert!(error.starts_with("the link"), "{place}: {error}");
            assert_eq!(requests, 1, "{place}");
        }
    }
}

#[tokio::test]
async fn any_encoding_but_identity_is_refused() {
    for encoding in [
        "gzip",
        "br",
        "deflate",
        "zstd",
        "x-gzip",
        "identity, gzip",
        "aes128gcm",
    ] {
        let (error, requests) = refused(Action::header("content-encoding", encoding)).await;
        assert!(error.contains("encoded body"), "{encoding}: {error}");
        assert_eq!(requests, 1);
    }
    // Neither a second header nor one that is no text hides it.
    let two = Answer::new(200)
        .header("content-encoding", "identity")
        .header("content-encoding", "gzip");
    let odd = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-encoding: g\u{fe}zip\r\n\r\nx";
    for action in [Action::Answer(two), Action::Raw(odd.into())] {
        let (error, _) = refused(action).await;
        assert!(error.contains("encoded body"), "{error}");
    }
    for identity in ["identity", "Identity", ""] {
        archives(Action::header("content-encoding", identity)).await;
    }
}

#[tokio::test]
async fn a_weak_validator_is_none() {
    let (setting, media) = setting("1ms");
    let archive = setting.polled().await;
    setting
        .space
        .inject(Rule::media(Action::header("etag", "W/\"weak\"")));
    setting
        .space
        .inject(Rule::media(Action::CloseAfter(2 * MIB)).times(2));
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    let mut seen = setting.space.journal();
    seen.retain(Seen::is_media);
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|seen| seen.range.is_none()));
}

#[tokio::test]
async fn a_page_that_calls_itself_a_video_is_found_out_by_its_bytes() {
    let page = "<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>";
    let filled = page.to_owned() + &" ".repeat(3 * (1 << 20) - page.len());
    for (body, reason) in [
        (page.to_owned(), "an XML document"),
        (filled, "an XML document"),
    ] {
        for kind in ["video/mp4", "application/octet-stream", ""] {
            let answer = Answer::new(200).body(kind, body.clone());
            let (error, _) = refused(Action::Answer(answer)).await;
            assert!(error.contains(reason), "{error}");
        }
    }
}
