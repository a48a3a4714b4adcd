//! What holds of any configuration, however it is written.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECRET: &str = "PT5up3r5ecret";

fn load(text: &str, env: &[(String, String)]) -> Result<Config, ConfigErrors> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("a file");
    Config::load(Some(file.path()), &env.iter().cloned().collect())
}

/// Every key there is, as `section` and `key`.
fn keys() -> Vec<(String, String)> {
    let all: toml::Table = toml::to_string(&Config::default())
        .expect("TOML")
        .parse()
        .expect("TOML");
    let keys_of = |(section, keys): (&String, &toml::Value)| -> Vec<_> {
        let keys = keys.as_table().expect("a section").keys();
        keys.map(|key| (section.clone(), key.clone())).collect()
    };
    all.iter().flat_map(keys_of).collect()
}

fn key() -> impl Strategy<Value = (String, String)> {
    let unknown = ["token", "api_token", "password", "setle", ""].map(str::to_owned);
    prop_oneof![
        8 => prop::sample::select(keys()),
        1 => ("signalwire|poll|lgo|\\PC{0,5}", prop::sample::select(unknown.to_vec())),
    ]
}

/// A value of any type, as TOML.
fn value() -> impl Strategy<Value = toml::Value> {
    let text = prop_oneof![
        any::<String>(),
        "[0-9]{1,20}[a-zA-Z]{0,3}",
        "([0-9*/?-]{1,4} ){5}[0-9*]",
        "[*a-z\\[\\]{},!-]{0,12}",
        "https?://[a-z@:.]{0,12}(:[0-9]{1,6})?/?",
        "/[a-z/.]{0,12}",
    ];
    let leaf = prop_oneof![
        text.prop_map(toml::Value::from),
        any::<i64>().prop_map(toml::Value::from),
        any::<f64>().prop_map(toml::Value::from),
        any::<bool>().prop_map(toml::Value::from),
        Just(
            "2024-01-31"
                .parse::<toml::value::Datetime>()
                .expect("a date")
                .into()
        ),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(toml::Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3)
                .prop_map(|table| toml::Value::Table(table.into_iter().collect())),
        ]
    })
}

/// Keys with their values, as a file's text.
fn written(settings: Vec<((String, String), toml::Value)>) -> String {
    let mut all = toml::Table::new();
    for ((section, key), value) in settings {
        let section = all
            .entry(section)
            .or_insert_with(|| toml::Table::new().into());
        if let Some(section) = section.as_table_mut() {
            section.insert(key, value);
        }
    }
    all.to_string()
}

/// A text in which the secret is found, alone or within what a key expects.
fn secretive() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "5",
        "5 ",
        "0 0 0 ",
        "https://",
        "https://u:",
        "/",
        "[",
        "{a,",
        "*/",
        "127.0.0.1:",
    ])
    .prop_flat_map(|before| {
        let after = prop::sample::select(vec![
            "",
            " * *",
            "]",
            "}",
            "@example.org",
            "/x",
            ":1",
            "s",
            "GiB",
            "[z-a]",
        ]);
        after.prop_map(move |after| format!("{before}{SECRET}{after}"))
    })
}

/// Some valid configuration.
fn valid() -> impl Strategy<Value = Config> {
    let times = (
        60..604_801_u64,
        1..600_000_u64,
        60..31_000_000_u64,
        1..86_400_u64,
    );
    let sizes = (
        1..i64::MAX.cast_unsigned(),
        any::<u32>(),
        1..65_usize,
        1..1001_u32,
    );
    let texts = (
        "[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?",
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
        prop::collection::vec("[a-z*? ü'\"\\\\-]{1,12}", 1..4),
        "/[ -.0-~ü]{1,20}",
    );
    (times, sizes, texts, any::<bool>(), 0..512_u32).prop_map(|(times, sizes, texts, yes, mode)| {
        let mut config = Config::default();
        config.signalwire.space = Some(texts.0);
        config.signalwire.project_id = texts.1;
        config.signalwire.media_ttl = Duration::from_secs(times.0);
        config.signalwire.request_timeout = Duration::from_millis(times.1);
        config.signalwire.page_size = sizes.3;
        config.poll.settle = Duration::from_secs(times.2);
        config.poll.concurrency = sizes.2.min(64);
        config.download.retry_max = Duration::from_secs(times.3 + 86_400);
        config.download.retry_initial = Duration::from_secs(times.3);
        config.download.bandwidth_limit = Size(u64::from(sizes.1).max(16 << 10));
        config.download.allow_private_hosts = yes;
        config.filter.exclude_rooms = Globs::new(texts.2).unwrap_or_default();
        config.filter.since = yes.then(|| "2024-01-31T08:00:00+02:00".parse().expect("a time"));
        config.archive.directory = PathBuf::from(texts.3).join("recordings");
        config.archive.min_free_space = Size(sizes.0);
        config.archive.file_mode = format!("{:04o}", (mode | 0o400) & !0o002)
            .parse()
            .expect("a mode");
        config.verify.bytes_per_run = Size(sizes.0);
        config
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_and_no_variable_makes_it_panic(
        text in prop_oneof![any::<String>(), "(\\[[a-z]{1,10}\\]\n|[a-z_]{1,12} = [^\n]{0,20}\n|[\\[\\]{}\"'#=.,\n]){0,12}"],
        variables in prop::collection::vec((key(), any::<String>()), 0..6),
    ) {
        let variables: Vec<_> = variables
            .into_iter()
            .map(|((section, key), value)| (format!("ROOM_ARCHIVER__{section}__{key}"), value))
            .collect();
        _ = load(&text, &variables).map_err(|errors| errors.to_string());
    }

    #[test]
    fn any_values_are_taken_or_told_by_their_keys(settings in prop::collection::vec((key(), value()), 0..6)) {
        let text = written(settings);
        if let Err(errors) = load(&text, &[]) {
            prop_assert!(!errors.0.is_empty());
            let told = errors.to_string();
            prop_assert!(!told.chars().any(|c| c != '\n' && c.is_control()), "{:?}", told);
        }
    }

    #[test]
    fn a_secret_in_any_key_is_never_repeated(
        settings in prop::collection::vec((key(), secretive(), 0..3_u8), 1..5),
        variables in prop::collection::vec((key(), secretive()), 0..4),
    ) {
        // The template's own words are shown, so that they can be corrected.
        let settings: Vec<_> = settings.into_iter().filter(|((_, key), ..)| key != "path_template").collect();
        let variables: Vec<_> = variables
            .into_iter()
            .filter(|((_, key), _)| key != "path_template")
            .map(|((section, key), value)| (format!("ROOM_ARCHIVER__{section}__{key}").to_uppercase(), value))
            .collect();
        let wrapped = settings.into_iter().map(|(key, text, form)| {
            let text = toml::Value::from(text);
            let value = match form {
                0 => text,
                1 => vec![text].into(),
                _ => toml::Value::Table([("a".to_owned(), text)].into_iter().collect()),
            };
            (key, value)
        });
        let text = written(wrapped.collect());
        if let Err(errors) = load(&text, &variables) {
            prop_assert!(!errors.to_string().contains(SECRET), "{}\n{}", text, errors);
            prop_assert!(!format!("{errors:?}").contains(SECRET), "{:?}", errors);
        }
        // As it is when somebody's editor broke it.
        for at in [text.len() / 3, text.len() / 2, text.len().saturating_sub(3)] {
            let broken = format!("{}\u{1}{}", &text[..text.floor_char_boundary(at)], &text[text.floor_char_boundary(at)..]);
            if let Err(errors) = load(&broken, &[]) {
                prop_assert!(!errors.to_string().contains(SECRET), "{}\n{}", broken, errors);
            }
        }
    }

    #[test]
    fn a_valid_configuration_is_read_back_from_what_is_shown_of_it(config in valid()) {
        let shown = toml::to_string(&config).expect("TOML");
        let again = load(&shown, &[]);
        prop_assert_eq!(again.as_ref(), Ok(&config), "{}", shown);
        // As variables, too: each key has a form there.
        let table: toml::Table = shown.parse().expect("TOML");
        let variables: Vec<_> = table
            .iter()
            .flat_map(|(section, keys)| {
                let keys = keys.as_table().into_iter().flatten();
                keys.map(move |(key, value)| {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    (format!("ROOM_ARCHIVER__{section}__{key}").to_uppercase(), value)
                })
            })
            .collect();
        let again = load("", &variables);
        prop_assert_eq!(again.as_ref(), Ok(&config), "{:?}", variables);
    }
}
