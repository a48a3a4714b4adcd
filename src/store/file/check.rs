//! SQLite's own check of the file, and a copy of it.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::open::{APPLICATION_ID, BUSY, OpenError, classify};
use crate::store::rows::statements;
use crate::store::{Result, Store, during};

statements! {
    COPY_TO = "VACUUM INTO ?";
    CHECK = "PRAGMA quick_check(10)";
    READ_APPLICATION_ID = "PRAGMA application_id";
    STOPPED_CLEANLY = "SELECT count(*) > 0 FROM meta WHERE name = 'clean_stop'";
    QUICK_CHECK = "PRAGMA quick_check(1)";
}

impl Store {
    /// Writes a copy of the whole database to a new file, while others use it.
    pub async fn copy_to(&self, path: &Path) -> Result<()> {
        during("copy the database", async {
            sqlx::query(COPY_TO)
                .bind(path.to_string_lossy())
                .execute(self.read())
                .await?;
            Ok(())
        })
        .await
    }

    /// SQLite's own check of the whole file: what it complains of, nothing if all is well.
    pub async fn check(&self) -> Result<Vec<String>> {
        during("check the database", async {
            let mut found: Vec<String> = sqlx::query_scalar(CHECK).fetch_all(self.read()).await?;
            found.retain(|line| line != "ok");
            Ok(found)
        })
        .await
    }
}

/// Refuses a database that is damaged, before anything writes to it. It is looked for only if the last
/// instance did not end in order, as after a power cut or on damage that it met: reading all of a large
/// database takes seconds. What is no database of ours is for [`Store::open`] to refuse.
pub async fn refuse_damaged(path: &Path) -> std::result::Result<(), OpenError> {
    let sqlite = |source| classify(path, source);
    if !path.metadata().is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(sqlite)?;
    let damage = damage(&mut connection).await.map_err(sqlite)?;
    connection.close().await.map_err(sqlite)?;
    damage.map_or(Ok(()), |damage| {
        Err(OpenError::Corrupt {
            path: path.to_owned(),
            source: sqlx::Error::Protocol(damage),
        })
    })
}

async fn damage(connection: &mut SqliteConnection) -> sqlx::Result<Option<String>> {
    let id: i64 = sqlx::query_scalar(READ_APPLICATION_ID)
        .fetch_one(&mut *connection)
        .await?;
    if id != APPLICATION_ID {
        return Ok(None);
    }
    let in_order: bool = sqlx::query_scalar(STOPPED_CLEANLY)
        .fetch_one(&mut *connection)
        .await?;
    if in_order {
        return Ok(None);
    }
    let found: String = sqlx::query_scalar(QUICK_CHECK)
        .fetch_one(connection)
        .await?;
    Ok((found != "ok").then_some(found))
}
