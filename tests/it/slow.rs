//! Media hosts that take their time: what stalls or only drips is cut and gone on with, what moves lives,
//! and what never ends leaves the disk its reserve.

use std::time::Duration;

use fake_space::{Action, Gate, NewRecording, Reported, Rule};

use super::harness::disk::Mount;
use super::harness::{KIB, MIB, Setting, media};

fn setting(new: NewRecording, more: &str) -> Setting {
    Setting::of(new, &format!("[download]\n{more}\n")).0
}

#[tokio::test]
async fn a_body_that_only_drips_is_cut_and_the_part_gone_on_with() {
    let media = media(256 * KIB);
    let setting = setting(
        NewRecording::completed(media.clone()),
        "stall_timeout = \"1s\"\nretry_initial = \"1ms\"",
    );
    let archive = setting.polled().await;
    // Never silent for long, and never done: a hundred bytes a second.
    let drip = Action::Trickle(10, Duration::from_millis(100));
    setting.space.inject(Rule::media(drip).once());
    assert_eq!(archive.download().await, 1);
    assert_eq!(setting.sql("SELECT sha256 FROM archive"), media.sha256());
    let attempts = "SELECT outcome, coalesce(error, '') FROM attempts ORDER BY attempt";
    assert_eq!(
        setting.sql(attempts),
        "retry|the media host sends too slowly\narchived|"
    );
    let from = setting.sql("SELECT max(from_byte) FROM attempts");
    assert!(from.parse::<u64>().expect("a number") > 0, "{from}");
}

#[tokio::test]
async fn a_slow_transfer_that_moves_lives() {
    let media = media(64 * KIB);
    let new = NewRecording::completed(media.clone());
    let setting = setting(new, "stall_timeout = \"1s\"");
    let archive = setting.polled().await;
    // It takes longer than two windows.
    setting
        .space
        .inject(Rule::media(Action::Bandwidth(14 * KIB)));
    assert_eq!(archive.download().await, 1);
    assert_eq!(
        setting.sql("SELECT outcome, bytes FROM attempts"),
        format!("archived|{}", media.len())
    );
}

#[tokio::test]
async fn a_head_that_only_drips_or_never_comes_is_given_up_in_time() {
    for action in [
        Action::TrickleHead(1, Duration::from_millis(50)),
        Action::Hold(Gate::new()),
    ] {
        let setting = setting(
            NewRecording::completed(media(KIB)),
            "stall_timeout = \"400ms\"\nretry_initial = \"1ms\"",
        );
        let archive = setting.polled().await;
        setting.space.inject(Rule::media(action).once());
        assert_eq!(archive.download().await, 1);
        let error = setting.sql("SELECT error FROM attempts WHERE outcome = 'retry'");
        let silent = "the media host sent nothing for 400ms (download.stall_timeout)";
        assert!(error.starts_with(silent), "{error}");
    }
}

#[tokio::test]
async fn answers_of_the_media_host_that_are_no_http_pass_like_an_outage() {
    for raw in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
    ] {
        let setting = setting(
            NewRecording::completed(media(KIB)),
            "retry_initial = \"1ms\"\nretry_max = \"2ms\"",
        );
        let archive = setting.polled().await;
        setting
            .space
            .inject(Rule::media(Action::Raw(raw.into())).times(3));
        assert_eq!(archive.download().await, 1, "{raw}");
        let outcomes = "SELECT outcome, count(*) FROM attempts GROUP BY outcome ORDER BY outcome";
        assert_eq!(setting.sql(outcomes), "archived|1\nretry|3", "{raw}");
    }
}

#[tokio::test]
async fn an_endless_body_of_no_known_size_leaves_the_reserve_and_no_part() {
    let new = NewRecording::completed(media(MIB)).size(Reported::Null);
    let mut setting = setting(new, "retry_initial = \"10m\"");
    setting.more += "[archive]\nmin_free_space = \"100MiB\"\n";
    let Some(_disk) = Mount::tmpfs(&setting.recordings(), "size=256m") else {
        return;
    };
    let archive = setting.polled().await;
    let endless = setting.space.inject(Rule::media(Action::Endless));
    assert_eq!(archive.download().await, 0);
    let attempt = setting.sql("SELECT outcome, error, bytes FROM attempts");
    let [outcome, error, bytes] = attempt.split('|').collect::<Vec<_>>()[..] else {
        panic!("{attempt}");
    };
    assert_eq!(outcome, "retry");
    assert!(error.starts_with("not enough free space"), "{error}");
    let bytes = bytes.parse::<u64>().expect("a number");
    assert!(
        (100 * MIB..160 * MIB + 64 * MIB).contains(&bytes),
        "{bytes}"
    );
    // Kept, it would hold the last room of the disk for ever: the others get it.
    assert!(setting.parts().is_empty());
    setting.space.remove_fault(endless);
    setting.space.archivable("other");
    archive.poll().await;
    assert_eq!(archive.download().await, 1);
}
