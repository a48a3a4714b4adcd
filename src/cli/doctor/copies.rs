//! Tries each object store for real: writes a small object below the prefix, compares its checksum, tries to write it
//! again on condition that it is not there, reads it back, begins and aborts an upload in parts, and deletes it.

use uuid::Uuid;

use super::report::Report;
use crate::app;
use crate::archive::part::hash_bytes;
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::cooldown::Cooldowns;
use crate::copies::{StoreError, Target, Trouble};
use crate::human;
use crate::sidecar::MOST;

/// The rights that uploading, verifying and fetching need.
const RIGHTS: &str = "check the access key and its policy, see docs/copies.md";

/// Tries each configured object store.
pub(super) async fn examine(
    config: &Config,
    env: &Environment,
    clock: &Clock,
    report: &mut Report,
) {
    for name in config.copies.keys() {
        match app::target(config, env, name, clock, &Cooldowns::default()) {
            Ok(target) => one(name, &target, report).await,
            Err(error) => report.fail(
                &format!("copies.{name}"),
                &format!("{error:#}"),
                "see 'Copies' in docs/configuration.md",
            ),
        }
    }
}

async fn one(name: &str, target: &Target, report: &mut Report) {
    let check = format!("copies.{name}");
    let key = format!("room-archiver-probe-{}", Uuid::new_v4());
    let tried = steps(&check, target, &key, report).await;
    report.clock(&check, "clock: ", target.skew(), "the store");
    match tried {
        Ok(()) => {}
        Err((step, error)) => {
            report.fail(&check, &format!("{step}: {error}"), fix(&error));
        }
    }
}

/// The first step that fails, and how.
type Failed = (&'static str, StoreError);

async fn steps(check: &str, target: &Target, key: &str, report: &mut Report) -> Result<(), Failed> {
    let content = format!("This object shows that room-archiver can write here: {key}\n");
    let bytes = content.into_bytes();
    let sha256 = hash_bytes(&bytes);
    let put = || bytes.clone().into();
    target
        .create(key, put(), &sha256, key)
        .await
        .map_err(|error| ("write", error))?;
    let inspected = inspect(check, target, key, &bytes, &sha256, report).await;
    let deleted = target.delete(key).await.map_err(|error| ("delete", error));
    inspected?;
    match deleted {
        Ok(()) => {}
        Err((_, error)) if matches!(error.trouble, Trouble::Refused | Trouble::Exists) => {
            report.note(
                check,
                &format!("the key may not delete: the object '{key}' stays there ({error})"),
            );
        }
        Err(failed) => return Err(failed),
    }
    report.ok(
        check,
        "an object was written, found with its checksum, read back and deleted",
    );
    Ok(())
}

async fn inspect(
    check: &str,
    target: &Target,
    key: &str,
    bytes: &[u8],
    sha256: &str,
    report: &mut Report,
) -> Result<(), Failed> {
    let found = target
        .head(key)
        .await
        .map_err(|error| ("look for", error))?;
    let found = found.ok_or_else(|| ("look for", gone()))?;
    if found.bytes != bytes.len() as u64 || found.sha256.as_deref() != Some(sha256) {
        let text = "the object has another size or SHA-256 than what was written";
        report.fail(
            check,
            text,
            "the store does not keep metadata: use another one",
        );
    }
    let again = target.create(key, bytes.to_vec().into(), sha256, key).await;
    match again {
        Err(error) if error.trouble == Trouble::Exists => {
            report.ok(check, "conditional writes: supported");
        }
        Ok(_) => report.note(
            check,
            "conditional writes: ignored by the store; uploads look first whether an object is there",
        ),
        Err(error) => report.note(check, &format!("conditional writes: not supported ({error})")),
    }
    let read = target
        .read_small(key, MOST)
        .await
        .map_err(|error| ("read", error))?;
    if read != bytes {
        report.fail(check, "what was read back is not what was written", RIGHTS);
    }
    target
        .list("", None)
        .await
        .map_err(|error| ("list", error))?;
    uploads(check, target, key, sha256, report).await?;
    bucket(check, target, report).await;
    Ok(())
}

/// An upload in parts, which is aborted.
async fn uploads(
    check: &str,
    target: &Target,
    key: &str,
    sha256: &str,
    report: &mut Report,
) -> Result<(), Failed> {
    let key = format!("{key}-parts");
    let upload = target
        .begin(&key, sha256, &key)
        .await
        .map_err(|error| ("begin an upload in parts", error))?;
    let listed = target.unfinished(&key, 10).await;
    target
        .abort(&key, &upload)
        .await
        .map_err(|error| ("abort an upload in parts", error))?;
    match listed {
        Ok(uploads) if uploads.iter().any(|one| one.id == upload) => {}
        Ok(_) => report.note(check, "unfinished uploads are not listed: have the bucket abort them after some days"),
        Err(error) => report.note(
            check,
            &format!("unfinished uploads can't be listed ({error}): have the bucket abort them after some days"),
        ),
    }
    Ok(())
}

/// What the bucket does with versions and locks.
async fn bucket(check: &str, target: &Target, report: &mut Report) {
    let ask = |what: &'static str| async move {
        let answer = target
            .query(&[(what, String::new())], "ask about the bucket")
            .await;
        answer.map(|body| String::from_utf8_lossy(&body).into_owned())
    };
    match ask("versioning").await {
        Ok(xml) => {
            let text = match value(&xml, "Status") {
                Some("Enabled") => {
                    "versioning: on; replaced sidecars and deleted objects stay as old versions"
                }
                Some("Suspended") => "versioning: suspended",
                _ => "versioning: off",
            };
            report.ok(check, text);
        }
        Err(error) => report.note(check, &format!("versioning: unknown ({error})")),
    }
    match ask("object-lock").await {
        Ok(xml) if value(&xml, "ObjectLockEnabled") == Some("Enabled") => {
            let rule = match (
                value(&xml, "Mode"),
                value(&xml, "Days"),
                value(&xml, "Years"),
            ) {
                (Some(mode), Some(days), _) => format!("{mode}, {}", period(days, "day")),
                (Some(mode), None, Some(years)) => format!("{mode}, {}", period(years, "year")),
                _ => "without a default retention".to_owned(),
            };
            let rule = crate::escape::line(&rule).into_owned();
            report.ok(check, &format!("Object Lock: on, {rule}"));
        }
        Ok(_) => report.ok(check, "Object Lock: off"),
        Err(error) if error.is_gone() => report.ok(check, "Object Lock: off"),
        Err(error) => report.note(check, &format!("Object Lock: unknown ({error})")),
    }
}

/// The text of the first element with this name.
fn value<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once("</")?;
    Some(text.trim())
}

fn gone() -> StoreError {
    StoreError::new(Trouble::Gone, "look for an object", "it was just written")
}

fn fix(error: &StoreError) -> &'static str {
    match error.trouble {
        Trouble::NoBucket => "create the bucket, or correct url",
        Trouble::Skewed => "set this machine's clock, for instance with 'timedatectl set-ntp true'",
        Trouble::Unavailable | Trouble::Nonsense => {
            "check endpoint, region and path_style, and that this machine reaches the store"
        }
        Trouble::Full => "make room in the store, or raise its quota",
        _ => RIGHTS,
    }
}

/// So many days or years, as a store wrote them.
fn period(number: &str, unit: &str) -> String {
    let counted = number.parse().map(|number| human::count(number, unit));
    counted.unwrap_or_else(|_| format!("{number} {unit}s"))
}
