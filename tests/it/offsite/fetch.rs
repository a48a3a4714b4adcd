//! Files come back: on request, and when they are damaged.

use super::{Offsite, text};

#[test]
fn fetch_brings_files_back_and_accepts_only_the_right_bytes() {
    let offsite = Offsite::evicted(2);
    let setting = &offsite.setting;
    let ids = [0, 1].map(|n| offsite.ids[n].to_string());
    offsite.bucket.corrupt(&offsite.key(1));
    let fetched = setting.run(&["fetch", &ids[0][..13], &ids[1]]);
    assert_eq!(fetched.status.code(), Some(1), "{fetched:?}");
    let said = text(&fetched);
    assert!(
        said.contains("fetched from offsite") && said.contains("SHA-256"),
        "{said}"
    );
    assert!(offsite.is_here(0) && !offsite.is_here(1));
    assert_eq!(setting.files().len(), 1);
    assert!(
        setting.parts().is_empty(),
        "what failed left nothing behind"
    );
    let here = setting.sql("SELECT recording_id FROM archive WHERE path IS NOT NULL");
    assert_eq!(here, ids[0]);
    // It stays for keep_local from now on, and a second call has nothing to do.
    setting.once(0);
    assert!(offsite.is_here(0));
    let again = setting.run(&["fetch", "--json", &ids[0]]);
    assert_eq!(again.status.code(), Some(0));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    let one = &again["recordings"][0];
    assert_eq!(one["path"], format!("lesson/{}.mp4", ids[0]));
    assert!(one["from"].is_null() && one["error"].is_null(), "{one}");
    assert_eq!(setting.run(&["verify", &ids[0]]).status.code(), Some(0));
}

#[test]
fn fetch_moves_nothing_over_what_stands_in_the_place() {
    let offsite = Offsite::evicted(1);
    let setting = &offsite.setting;
    let file = setting.target(offsite.ids[0]);
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    std::fs::write(&file, b"precious").expect("a file");
    let fetched = setting.run(&["fetch", &offsite.ids[0].to_string()]);
    assert_eq!(fetched.status.code(), Some(0), "{fetched:?}");
    assert!(offsite.is_here(0));
    assert_eq!(setting.quarantined().len(), 1);
}

#[test]
fn fetch_says_what_is_wrong_if_nothing_can_be_had() {
    let offsite = Offsite::evicted(1);
    let setting = &offsite.setting;
    offsite.bucket.refuse(true);
    let id = offsite.ids[0].to_string();
    let refused = setting.run(&["fetch", &id]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("refused the access key"));
    std::fs::remove_file(setting.directory.path().join("keys")).expect("a file");
    let keyless = setting.run(&["fetch", &id]);
    assert_eq!(keyless.status.code(), Some(1));
    assert!(text(&keyless).contains("access key"), "{keyless:?}");
}

#[test]
fn a_damaged_file_comes_back_from_a_copy_though_signalwire_no_longer_has_it() {
    let offsite = Offsite::new(2, "");
    let setting = &offsite.setting;
    for id in &offsite.ids {
        setting.space.delete_recording(*id);
    }
    std::fs::remove_file(setting.target(offsite.ids[0])).expect("a file");
    let altered = setting.target(offsite.ids[1]);
    let mut bytes = std::fs::read(&altered).expect("a file");
    bytes[500] ^= 1;
    std::fs::write(&altered, bytes).expect("a file");
    assert_eq!(setting.run(&["verify", "--full"]).status.code(), Some(5));
    setting.once(0);
    assert!(offsite.is_here(0) && offsite.is_here(1));
    assert_eq!(setting.count("queue"), "0");
    assert_eq!(setting.quarantined().len(), 1);
    assert_eq!(setting.media_requests().len(), 2);
}

#[test]
fn a_damaged_file_comes_from_signalwire_if_no_copy_can_be_read() {
    let offsite = Offsite::new(1, "");
    let setting = &offsite.setting;
    std::fs::remove_file(setting.target(offsite.ids[0])).expect("a file");
    setting.run(&["verify", "--full"]);
    offsite.bucket.refuse(true);
    setting.run(&["once"]);
    assert!(offsite.is_here(0));
    assert_eq!(setting.media_requests().len(), 2);
}

#[test]
fn an_evicted_recording_whose_last_copy_is_gone_is_downloaded_again() {
    let offsite = Offsite::evicted(1);
    let setting = &offsite.setting;
    offsite.bucket.remove(&offsite.key(0));
    setting.write_sql("UPDATE copy_target SET verified_at = NULL");
    setting.run(&["once"]);
    setting.once(0);
    assert!(offsite.is_here(0));
    assert_eq!(setting.media_requests().len(), 2);
    setting.once(0);
    assert!(offsite.bucket.objects().contains_key(&offsite.key(0)));
}
