//! What the commands that need the database alone share: no token, no archive, no network.

use std::path::Path;

use anyhow::Result;

use super::runtime;
use crate::config::{Config, Environment};
use crate::owner::refuse_foreign;
use crate::store::{Access, Store};

/// Opens the configured database, does `work` with it, and closes it whatever came of the work.
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
            // A command of a person neither creates nor migrates; that is the service's to do.
            Store::open(path, Access::Read).await?.close().await;
        }
        let store = Store::open(path, access).await?;
        let done = work(&store, &config).await;
        store.close().await;
        done
    })?
}
