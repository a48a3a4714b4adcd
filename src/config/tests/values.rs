//! Values are read strictly: origins, schedules, sizes, dates, modes and globs.

use chrono::{DateTime, Utc};

use super::*;
use crate::schedule::Schedule;

fn time(text: &str) -> DateTime<Utc> {
    crate::model::time::parse(text).unwrap()
}

#[test]
fn space_and_base_url_give_one_origin() {
    let origin = |line: &str| {
        load_with(
            &format!(
                "[signalwire]\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n{line}\n"
            ),
            &[],
        )
        .map(|config| config.signalwire.origin().unwrap().to_string())
        .map_err(|errors| errors.0[0].key.clone().unwrap())
    };
    assert_eq!(
        origin("space = \"acme-1\""),
        Ok("https://acme-1.signalwire.com/".into())
    );
    assert_eq!(
        origin("base_url = \"https://h.example:8443\""),
        Ok("https://h.example:8443/".into())
    );
    assert_eq!(
        origin("base_url = \"http://127.0.0.1:80\""),
        Ok("http://127.0.0.1/".into())
    );
    assert_eq!(
        origin("base_url = \"http://[::1]:1\""),
        Ok("http://[::1]:1/".into())
    );
    assert_eq!(origin(""), Err("signalwire.space".into()));
    for bad in [
        "space = \"a.signalwire.com\"",
        "space = \"a/b\"",
        "space = \"-a\"",
    ] {
        assert_eq!(origin(bad), Err("signalwire.space".into()), "{bad}");
    }
    for bad in [
        "http://example.org",
        "https://example.org/api",
        "https://example.org/?a=b",
        "https://u@example.org",
        "ftp://localhost",
        "example.org",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
    ] {
        assert_eq!(
            origin(&format!("base_url = \"{bad}\"")),
            Err("signalwire.base_url".into()),
            "{bad}"
        );
    }
    assert_eq!(
        origin("space = \"a\"\nbase_url = \"https://b.example\""),
        Err("signalwire.base_url".into())
    );
}

#[test]
fn schedules_are_six_fields_in_utc_and_fire() {
    let five: Schedule = "0 */5 * * * *".parse().unwrap();
    assert_eq!(
        five.next_after(time("2026-11-23T20:05:00Z")),
        Some(time("2026-11-23T20:10:00Z"))
    );
    let sunday: Schedule = "0 0 4 * * 0".parse().unwrap();
    assert_eq!(
        sunday.next_after(time("2026-11-23T20:05:00Z")),
        Some(time("2026-11-29T04:00:00Z"))
    );
    let leap: Schedule = "0 0 0 29 2 *".parse().unwrap();
    assert_eq!(
        leap.next_after(time("2026-11-23T20:05:00Z")),
        Some(time("2028-02-29T00:00:00Z"))
    );
    for bad in [
        "*/5 * * * *",
        "0 0 0 30 2 *",
        "0 0 0 1 1 * 2030",
        "@daily",
        "0 60 * * * *",
        "",
        "a b c d e f",
    ] {
        assert!(bad.parse::<Schedule>().is_err(), "{bad}");
    }
}

#[test]
fn sizes_are_exact_and_shown_as_they_can_be_read() {
    for (text, bytes, shown) in [
        ("2GiB", 2 << 30, "2GiB"),
        ("0", 0, "0"),
        ("500 MB", 500_000_000, "500000000"),
        ("1.5KiB", 1536, "1536"),
    ] {
        let size: Size = text.parse().unwrap();
        assert_eq!((size, size.to_string().as_str()), (Size(bytes), shown));
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    for bad in ["", "-1", "2 apples", "99999999TiB"] {
        assert!(bad.parse::<Size>().is_err(), "{bad}");
    }
    assert_eq!(
        load(&format!("{REQUIRED}[archive]\nmin_free_space = 1024\n"))
            .archive
            .min_free_space,
        Size(1024)
    );
}

#[test]
fn dates_modes_and_globs_are_read_strictly() {
    let config = load(&format!("{REQUIRED}[filter]\nsince = 2024-01-01\n"));
    assert_eq!(
        config.filter.since.unwrap().at(),
        time("2024-01-01T00:00:00Z")
    );
    let config = load(&format!(
        "{REQUIRED}[filter]\nsince = \"2024-01-01T02:00:00+02:00\"\n"
    ));
    assert_eq!(
        config.filter.since.unwrap().at(),
        time("2024-01-01T00:00:00Z")
    );
    for (key, bad) in [
        ("filter.since", "\"yesterday\""),
        ("filter.include_rooms", "[\"[a\"]"),
        ("filter.include_rooms", "[]"),
        ("archive.file_mode", "\"0642\""),
        ("archive.file_mode", "\"0240\""),
        ("archive.file_mode", "640"),
        ("archive.file_mode", "\"rw\""),
        ("archive.directory", "\"recordings\""),
        ("download.stall_timeout", "\"0s\""),
        ("download.retry_initial", "\"2h\""),
        ("signalwire.media_ttl", "\"59s\""),
        ("telemetry.listen", "\"9464\""),
        ("telemetry.listen", "\"monitor.example:9464\""),
        ("telemetry.listen", "\"127.0.0.1\""),
        ("telemetry.listen", "\"localhost:port\""),
        ("log.level", "\"loud\""),
        ("download.bandwidth_limit", "-1"),
        ("poll.settle", "30"),
    ] {
        let (section, name) = key.split_once('.').unwrap();
        let required = if section == "signalwire" {
            ""
        } else {
            "[signalwire]\n"
        };
        let rest = REQUIRED.strip_prefix("[signalwire]\n").unwrap();
        let text = if section == "signalwire" {
            format!("[signalwire]\n{rest}{name} = {bad}\n")
        } else {
            format!("{required}{rest}[{section}]\n{name} = {bad}\n")
        };
        let found = problems(&text, &[]);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{key}: ")),
            "{key} = {bad}: {found:?}"
        );
    }
}

#[test]
fn telemetry_listens_on_an_address_on_localhost_or_on_all_addresses() {
    let addresses = |text: &str| {
        let listen: Listen = text.parse().unwrap();
        assert_eq!(listen.to_string(), text);
        let addresses = listen.addresses().iter().map(ToString::to_string);
        addresses.collect::<Vec<_>>()
    };
    assert_eq!(addresses("127.0.0.1:9464"), ["127.0.0.1:9464"]);
    assert_eq!(addresses("[::1]:9464"), ["[::1]:9464"]);
    assert_eq!(addresses("localhost:9464"), ["127.0.0.1:9464"]);
    assert_eq!(addresses(":9464"), ["[::]:9464", "0.0.0.0:9464"]);
    let found = problems(
        &format!("{REQUIRED}[telemetry]\nlisten = \"monitor.example:9464\"\n"),
        &[],
    );
    assert!(
        found[0].contains("names other than localhost are not looked up"),
        "{found:?}"
    );
}
