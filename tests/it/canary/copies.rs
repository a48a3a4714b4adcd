//! Marked access keys of an object store, and a store that repeats whatever it is sent.

use std::process::Output;

use super::search::Canaries;
use crate::harness::bucket::{Bucket, Fault};
use crate::harness::{BY_ID, Child, EVERY_SECOND, KIB, Setting, media};

const KEY: &str = "AKIACANARYKEY/1";
const SECRET: &str = "5ecretCanary+key=9/x";
const SESSION: &str = "5essionCanary+token=/2";

/// Every kind of request is once answered with an error that repeats its headers.
fn echo(bucket: &Bucket) {
    bucket.clear_faults();
    for step in [
        "put",
        "begin",
        "part",
        "complete",
        "sidecar",
        "list",
        "uploads",
        "get",
        "delete",
        "versioning",
        "lock",
    ] {
        // A key that is refused has the target wait, which costs time.
        let statuses: &[u16] = if step == "put" {
            &[400, 403, 500]
        } else {
            &[400, 500]
        };
        for status in statuses {
            bucket.inject(step, 1, Fault::Echo(*status));
        }
    }
}

#[test]
fn marked_keys_of_an_object_store_are_told_nowhere() {
    let bucket = Bucket::start_for(KEY);
    let section = bucket.section("offsite");
    let setting = Setting::with(&format!(
        "{BY_ID}{EVERY_SECOND}[verify]\nschedule = \"* * * * * *\"\n[log]\nlevel = \"trace\"\n{section}keep_local = \"1d\"\nverify_bytes_per_run = \"1MiB\"\n"
    ));
    let ids = [5, 150].map(|size| setting.add_media(&media(size * KIB)));
    let keys = [
        ("AWS_ACCESS_KEY_ID", KEY.as_ref()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.as_ref()),
        ("AWS_SESSION_TOKEN", SESSION.as_ref()),
    ];
    echo(&bucket);
    let mut daemon = Child::start(&setting, &keys);
    daemon.line("started");
    let copied = "SELECT count(*) FROM copies WHERE state = 'copied'";
    setting.wait(|setting| setting.sql(copied) == "2");
    daemon.stop();
    let log = daemon.told.join("\n");
    let run = |args: &[&str]| -> Output {
        echo(&bucket);
        let mut command = setting.command();
        command.envs(keys).args(args).output().expect("the program")
    };
    let id = ids[0].to_string();
    let bundle = setting.directory.path().join("bundle.tar");
    let mut outputs = vec![run(&["support-bundle", &bundle.display().to_string()])];
    for args in [
        "once",
        "doctor",
        "status",
        "status --json",
        "list",
        "verify --full",
        "config show",
        "config check",
        "rebuild --from offsite",
        "rebuild --from elsewhere",
    ] {
        outputs.push(run(&args.split(' ').collect::<Vec<_>>()));
    }
    outputs.push(run(&["show", &id]));
    setting.write_sql("UPDATE recording SET evicted_at = archived_at");
    outputs.extend([run(&["fetch", &id]), run(&["fetch", "--json", &id])]);
    // A key in wrong places.
    for (name, value) in [
        (
            "ROOM_ARCHIVER__COPIES__OFFSITE__ENDPOINT",
            format!("https://{KEY}:{SECRET}@127.0.0.1"),
        ),
        ("ROOM_ARCHIVER__COPIES__OFFSITE__REGION", SECRET.to_owned()),
        (
            "ROOM_ARCHIVER__COPIES__OFFSITE__KEEP_LOCAL",
            SECRET.to_owned(),
        ),
    ] {
        let mut command = setting.command();
        let checked = command.env(name, value).args(["config", "check"]).output();
        let checked = checked.expect("the program");
        assert_eq!(checked.status.code(), Some(2), "{name}");
        outputs.push(checked);
    }
    let signatures = bucket.journal().into_iter().filter_map(|request| {
        let signed = request.headers.get("authorization")?;
        let (_, signature) = signed.split_once("Signature=")?;
        Some(signature.to_owned())
    });
    let mut secrets: Vec<String> = signatures.collect();
    assert!(secrets.len() > 20, "{} requests", secrets.len());
    secrets.extend([KEY, SECRET, SESSION, "AWS4-HMAC", "X-Amz-Security"].map(str::to_owned));
    let canaries = Canaries::of_secrets(&secrets);
    canaries.must_not_be_in("the log", log.as_bytes());
    let endpoint = format!("http://{}", bucket.address());
    assert!(!log.contains(&endpoint), "{log}");
    for output in &outputs {
        canaries.must_not_be_in("an output", &output.stdout);
        canaries.must_not_be_in("an error", &output.stderr);
        assert!(
            !crate::text(&output.stderr).contains("panicked"),
            "{output:?}"
        );
    }
    canaries.must_not_be_beneath(setting.directory.path());
    let rows = setting.sql(".dump");
    canaries.must_not_be_in("the rows", rows.as_bytes());
    assert!(!rows.contains(&endpoint), "{rows}");
    let objects = bucket.objects();
    for object in objects.values() {
        canaries.must_not_be_in("an object", &object.body);
    }
}
