//! Files: no path, link or range leads to what is not a recording, or costs more than it sends.

use std::os::unix::fs::symlink;

use super::{SECRET, archived};
use crate::web::Page;

// 4
#[test]
fn paths_that_climb_lead_nowhere() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    for path in [
        "/media/../../../../etc/passwd",
        "/media/..%2f..%2f..%2fetc%2fpasswd",
        "/media/%2e%2e/%2e%2e/etc/passwd",
        "/media//etc/passwd",
        "/media/%00",
        "/../config.toml",
        "/style.css/../../config.toml",
        "/recordings/..%2f..%2fconfig.toml",
        &format!("/media/{id}/../../.room-archiver"),
        &format!("/media/{id}%00.mp4"),
        &format!("/media/{id}%2f.."),
    ] {
        let answer = page.get(path);
        assert!(
            [400, 404].contains(&answer.status),
            "{path}: {}",
            answer.status
        );
        let text = answer.text();
        assert!(
            !text.contains(SECRET) && !text.contains("project_id"),
            "{path}: {text}"
        );
    }
}

// 5, 6
#[test]
fn a_symbolic_link_swapped_in_is_not_followed() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let target = setting.target(id);
    let outside = setting.directory.path().join("outside");
    std::fs::create_dir(&outside).expect("a directory");
    // Of the right size, so that nothing but the link can give it away.
    std::fs::write(
        outside.join(target.file_name().expect("a name")),
        vec![b'S'; 5_000],
    )
    .expect("a file");
    std::fs::remove_file(&target).expect("a file");
    symlink(outside.join(target.file_name().expect("a name")), &target).expect("a link");
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("SSSS"));
    // The same with a directory.
    std::fs::remove_file(&target).expect("a link");
    let room = target.parent().expect("a directory");
    std::fs::remove_dir(room).expect("it is empty");
    symlink(&outside, room).expect("a link");
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("SSSS"));
}

// 7
#[test]
fn a_path_in_the_database_that_leaves_the_archive_is_not_opened() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let size = std::fs::metadata("/etc/passwd").expect("a file").len();
    for path in [
        "../../../../../../../../etc/passwd",
        "/etc/passwd",
        "lesson/../../../../../../etc/passwd",
    ] {
        setting.write_sql(&format!(
            "UPDATE recording SET path = '{path}', archived_bytes = {size}"
        ));
        let answer = page.get(&format!("/media/{id}"));
        assert_eq!(answer.status, 503);
        assert!(!answer.text().contains(SECRET), "{path}");
    }
}

// 8
#[test]
fn a_pipe_in_place_of_a_file_blocks_nobody() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    std::fs::remove_file(setting.target(id)).expect("a file");
    let made = std::process::Command::new("mkfifo")
        .arg(setting.target(id))
        .status();
    assert!(made.expect("mkfifo").success());
    assert_eq!(page.get(&format!("/media/{id}")).status, 503);
    assert_eq!(page.get("/").status, 200);
}

// 13
#[test]
fn a_file_that_looks_like_a_page_is_no_page() {
    let (setting, id) = archived();
    let html = b"<!doctype html><script>alert(document.domain)</script>";
    std::fs::write(setting.target(id), html).expect("a file");
    setting.write_sql(&format!(
        "UPDATE recording SET archived_bytes = {}, format = 'text/html'",
        html.len()
    ));
    let page = Page::of(&setting);
    let answer = page.get(&format!("/media/{id}"));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert!(
        answer
            .header("content-disposition")
            .expect("a name")
            .starts_with("attachment;")
    );
    assert!(
        answer
            .header("content-security-policy")
            .expect("a policy")
            .ends_with("sandbox")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

// 14
#[test]
fn absurd_ranges_cost_nothing() {
    let (setting, id) = archived();
    let page = Page::of(&setting);
    let many = format!("bytes={}", "0-,".repeat(2_000));
    for range in [
        many.as_str(),
        "bytes=0-18446744073709551615",
        "bytes=18446744073709551615-18446744073709551615",
        "bytes=-18446744073709551616",
        "bytes=9999-1",
        "bytes=\u{ff}",
    ] {
        let answer = page.request("GET", &format!("/media/{id}"), &[("Range", range)]);
        assert!(
            [200, 206, 416].contains(&answer.status),
            "{}",
            answer.status
        );
        assert!(answer.body.len() <= 5_000);
    }
}
