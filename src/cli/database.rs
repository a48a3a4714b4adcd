//! For commands that need only the database: no token, no archive, no network.

use std::path::Path;

use anyhow::Result;

use super::runtime;
use crate::config::{Config, Environment};
use crate::owner::refuse_foreign;
use crate::store::{Access, Store};

/// Opens the configured database, does `work` with it, and closes it even if the work failed.
pub(super) fn with<T>(
    file: Option<&Path>,
    env: &Environment,
    access: Access,
    work: impl AsyncFnOnce(&Store, &Config) -> Result<T>,
) -> Result<T> {
    let config = Config::load(file, env)?;
    let path = &config.database.path;
    runtime::block_on(async {
        if access == Access::Write {
            refuse_foreign(path, &config.archive.directory, None)?;
            // Reading neither creates nor migrates a database: only the service does that.
            Store::open(path, Access::Read).await?.close().await;
        }
        let store = Store::open(path, access).await?;
        let done = work(&store, &config).await;
        store.close().await;
        done
    })?
}
