//! The project and space of a database: recordings of others must not get into it.

use std::path::{Path, PathBuf};

use crate::store::{self, Store};

/// The configuration names another project or space than that of the database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database '{database}' is of the {name} '{known}', but the configuration says '{configured}': \
     set {key} back, or use another database.path and archive.directory for the other {name}"
)]
pub struct OtherSource {
    database: PathBuf,
    name: &'static str,
    key: &'static str,
    known: String,
    configured: String,
}

/// Why the configured source can't be used with the database.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database belongs to another source.
    #[error(transparent)]
    Other(#[from] OtherSource),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Where recordings come from, as configured.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The project's id.
    pub project_id: &'a str,
    /// Scheme, host and port of the API.
    pub origin: &'a str,
}

/// A fact that names the source: its name in the database, what it is, its key, its configured value.
type Fact<'a> = (&'static str, &'static str, &'static str, &'a str);

impl Source<'_> {
    fn facts(&self) -> [Fact<'_>; 2] {
        let project = "signalwire.project_id";
        let space = "signalwire.space (or base_url)";
        [
            ("project_id", "project", project, self.project_id),
            ("origin", "space", space, self.origin),
        ]
    }

    /// How it differs from that of the database; `None`: it does not, or the database is empty.
    pub async fn differs(&self, store: &Store, path: &Path) -> store::Result<Option<OtherSource>> {
        // As long as nothing was discovered, the configuration may change.
        if store.is_empty().await? {
            return Ok(None);
        }
        for (fact, name, key, configured) in self.facts() {
            let known = store.fact(fact).await?;
            if let Some(known) = known.filter(|known| !known.eq_ignore_ascii_case(configured)) {
                return Ok(Some(OtherSource {
                    database: path.to_owned(),
                    name,
                    key,
                    known,
                    configured: configured.to_owned(),
                }));
            }
        }
        Ok(None)
    }

    /// Makes sure that the database belongs to this source, and records the source in an empty one.
    pub async fn check(&self, store: &Store, path: &Path) -> Result<(), SourceError> {
        if let Some(other) = self.differs(store, path).await? {
            return Err(other.into());
        }
        for (fact, _, _, configured) in self.facts() {
            if store.fact(fact).await?.as_deref() != Some(configured) {
                store.set_fact(fact, Some(configured)).await?;
            }
        }
        Ok(())
    }
}
