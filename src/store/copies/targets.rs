//! The targets: those of the configuration, and those that were removed from it.

use chrono::{DateTime, Utc};
use sqlx::Row as _;

use crate::model::time;
use crate::store::rows::{at, statements};
use crate::store::{Error, Result, Store, during, on};

statements! {
    TARGETS = "SELECT id, name, url, configured, added_at, copied_at, verified_at, strays_at, failing_since, error
         FROM copy_target ORDER BY name";
    UNCONFIGURE = "UPDATE copy_target SET configured = 0";
    CONFIGURE = "INSERT INTO copy_target (name, url, configured, added_at) VALUES (?1, ?2, 1, ?3)
         ON CONFLICT (name) DO UPDATE SET configured = 1,
            url = iif(EXISTS (SELECT 1 FROM copy WHERE target = copy_target.id AND key IS NOT NULL),
                copy_target.url, excluded.url)";
    TARGET_WORKS = "UPDATE copy_target SET failing_since = NULL, error = NULL, needs_help = 0 WHERE id = ? AND failing_since IS NOT NULL";
    TARGET_FAILS = "UPDATE copy_target SET failing_since = coalesce(failing_since, ?), error = ?, needs_help = ? WHERE id = ?";
    TARGET_VERIFIED = "UPDATE copy_target SET verified_at = ? WHERE id = ?";
    STRAYS_SOUGHT = "UPDATE copy_target SET strays_at = ? WHERE id = ?";
}

/// The row of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub(in crate::store) i64);

/// A target as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// NAME of `[copies.NAME]`.
    pub name: String,
    /// `s3://bucket/prefix`, without a slash at the end.
    pub url: String,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetRow {
    /// Its row.
    pub id: TargetId,
    /// NAME of `[copies.NAME]`.
    pub name: String,
    /// Where its copies are. The configuration may name another place by now.
    pub url: String,
    /// Whether it is in the configuration.
    pub configured: bool,
    /// When it was first configured.
    pub added_at: DateTime<Utc>,
    /// When a recording was last copied to it.
    pub copied_at: Option<DateTime<Utc>>,
    /// When all its copies were last looked for.
    pub verified_at: Option<DateTime<Utc>>,
    /// When unfinished uploads that nobody knows were last looked for.
    pub strays_at: Option<DateTime<Utc>>,
    /// Since when it fails.
    pub failing_since: Option<DateTime<Utc>>,
    /// How.
    pub error: Option<String>,
}

impl Store {
    /// Notes which targets are configured. One that already has copies keeps the place they are in.
    pub async fn configure_targets(&self, names: &[TargetName], now: DateTime<Utc>) -> Result<()> {
        during("note the targets of copies", async {
            let mut tx = self.write().await?;
            sqlx::query(UNCONFIGURE).execute(on(&mut tx)).await?;
            for TargetName { name, url } in names {
                let query = sqlx::query(CONFIGURE).bind(name).bind(url);
                query.bind(time::to_text(now)).execute(on(&mut tx)).await?;
            }
            Ok(tx.commit().await?)
        })
        .await
    }

    /// All targets, also those that are no longer configured.
    pub async fn copy_targets(&self) -> Result<Vec<TargetRow>> {
        during("read the targets of copies", async {
            let rows = sqlx::query(TARGETS).fetch_all(self.read()).await?;
            rows.iter()
                .map(|row| {
                    Ok(TargetRow {
                        id: TargetId(row.try_get("id")?),
                        name: row.try_get("name")?,
                        url: row.try_get("url")?,
                        configured: row.try_get("configured")?,
                        added_at: at(row, "added_at")?.ok_or(Error::Content("time"))?,
                        copied_at: at(row, "copied_at")?,
                        verified_at: at(row, "verified_at")?,
                        strays_at: at(row, "strays_at")?,
                        failing_since: at(row, "failing_since")?,
                        error: row.try_get("error")?,
                    })
                })
                .collect()
        })
        .await
    }

    /// Notes that a target fails, and whether that passes only with help; or that it works (`None`).
    pub async fn target_fails(
        &self,
        target: TargetId,
        error: Option<(&str, bool)>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note how a target of copies does", async {
            let mut tx = self.write().await?;
            let query = match error {
                None => sqlx::query(TARGET_WORKS),
                Some((error, needs_help)) => {
                    let query = sqlx::query(TARGET_FAILS).bind(time::to_text(now));
                    query.bind(error).bind(needs_help)
                }
            };
            query.bind(target.0).execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes that all copies of a target were looked for.
    pub async fn target_verified(&self, target: TargetId, now: DateTime<Utc>) -> Result<()> {
        self.target_time(TARGET_VERIFIED, target, now).await
    }

    /// Notes that unfinished uploads were looked for.
    pub async fn strays_sought(&self, target: TargetId, now: DateTime<Utc>) -> Result<()> {
        self.target_time(STRAYS_SOUGHT, target, now).await
    }

    async fn target_time(
        &self,
        statement: &'static str,
        target: TargetId,
        now: DateTime<Utc>,
    ) -> Result<()> {
        during("note the time of a look at a target", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(statement).bind(time::to_text(now));
            query.bind(target.0).execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
