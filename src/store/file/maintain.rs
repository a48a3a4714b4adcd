//! The write-ahead log, and an orderly end.

use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::open::{BUSY, LOG, MODE};
use crate::store::rows::statements;
use crate::store::{Access, Result, Store, during};

statements! {
    CHECKPOINT = "PRAGMA busy_timeout = 500; PRAGMA wal_checkpoint(TRUNCATE)";
}

/// The same during a sweep.
const SWEEP_LOG: [(&str, &str); 2] = [
    ("wal_autocheckpoint", "32000"),
    ("journal_size_limit", "268435456"),
];

impl Store {
    /// Lets the log of changes grow while a sweep goes on, and no longer: pages of the trees of random ids change
    /// again and again, and fewer of them have to go from the log to the file.
    pub async fn long_log(&self, long: bool) -> Result<()> {
        during("set the size of the log", async {
            for (name, value) in if long { SWEEP_LOG } else { LOG } {
                sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA {name} = {value}")))
                    .execute(&self.writer)
                    .await?;
            }
            Ok(())
        })
        .await
    }

    /// Closes the database so that a member of its group can read it with `sqlite3 -readonly`.
    ///
    /// The last connection to close a WAL database removes its `-wal` and `-shm` files, and who may
    /// not write to the directory can't open it any more: SQLite would have to create them. Empty
    /// ones are enough for it to read the database
    /// (<https://www.sqlite.org/wal.html#read_only_databases>).
    pub async fn close(self) {
        self.reader.close().await;
        if self.access == Access::Read {
            return;
        }
        _ = self.maintain().await;
        self.writer.close().await;
        for suffix in ["-wal", "-shm"] {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            if let Err(error) = leave_empty(Path::new(&name), &self.path) {
                tracing::debug!(%error, "could not leave an empty {suffix} file beside the database");
            }
        }
    }

    /// Moves the write-ahead log into the database.
    ///
    /// Statistics are not for this database: nearly all recordings are in one state, so that they make
    /// SQLite read all of them where a few in another state are asked for.
    ///
    /// # Errors
    /// [`crate::store::Error`], if SQLite fails; a reader that holds it up is no error.
    pub async fn maintain(&self) -> Result<()> {
        during("maintain the database", async {
            // Not for as long as for another writer: meanwhile nothing could be written.
            let mut writer = self.writer.acquire().await?;
            let moved = sqlx::raw_sql(CHECKPOINT).execute(&mut *writer).await;
            let usual = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
            sqlx::raw_sql(sqlx::AssertSqlSafe(usual))
                .execute(&mut *writer)
                .await?;
            moved?;
            Ok(())
        })
        .await
    }
}

/// Leaves an empty file with the database's owner and mode.
fn leave_empty(path: &Path, like: &Path) -> io::Result<()> {
    let like = std::fs::metadata(like)?;
    let file = match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(path)
    {
        Ok(file) => file,
        // Another connection is still open: the file is its own.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error),
    };
    file.set_permissions(Permissions::from_mode(like.mode() & 0o777))?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
        std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    Ok(())
}
