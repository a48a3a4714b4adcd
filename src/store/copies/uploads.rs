//! Multipart uploads under way: what a restart goes on with, and what is to be aborted.

use chrono::{DateTime, Utc};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{CopyRow, TargetId};
use crate::model::time;
use crate::store::rows::statements;
use crate::store::{Result, Store, during, on};

statements! {
    BEGIN_UPLOAD = "INSERT INTO upload (target, recording, key, token, sha256, part_bytes, started_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    UPLOAD_BEGUN = "UPDATE upload SET upload_id = ? WHERE id = ?";
    PART_UPLOADED = "INSERT OR REPLACE INTO upload_part (upload, number, receipt) VALUES (?, ?, ?)";
    ABANDON_UPLOAD = "UPDATE upload SET abandoned = 1 WHERE id = ?";
    FORGET_UPLOAD = "DELETE FROM upload WHERE id = ?";
    READ_UPLOAD = "SELECT id, key, upload_id, token, sha256, part_bytes FROM upload
         WHERE target = ? AND recording = ? AND NOT abandoned ORDER BY id DESC LIMIT 1";
    READ_PARTS = "SELECT number, receipt FROM upload_part WHERE upload = ? ORDER BY number";
    ABANDON_USELESS = "UPDATE upload SET abandoned = 1 WHERE target = ?1 AND NOT abandoned AND NOT EXISTS (
            SELECT 1 FROM copy c JOIN recording r ON r.row = c.recording
            WHERE c.target = upload.target AND c.recording = upload.recording AND c.state <> 'copied'
              AND r.state IN ('archived', 'damaged', 'downloading', 'pending'))";
    ABANDONED = "SELECT id, key, upload_id, token, sha256, part_bytes FROM upload
         WHERE target = ? AND abandoned ORDER BY id";
    IS_UPLOAD_BEGINNING = "SELECT EXISTS (SELECT 1 FROM upload INDEXED BY upload_copy
         WHERE target = ? AND key = ? AND upload_id IS NULL AND NOT abandoned)";
    KNOWN_UPLOADS = "SELECT upload_id FROM upload WHERE target = ? AND upload_id IS NOT NULL";
}

/// The row of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UploadRow(i64);

/// A multipart upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the other fields are what they are called")]
pub struct Upload {
    pub row: UploadRow,
    /// Below the prefix.
    pub key: String,
    /// The store's id; `None`: it was asked for one, and the answer is not known.
    pub id: Option<String>,
    /// In the object's metadata.
    pub token: String,
    /// The content it is for.
    pub sha256: String,
    pub part_bytes: u64,
    /// Number and receipt of the parts that the store has.
    pub parts: Vec<(u32, String)>,
}

impl Store {
    /// Notes that an upload is about to be asked for.
    pub async fn begin_upload(
        &self,
        target: TargetId,
        row: &CopyRow,
        token: &str,
        part_bytes: u64,
        now: DateTime<Utc>,
    ) -> Result<UploadRow> {
        during("note an upload", async {
            let mut tx = self.write().await?;
            let done = sqlx::query(BEGIN_UPLOAD)
                .bind(target.0)
                .bind(row.recording)
                .bind(&row.path)
                .bind(token)
                .bind(&row.sha256)
                .bind(part_bytes.cast_signed())
                .bind(time::to_text(now))
                .execute(on(&mut tx))
                .await?;
            tx.commit().await?;
            Ok(UploadRow(done.last_insert_rowid()))
        })
        .await
    }

    /// Notes the store's id of an upload.
    pub async fn upload_begun(&self, upload: UploadRow, id: &str) -> Result<()> {
        during("note the id of an upload", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(UPLOAD_BEGUN).bind(id).bind(upload.0);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// Notes that the store has a part.
    pub async fn part_uploaded(&self, upload: UploadRow, number: u32, receipt: &str) -> Result<()> {
        during("note an uploaded part", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(PART_UPLOADED).bind(upload.0).bind(number);
            query.bind(receipt).execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The upload of a copy that can be continued.
    pub async fn upload(&self, target: TargetId, recording: i64) -> Result<Option<Upload>> {
        during("read an upload", async {
            let row = sqlx::query(READ_UPLOAD)
                .bind(target.0)
                .bind(recording)
                .fetch_optional(self.read())
                .await?;
            let Some(mut upload) = row.as_ref().map(upload).transpose()? else {
                return Ok(None);
            };
            upload.parts = sqlx::query_as(READ_PARTS)
                .bind(upload.row.0)
                .fetch_all(self.read())
                .await?;
            Ok(Some(upload))
        })
        .await
    }

    /// An upload is of no more use, and is to be aborted.
    pub async fn abandon_upload(&self, upload: UploadRow) -> Result<()> {
        self.change_upload(ABANDON_UPLOAD, upload).await
    }

    /// An upload is no longer at the store.
    pub async fn forget_upload(&self, upload: UploadRow) -> Result<()> {
        self.change_upload(FORGET_UPLOAD, upload).await
    }

    async fn change_upload(&self, statement: &'static str, upload: UploadRow) -> Result<()> {
        during("note the end of an upload", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(statement).bind(upload.0);
            query.execute(on(&mut tx)).await?;
            Ok(tx.commit().await?)
        })
        .await
    }

    /// The uploads that are to be aborted: also those whose recording needs no copy any more.
    pub async fn abandoned_uploads(&self, target: TargetId) -> Result<Vec<Upload>> {
        during("look for uploads to abort", async {
            let mut tx = self.write().await?;
            let query = sqlx::query(ABANDON_USELESS).bind(target.0);
            query.execute(on(&mut tx)).await?;
            tx.commit().await?;
            let query = sqlx::query(ABANDONED).bind(target.0);
            query
                .fetch_all(self.read())
                .await?
                .iter()
                .map(upload)
                .collect()
        })
        .await
    }

    /// Whether the store was asked for an upload under this key, and has not answered.
    pub async fn is_upload_beginning(&self, target: TargetId, key: &str) -> Result<bool> {
        during("look whether an upload begins", async {
            let query = sqlx::query_scalar(IS_UPLOAD_BEGINNING).bind(target.0);
            Ok(query.bind(key).fetch_one(self.read()).await?)
        })
        .await
    }

    /// The store's ids of all uploads of a target.
    pub async fn known_uploads(&self, target: TargetId) -> Result<Vec<String>> {
        during("read the ids of uploads", async {
            let query = sqlx::query_scalar(KNOWN_UPLOADS).bind(target.0);
            Ok(query.fetch_all(self.read()).await?)
        })
        .await
    }
}

fn upload(row: &SqliteRow) -> Result<Upload> {
    Ok(Upload {
        row: UploadRow(row.try_get("id")?),
        key: row.try_get("key")?,
        id: row.try_get("upload_id")?,
        token: row.try_get("token")?,
        sha256: row.try_get("sha256")?,
        part_bytes: row.try_get::<i64, _>("part_bytes")?.cast_unsigned(),
        parts: Vec::new(),
    })
}
