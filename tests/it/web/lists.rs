//! Filters and paging, through a thousand rows, and the size of pages.

use std::collections::BTreeSet;

use super::Page;
use crate::harness::Setting;

/// A made archive: 60 sessions in three rooms, 20 recordings each, of all states, some without a time.
pub(super) fn filled() -> Setting {
    let setting = Setting::with("");
    setting.once(0);
    let sql = "
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 59)
        INSERT INTO session (id, room_name, status, start_time, end_time, ended_at, first_seen_at, listed_at, upstream)
        SELECT printf('00000000-0000-4000-8000-%012d', n), CASE n % 3 WHEN 0 THEN 'big <b>' ELSE 'r' || (n % 3) END,
            'completed', CASE WHEN n % 20 <> 7 THEN printf('2026-01-%02dT%02d:00:00.000Z', 1 + n / 4, n % 4 * 3) END,
            '2026-02-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z',
            '2026-03-01T00:00:00.000Z', '{}' FROM n;
        WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 1199)
        INSERT INTO recording (id, session_id, upstream_status, started_at, duration_seconds, size_bytes, format,
            first_seen_at, state, path, archived_bytes, sha256, archived_at, verified_at, concerns, damage, upstream)
        SELECT printf('10000000-0000-4000-8000-%012d', n), printf('00000000-0000-4000-8000-%012d', n / 20), 'completed',
            -- Many start in the same millisecond.
            CASE WHEN n % 50 <> 9 THEN printf('2026-01-%02dT%02d:%02d:00.000Z', 1 + n / 80, n / 20 % 4 * 3, n % 20 / 4) END,
            60.5, 1000 + n, 'video/mp4', '2026-01-01T00:00:00.000Z',
            CASE n % 10 WHEN 1 THEN 'lost' WHEN 2 THEN 'skipped' WHEN 3 THEN 'waiting' ELSE 'archived' END,
            'p/' || n || '.mp4', 1000 + n, printf('%064d', n), '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z',
            CASE n % 10 WHEN 4 THEN 'duration,size' WHEN 5 THEN 'size' END, NULL, '{}' FROM n;";
    setting.write_sql(sql);
    setting
}

/// Follows the links of a list to its end, and returns the ids in order.
fn walk(page: &Page, path: &str) -> Vec<String> {
    let (list, _) = path.split_once('?').unwrap_or((path, ""));
    let (mut found, mut at) = (Vec::new(), path.to_owned());
    loop {
        let answer = page.get(&at);
        assert_eq!(answer.status, 200, "{at}: {}", answer.text());
        assert!(
            answer.body.len() <= 15_000,
            "{at}: {} bytes",
            answer.body.len()
        );
        let text = answer.text();
        let link = format!("<a href=\"{list}/");
        found.extend(text.split(&link).skip(1).map(|rest| rest[..36].to_owned()));
        let Some(next) = text.split("rel=\"next\" href=\"").nth(1) else {
            return found;
        };
        let next = next
            .split('"')
            .next()
            .expect("an end")
            .replace("&amp;", "&");
        at = format!("{list}{}", next.trim_start_matches(list));
        assert!(found.len() < 5_000, "it never ends");
    }
}

fn ids(setting: &Setting, query: &str) -> BTreeSet<String> {
    setting.sql(query).lines().map(str::to_owned).collect()
}

#[test]
fn each_list_leads_through_all_its_rows_once() {
    let setting = filled();
    let page = Page::of(&setting);
    let room = "room_name = 'big <b>'";
    let some = "started_at >= '2026-01-05' AND started_at < '2026-01-09'";
    for (path, condition) in [
        ("/recordings", "1"),
        ("/recordings?state=lost", "state = 'lost'"),
        ("/recordings?state=archived", "state = 'archived'"),
        ("/recordings?room=big+%3Cb%3E", room),
        (
            "/recordings?room=big+%3Cb%3E&state=archived",
            &format!("{room} AND state = 'archived'"),
        ),
        (
            "/recordings?room=big+%3Cb%3E&state=lost",
            &format!("{room} AND state = 'lost'"),
        ),
        ("/recordings?concern=any", "concerns IS NOT NULL"),
        (
            "/recordings?concern=size&state=archived",
            "concerns LIKE '%size%'",
        ),
        ("/recordings?concern=duration", "concerns LIKE '%duration%'"),
        (
            "/recordings?concern=size&room=r1",
            "concerns LIKE '%size%' AND room_name = 'r1'",
        ),
        ("/recordings?concern=type", "0"),
        ("/recordings?from=2026-01-05&to=2026-01-08", some),
        (
            "/recordings?from=2026-01-05&to=2026-01-08&room=r1",
            &format!("{some} AND room_name = 'r1'"),
        ),
        (
            "/recordings?from=2026-01-05&to=2026-01-08&concern=any&state=archived",
            &format!("{some} AND concerns IS NOT NULL"),
        ),
        ("/recordings?room=nobody", "0"),
    ] {
        let found = walk(&page, path);
        let expected = ids(
            &setting,
            &format!("SELECT recording_id FROM recordings WHERE {condition}"),
        );
        assert_eq!(found.len(), expected.len(), "{path}");
        assert_eq!(
            found.iter().cloned().collect::<BTreeSet<_>>(),
            expected,
            "{path}"
        );
    }
    for (path, condition) in [
        ("/sessions", "1"),
        ("/sessions?room=r1", "room_name = 'r1'"),
        (
            "/sessions?from=2026-01-05&to=2026-01-08",
            "start_time >= '2026-01-05' AND start_time < '2026-01-09'",
        ),
        (
            "/sessions?gaps=1",
            "session_id IN (SELECT session_id FROM gaps)",
        ),
        (
            "/sessions?gaps=1&room=r2",
            "room_name = 'r2' AND session_id IN (SELECT session_id FROM gaps)",
        ),
    ] {
        let found = walk(&page, path);
        let expected = ids(
            &setting,
            &format!("SELECT session_id FROM sessions WHERE {condition}"),
        );
        assert_eq!(found.len(), expected.len(), "{path}");
        assert_eq!(
            found.into_iter().collect::<BTreeSet<_>>(),
            expected,
            "{path}"
        );
    }
}

#[test]
fn a_list_is_in_the_order_of_time_newest_first() {
    let setting = filled();
    let page = Page::of(&setting);
    for (path, condition) in [
        ("/recordings", "1"),
        ("/recordings?state=waiting", "state = 'waiting'"),
        ("/recordings?concern=any", "concerns IS NOT NULL"),
    ] {
        let query = format!(
            "SELECT recording_id FROM recordings WHERE {condition} ORDER BY started_at DESC, recording_id DESC"
        );
        assert_eq!(
            walk(&page, path),
            setting.sql(&query).lines().collect::<Vec<_>>(),
            "{path}"
        );
    }
}

#[test]
fn rooms_are_in_the_order_of_their_names_with_all_of_them_once() {
    let setting = filled();
    setting.write_sql(
        "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 79)
         INSERT INTO session (id, room_name, first_seen_at) SELECT printf('20000000-0000-4000-8000-%012d', n),
         printf('room %03d & ', n) || replace(hex(zeroblob(300)), '0', '<'), '2026-01-01T00:00:00.000Z' FROM n;",
    );
    let page = Page::of(&setting);
    let (mut names, mut at) = (Vec::new(), "/rooms".to_owned());
    loop {
        let answer = page.get(&at);
        assert!(answer.body.len() <= 15_000, "{} bytes", answer.body.len());
        let text = answer.text();
        assert!(!text.contains("<<"), "{text}");
        names.extend(
            text.split("<a href=\"/recordings?room=")
                .skip(1)
                .map(|rest| rest.split('"').next().expect("an end").to_owned()),
        );
        let Some(next) = text.split("rel=\"next\" href=\"").nth(1) else {
            break;
        };
        at = next.split('"').next().expect("an end").to_owned();
    }
    assert_eq!(names.len(), 83);
    assert!(names.is_sorted());
}
