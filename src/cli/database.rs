//! For commands that need only the database: no token, no archive, no network.

use std::io;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{Access as May, access};

use super::runtime;
use crate::config::{Config, Environment};
use crate::owner::refuse_foreign;
use crate::store::{Access, OpenError, Store};

/// Opens the configured database, does `work` with it, and closes it even if the work failed.
pub(super) fn with<T>(
    file: Option<&Path>,
    env: &Environment,
    mode: Access,
    work: impl AsyncFnOnce(&Store, &Config) -> Result<T>,
) -> Result<T> {
    let config = Config::load(file, env)?;
    let path = &config.database.path;
    runtime::block_on(async {
        if mode == Access::Write {
            refuse_foreign(path, &config.archive.directory, None)?;
            // Reading neither creates nor migrates a database: only the service does that.
            Store::open(path, Access::Read).await?.close().await;
        }
        let store = Store::open(path, mode).await;
        let store = store.map_err(|error| reader_remedy(error, path, &config.archive.directory))?;
        let done = work(&store, &config).await;
        store.close().await;
        done
    })?
}

/// Adds what to do to the error of a user who may not read the database.
fn reader_remedy(error: OpenError, database: &Path, archive: &Path) -> anyhow::Error {
    let denied = matches!(&error, OpenError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
        || database
            .metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        || (database.exists() && access(database, May::READ_OK).is_err());
    match refuse_foreign(database, archive, None) {
        Err(foreign) if denied => foreign.for_readers().into(),
        _ => error.into(),
    }
}
