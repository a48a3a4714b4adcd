//! The file and the variables give the whole configuration, or all problems at once, with file and key.

mod copies;
mod token;
mod values;

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::*;

const REQUIRED: &str =
    "[signalwire]\nspace = \"example\"\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n";
const SAMPLE: &str = include_str!("../../config/config.toml");

struct Case {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> Case {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, text).unwrap();
    Case { _dir: dir, path }
}

fn env(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

fn load_with(text: &str, pairs: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(Some(&file(text).path), &env(pairs))
}

fn load(text: &str) -> Config {
    load_with(text, &[]).unwrap()
}

/// The problems as `key: text`, without the place.
fn problems(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
    let errors = load_with(text, pairs).unwrap_err().0;
    errors
        .iter()
        .map(|p| format!("{}: {}", p.key.as_deref().unwrap_or("-"), p.text))
        .collect()
}

#[test]
fn the_shipped_sample_is_the_defaults_and_the_required_values() {
    let mut expected = Config::default();
    expected.signalwire.space = Some("example".to_owned());
    expected.signalwire.project_id = "7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001".to_owned();
    assert_eq!(load(&filled_in(SAMPLE)), expected);
}

/// The sample with the two values that everybody must set.
fn filled_in(sample: &str) -> String {
    sample.replace("\"your-space\"", "\"example\"").replace(
        "00000000-0000-0000-0000-000000000000",
        "7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001",
    )
}

#[test]
fn the_untouched_sample_is_refused_and_both_placeholders_are_named() {
    let found = problems(SAMPLE, &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    for (problem, key) in found
        .iter()
        .zip(["signalwire.space", "signalwire.project_id"])
    {
        let text = format!("{key}: is still the placeholder of the sample; ");
        assert!(problem.starts_with(&text), "{problem}");
    }
}

#[test]
fn a_project_id_is_a_uuid_in_either_case() {
    let with = |id: &str| {
        let text = format!("[signalwire]\nspace = \"example\"\nproject_id = \"{id}\"\n");
        load_with(&text, &[]).map(|config| config.signalwire.project_id)
    };
    let id = "7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001";
    assert_eq!(with(id).as_deref(), Ok(id));
    assert_eq!(with(&id.to_uppercase()).as_deref(), Ok(id));
    for bad in [
        "p-1",
        "acme",
        &id[1..],
        &id.replace('-', ""),
        &format!("{{{id}}}"),
    ] {
        let error = with(bad).unwrap_err().to_string();
        assert!(
            error.contains("signalwire.project_id: must be a UUID"),
            "{error}"
        );
    }
}

/// Uncommenting every key must still load, and change nothing but the examples.
#[test]
fn every_commented_key_of_the_sample_is_a_real_one_with_its_default() {
    let text: String = SAMPLE
        .lines()
        .filter(|line| !line.starts_with("# base_url"))
        .map(|line| match line.strip_prefix("# ") {
            Some(rest)
                if rest
                    .split(" = ")
                    .next()
                    .is_some_and(|key| !key.contains(' ')) =>
            {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        .filter(|line| !line.starts_with("ROOM_ARCHIVER"))
        .collect();
    let config = load(&filled_in(&text));
    let mut expected = load(&filled_in(SAMPLE));
    expected.signalwire.api_token_file = Some("/etc/room-archiver/token".into());
    expected.signalwire.ca_file = Some("/etc/room-archiver/ca.pem".into());
    expected.filter.since = Some("2024-01-01".parse().unwrap());
    let offsite = CopyTarget {
        url: "s3://bucket/recordings".to_owned(),
        credentials_file: Some("/etc/room-archiver/offsite.credentials".into()),
        ..CopyTarget::default()
    };
    expected.copies.insert("offsite".to_owned(), offsite);
    let ops = config.webhooks["ops"].clone();
    assert_eq!(ops.url.expose(), "https://example.com/recordings");
    let webhook = Webhook {
        url: ops.url,
        secret_file: Some("/etc/room-archiver/webhook_ops".into()),
        ..Webhook::default()
    };
    expected.webhooks.insert("ops".to_owned(), webhook);
    assert_eq!(config, expected);
    for key in toml::Table::try_from(CopyTarget::default()).unwrap().keys() {
        assert!(
            SAMPLE.contains(&format!("\n# {key} = ")),
            "{key} is not in the sample"
        );
    }
    let shown = toml::to_string(&Config::default()).unwrap();
    for key in shown
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0))
    {
        assert!(
            SAMPLE.contains(&format!("{key} = ")),
            "{key} is not in the sample"
        );
    }
}

#[test]
fn all_problems_are_told_at_once_with_file_and_key() {
    let case = file(
        "[signalwire]\nspace = \"example\"\nproject_id = 5\npage_size = 5000\n[poll]\nsetle = \"1h\"\nsettle = \"soon\"\n[download]\nconcurrency = 0\norder = \"random\"\n[archive]\npath_template = \"{{ room }}\"\n[verify]\nschedule = \"0 0 30 2 *\"\n[lgo]\nlevel = \"info\"\n",
    );
    let errors = Config::load(Some(&case.path), &env(&[])).unwrap_err();
    assert!(
        errors
            .0
            .iter()
            .all(|p| p.place == case.path.display().to_string())
    );
    let mut keys: Vec<_> = errors.0.iter().filter_map(|p| p.key.as_deref()).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "archive.path_template",
            "download.concurrency",
            "download.order",
            "lgo",
            "poll.setle",
            "poll.settle",
            "signalwire.page_size",
            "signalwire.project_id",
            "verify.schedule",
        ]
    );
    let text = errors.to_string();
    assert!(text.starts_with("the configuration has 9 problems:\n"));
    assert!(text.contains("did you mean poll.settle?"), "{text}");
    assert!(text.contains("did you mean log?"), "{text}");
    assert!(
        text.contains("expected one of oldest_first, newest_first"),
        "{text}"
    );
    assert!(text.contains("must be between 1 and 1000"), "{text}");
}

#[test]
fn a_key_in_the_wrong_section_is_sent_to_the_right_one() {
    let found = problems(
        &format!("settle = \"1h\"\n{REQUIRED}file_mode = \"0600\"\n"),
        &[],
    );
    assert_eq!(
        found,
        [
            "settle: unknown section; did you mean poll.settle?",
            "signalwire.file_mode: unknown key; did you mean archive.file_mode?",
        ]
    );
}

#[test]
fn a_variable_beats_the_file_and_is_named_in_problems() {
    let text = format!("{REQUIRED}[poll]\nsettle = \"2h\"\nconcurrency = 3\n");
    let config = load_with(
        &text,
        &[
            ("ROOM_ARCHIVER__POLL__SETTLE", "36h"),
            (
                "ROOM_ARCHIVER__FILTER__EXCLUDE_ROOMS",
                "[\"test-*\", \"{a,b}\"]",
            ),
            ("ROOM_ARCHIVER__FILTER__INCLUDE_ROOMS", "team-*, board"),
            ("ROOM_ARCHIVER__ARCHIVE__FILE_MODE", "0600"),
            (
                "ROOM_ARCHIVER__SIGNALWIRE__PROJECT_ID",
                "0123F9C0-2B1E-4C7D-9A52-1F00FA4E0002",
            ),
            ("ROOM_ARCHIVER__SIGNALWIRE__PAGE_SIZE", "50"),
            ("ROOM_ARCHIVER__DOWNLOAD__BANDWIDTH_LIMIT", "1048576"),
            ("ROOM_ARCHIVER__DOWNLOAD__ALLOW_PRIVATE_HOSTS", "true"),
            ("ROOM_ARCHIVER__TELEMETRY__LISTEN", "127.0.0.1:9464"),
            ("ROOM_ARCHIVER_API_TOKEN", "PT1"),
            ("ROOM_ARCHIVER_CONFIG", "/nowhere"),
        ],
    )
    .unwrap();
    assert_eq!(config.poll.settle, Duration::from_hours(36));
    assert_eq!(config.poll.concurrency, 3);
    assert!(config.filter.exclude_rooms.is_match("test-1"));
    assert!(config.filter.exclude_rooms.is_match("b"));
    assert!(config.filter.include_rooms.is_match("board"));
    assert!(!config.filter.include_rooms.is_match("aboard"));
    assert_eq!(config.archive.file_mode.bits(), 0o600);
    assert_eq!(
        config.signalwire.project_id,
        "0123f9c0-2b1e-4c7d-9a52-1f00fa4e0002"
    );
    assert_eq!(config.signalwire.page_size, 50);
    assert_eq!(config.download.bandwidth_limit, Size(1 << 20));
    assert!(config.download.allow_private_hosts);
    assert_eq!(
        config.telemetry.listen.unwrap().to_string(),
        "127.0.0.1:9464"
    );

    let errors = load_with(
        &text,
        &[
            ("ROOM_ARCHIVER__POLL__SETTLE", "1s"),
            ("ROOM_ARCHIVER__POLL__CONCURRENCY", "many"),
            ("ROOM_ARCHIVER__POLLS__SETTLE", "1h"),
            ("ROOM_ARCHIVER__POLL", "1h"),
            ("ROOM_ARCHIVER_POLL_SETTLE", "1h"),
        ],
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "environment variable ROOM_ARCHIVER__POLL__SETTLE: poll.settle: must be between 1m and 1year",
        "environment variable ROOM_ARCHIVER__POLL__CONCURRENCY: poll.concurrency: expected a whole number, found other text",
        "environment variable ROOM_ARCHIVER__POLLS__SETTLE: polls: unknown section; did you mean poll?",
        "environment variable ROOM_ARCHIVER__POLL: does not name a setting; write ROOM_ARCHIVER__SECTION__KEY",
        "environment variable ROOM_ARCHIVER_POLL_SETTLE: two underscores must separate section and key; write ROOM_ARCHIVER__POLL__SETTLE",
    ] {
        assert!(errors.contains(expected), "{expected}\nnot in\n{errors}");
    }
}

#[test]
fn secrets_in_wrong_places_are_never_repeated() {
    let secret = "PT5up3r5ecret";
    let errors = load_with(
        &format!(
            "[signalwire]\napi_token = \"{secret}\"\nproject_id = [\"{secret}\"]\nspace = \"{secret}.x\"\napi_token_file = \"{secret}\"\nmedia_ttl = \"{secret}\"\n[download]\norder = \"{secret}\"\nbandwidth_limit = \"{secret}\"\n"
        ),
        &[
            ("ROOM_ARCHIVER__SIGNALWIRE__API_TOKEN", secret),
            ("ROOM_ARCHIVER__SIGNALWIRE__BASE_URL", &format!("https://u:{secret}@example.org")),
            ("ROOM_ARCHIVER__POLL__SCHEDULE", secret),
            ("ROOM_ARCHIVER__POLL__CONCURRENCY", secret),
        ],
    )
    .unwrap_err();
    assert!(!errors.to_string().contains(secret), "{errors}");
    assert!(!format!("{errors:?}").contains(secret));
    assert!(
        errors
            .to_string()
            .contains("signalwire.api_token: the token never belongs here")
    );

    let broken = load_with(&format!("[signalwire]\napi_token = \"{secret}\n"), &[]).unwrap_err();
    assert!(!broken.to_string().contains(secret), "{broken}");
}

#[test]
fn broken_toml_is_placed_by_line_and_column() {
    let found = problems("[signalwire]\nspace = \"example\"\nproject_id = = 1\n", &[]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("-: line 3, column 14: not valid TOML"),
        "{found:?}"
    );
}

#[test]
fn a_missing_file_says_what_to_do() {
    let errors =
        Config::load(None, &env(&[("ROOM_ARCHIVER_CONFIG", "/nowhere/c.toml")])).unwrap_err();
    assert_eq!(errors.0[0].place, "/nowhere/c.toml");
    assert!(errors.to_string().contains("--config"));
}

#[test]
fn what_is_shown_reads_back_the_same() {
    let config = load(&format!(
        "{REQUIRED}[filter]\nsince = \"2024-01-01\"\n[archive]\nmin_free_space = \"3MB\"\n"
    ));
    assert_eq!(load(&toml::to_string(&config).unwrap()), config);
}
