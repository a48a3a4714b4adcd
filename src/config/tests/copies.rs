//! Sections with names, and the access keys of their object stores.

use std::fs;

use super::{env, file, load_with, problems};
use crate::config::{Config, StoreKeysError};

const ONE: &str = "[signalwire]\nspace = \"example\"\nproject_id = \"7d5b7f9c-2b1e-4c7d-9a52-1f00fa4e0001\"\n[copies.offsite]\nurl = \"s3://bucket/a/b/\"\n";

#[test]
fn each_section_is_a_target_with_defaults_of_its_own() {
    let text = format!("{ONE}concurrency = 3\n[copies.second-1]\nurl = \"s3://other\"\n");
    let config = load_with(
        &text,
        &[("ROOM_ARCHIVER__COPIES__SECOND-1__REGION", "eu-1")],
    )
    .unwrap();
    let (first, second) = (&config.copies["offsite"], &config.copies["second-1"]);
    assert_eq!(first.bucket_and_prefix(), Ok(("bucket", "a/b")));
    assert_eq!((first.concurrency, first.region.as_str()), (3, "us-east-1"));
    assert_eq!(second.bucket_and_prefix(), Ok(("other", "")));
    assert_eq!((second.concurrency, second.region.as_str()), (4, "eu-1"));
}

#[test]
fn a_variable_alone_makes_a_section() {
    let text = ONE.split("[copies").next().unwrap();
    let url = ("ROOM_ARCHIVER__COPIES__AWAY__URL", "s3://bucket");
    let number = ("ROOM_ARCHIVER__COPIES__AWAY__CONCURRENCY", "7");
    let config = load_with(text, &[url, number]).unwrap();
    assert_eq!(config.copies["away"].concurrency, 7);
    let problem = &problems(text, &[("ROOM_ARCHIVER__COPIES__AWAY", "x")])[0];
    assert!(problem.contains("SECTION__NAME__KEY"), "{problem}");
}

#[test]
fn every_mistake_is_reported_with_its_key_and_without_its_value() {
    let text = format!(
        "{ONE}endpoint = \"http://example.com\"\nregion = \"\"\nconcurency = 1\nconcurrency = \"two\"\nsecret_access_key = \"hush\"\npart_size = \"1MiB\"\nbandwidth_limit = \"5\"\ncredentials_file = \"keys\"\n[copies.Off__site]\nurl = \"s3://b\"\n[copies.third]\nendpoint = \"https://u:p@example.com/\"\n"
    );
    let mut found = problems(&text, &[]);
    found.sort_unstable();
    let keys: Vec<_> = found.iter().map(|p| p.split(':').next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "copies.Off__site",
            "copies.offsite.bandwidth_limit",
            "copies.offsite.concurency",
            "copies.offsite.concurrency",
            "copies.offsite.credentials_file",
            "copies.offsite.endpoint",
            "copies.offsite.part_size",
            "copies.offsite.region",
            "copies.offsite.secret_access_key",
            "copies.third.endpoint",
            "copies.third.url",
        ]
    );
    assert!(!found.concat().contains("hush"));
    assert!(found[2].contains("did you mean copies.offsite.concurrency?"));
    assert!(found[8].contains("never belong here"));
    let flat = problems("[copies]\nurl = \"s3://bucket\"\n", &[]);
    assert!(flat[0].contains("write [copies.NAME]"), "{flat:?}");
}

#[test]
fn what_is_no_bucket_is_refused() {
    for url in [
        "bucket",
        "https://bucket",
        "s3://",
        "s3://b",
        "s3://bucket//a",
        "s3://bucket/../a",
        "s3://buc ket",
    ] {
        let text = ONE.replace("s3://bucket/a/b/", url);
        assert!(
            problems(&text, &[])[0].starts_with("copies.offsite.url: "),
            "{url}"
        );
    }
}

#[test]
fn the_access_key_comes_from_the_credential_then_the_file_then_the_variables() {
    let directory = tempfile::tempdir().unwrap();
    let (credential, keys) = (
        directory.path().join("copies_offsite"),
        directory.path().join("keys"),
    );
    let lines = |id: &str| {
        format!("# mine\n[default]\naws_access_key_id = {id}\naws_secret_access_key=s/+=\n")
    };
    let text = format!("{ONE}credentials_file = \"{}\"\n", keys.display());
    let variables = env(&[
        ("AWS_ACCESS_KEY_ID", "variable"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_SESSION_TOKEN", "t"),
        ("CREDENTIALS_DIRECTORY", directory.path().to_str().unwrap()),
    ]);
    let found = |text: &str| {
        let config = Config::load(Some(&file(text).path), &env(&[])).unwrap();
        let key = config.store_keys("offsite", &variables);
        key.map(|key| key.expose().0.to_owned())
    };
    assert_eq!(found(ONE).unwrap(), "variable");
    assert!(matches!(
        found(&text),
        Err(StoreKeysError::Unreadable { .. })
    ));
    fs::write(&keys, lines("file")).unwrap();
    assert_eq!(found(&text).unwrap(), "file");
    fs::write(&credential, lines("credential")).unwrap();
    assert_eq!(found(&text).unwrap(), "credential");
    fs::write(&credential, "hush-hush").unwrap();
    let error = found(&text).unwrap_err().to_string();
    assert!(
        error.contains("aws_access_key_id") && !error.contains("hush"),
        "{error}"
    );
    let config = Config::load(Some(&file(ONE).path), &env(&[])).unwrap();
    let key = config.store_keys("offsite", &env(&[("AWS_ACCESS_KEY_ID", "x")]));
    assert!(matches!(key, Err(StoreKeysError::NotSet(_))));
}
