//! Reads archived files again and holds them against their hashes: the longest unverified first.

use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::archive::part::hash_file;
use crate::archive::paths::RelativePath;
use crate::archive::root::Root;
use crate::clock::Clock;
use crate::model::RecordingId;
use crate::store::{self, PassCounts, PassKind, PassOutcome, Store, Verifiable};

/// Verifies the files of one archive.
#[derive(Clone)]
pub struct Verifier {
    /// The rows.
    pub store: Store,
    /// The files.
    pub root: Arc<Root>,
    /// The time.
    pub clock: Clock,
    /// Ends a verification early.
    pub stop: CancellationToken,
    /// Called for every few bytes read: how many.
    pub read: Arc<dyn Fn(u64) + Send + Sync>,
}

/// What is to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The longest unverified files, until this many bytes were read.
    Budget(u64),
    /// Every file.
    All,
    /// The files of these recordings.
    These(Vec<RecordingId>),
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong: recording, path, and how.
    pub damaged: Vec<(RecordingId, String, &'static str)>,
    /// Recordings asked for that have no archived file.
    pub not_archived: Vec<RecordingId>,
}

impl Verifier {
    /// Verifies, and writes down each result. What is damaged is to be fetched again.
    ///
    /// # Errors
    /// [`store::Error`], if the database fails.
    pub async fn run(&self, scope: &Scope) -> store::Result<Findings> {
        let started = self.clock.now();
        let pass = self.store.begin_pass(PassKind::Verify, started).await?;
        let mut findings = Findings::default();
        let mut ids = match scope {
            Scope::These(ids) => ids.iter(),
            _ => [].iter(),
        };
        let stopped = loop {
            if self.stop.is_cancelled() {
                break true;
            }
            let file = match scope {
                Scope::Budget(budget) if findings.bytes >= *budget => None,
                Scope::Budget(_) | Scope::All => self.store.longest_unverified(started).await?,
                Scope::These(_) => match ids.next() {
                    None => None,
                    Some(id) => {
                        let file = self.store.verifiable_file(*id).await?;
                        if file.is_none() {
                            findings.not_archived.push(*id);
                            continue;
                        }
                        file
                    }
                },
            };
            let Some(file) = file else {
                break false;
            };
            let Some(damage) = self.read_again(&file).await else {
                break true;
            };
            findings.files += 1;
            findings.bytes += file.bytes;
            // A clock that stands still must not verify the same file for ever.
            let now = self.clock.now().max(started + store::NEXT_PASS);
            self.store.verified(file.id, damage, now).await?;
            if let Some(damage) = damage {
                tracing::error!(recording.id = %file.id, path = file.path, "an archived file is {damage}");
                findings.damaged.push((file.id, file.path, damage));
            }
        };
        let counts = PassCounts {
            recordings_seen: findings.files,
            ..PassCounts::default()
        };
        let outcome = if stopped {
            PassOutcome::Stopped
        } else {
            PassOutcome::Complete
        };
        let error = (!findings.damaged.is_empty())
            .then(|| format!("{} files are damaged", findings.damaged.len()));
        self.store
            .end_pass(pass, self.clock.now(), counts, outcome, error.as_deref())
            .await?;
        Ok(findings)
    }

    /// What is wrong with a file, if anything; `None`: stopped before its end.
    async fn read_again(&self, file: &Verifiable) -> Option<Option<&'static str>> {
        let (root, stop, read) = (self.root.clone(), self.stop.clone(), self.read.clone());
        let (path, bytes, sha256) = (file.path.clone(), file.bytes, file.sha256.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let path = RelativePath::parse(&path).map_err(io::Error::other)?;
            let file = root.open_file(&path)?;
            if file.metadata()?.len() != bytes {
                return Ok(false);
            }
            let (_, found) = hash_file(&file, |bytes| {
                read(bytes);
                !stop.is_cancelled()
            })?;
            Ok::<_, io::Error>(found == sha256)
        });
        match looked.await.map_err(io::Error::other).flatten() {
            Ok(true) => Some(None),
            Ok(false) => Some(Some("altered")),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(Some("missing")),
            Err(error) => {
                tracing::warn!(recording.id = %file.id, "could not read an archived file: {error}");
                Some(Some("unreadable"))
            }
        }
    }
}
