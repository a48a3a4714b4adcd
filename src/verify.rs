//! Reads archived files again and compares them with their hashes, those verified longest ago first.

use std::io;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::archive::part::{hash_bytes, hash_file};
use crate::archive::paths::RelativePath;
use crate::archive::root::{Existing, NotThere, Root};
use crate::clock::Clock;
use crate::human;
use crate::model::RecordingId;
use crate::sidecar;
use crate::store::{self, PassCounts, PassKind, PassOutcome, Store, Verifiable};

/// Called with a file's path and size.
type Begins = dyn Fn(&str, u64) + Send + Sync;

/// Verifies the files of one archive.
#[derive(Clone)]
pub struct Verifier {
    /// Its rows have the paths, sizes and hashes; results are written to it.
    pub store: Store,
    /// The files.
    pub root: Arc<Root>,
    /// The time.
    pub clock: Clock,
    /// Ends a verification early.
    pub stop: CancellationToken,
    /// Called before each file is read.
    pub begins: Arc<Begins>,
    /// Called after each read with the number of bytes, for progress and watchdog.
    pub read: Arc<dyn Fn(u64) + Send + Sync>,
}

/// Which files to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those verified longest ago, until this many bytes were read.
    Budget(u64),
    /// Every file.
    All,
    /// The files of these recordings.
    These(Vec<RecordingId>),
}

/// Why a verification could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The archive is not at its path now: its files are neither sound nor damaged.
    #[error(transparent)]
    NotThere(#[from] NotThere),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Damaged files: recording, path, and `missing`, `altered` or `unreadable`.
    pub damaged: Vec<(RecordingId, String, &'static str)>,
    /// Files that could not be read, for instance without permission: recording, path, and error. They may be intact.
    pub unreadable: Vec<(RecordingId, String, String)>,
    /// Sidecars that are not as they were written: recording, path, and `missing` or `altered`. They are written again.
    pub sidecars: Vec<(RecordingId, String, &'static str)>,
    /// Recordings in the scope whose files are in object stores only.
    pub evicted: Vec<RecordingId>,
    /// Recordings in the scope that have no archived file.
    pub not_archived: Vec<RecordingId>,
}

/// The result of reading a file again.
enum Read {
    Intact,
    Damaged(&'static str),
    /// It is unknown whether it is intact.
    Unreadable(io::Error),
    Stopped,
}

impl Verifier {
    /// Verifies, and records each result. Damaged recordings become due for download.
    pub async fn run(&self, scope: &Scope) -> Result<Findings, VerifyError> {
        let started = self.clock.now();
        let pass = self.store.begin_pass(PassKind::Verify, started).await?;
        let mut findings = Findings::default();
        let read = self.read_all(scope, started, &mut findings).await;
        let counts = PassCounts {
            recordings_seen: findings.files,
            ..PassCounts::default()
        };
        let (outcome, error) = match &read {
            Ok(true) => (PassOutcome::Complete, findings.error()),
            Ok(false) => (PassOutcome::Stopped, findings.error()),
            Err(error) => (PassOutcome::Failed, Some(error.to_string())),
        };
        let now = self.clock.now();
        self.store
            .end_pass(pass, now, counts, outcome, error.as_deref())
            .await?;
        read.map(|_| findings)
    }

    /// Reads the files; `false`: it was stopped.
    async fn read_all(
        &self,
        scope: &Scope,
        started: DateTime<Utc>,
        findings: &mut Findings,
    ) -> Result<bool, VerifyError> {
        self.check_there().await?;
        let mut after = None;
        let mut ids = match scope {
            Scope::These(ids) => ids.iter(),
            _ => [].iter(),
        };
        loop {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            let file = match scope {
                Scope::Budget(budget) if findings.bytes >= *budget => None,
                Scope::Budget(_) | Scope::All => {
                    self.store
                        .longest_unverified(started, after.as_ref())
                        .await?
                }
                Scope::These(_) => match ids.next() {
                    None => None,
                    Some(id) => {
                        let file = self.store.verifiable_file(*id).await?;
                        if file.is_none() {
                            if self.store.is_evicted(*id).await? {
                                findings.evicted.push(*id);
                            } else {
                                findings.not_archived.push(*id);
                            }
                            continue;
                        }
                        file
                    }
                },
            };
            let Some(file) = file else {
                return Ok(true);
            };
            let damage = match self.read_again(&file).await {
                Read::Stopped => return Ok(false),
                Read::Intact => None,
                Read::Unreadable(error) => {
                    // Its time is not updated: the next run begins with it. This run continues after it.
                    let (id, path) = (file.id, file.path.clone());
                    if findings.unreadable.is_empty() {
                        tracing::error!(recording.id = %id, path, "could not read an archived file: {error}");
                    }
                    findings.unreadable.push((id, path, error.to_string()));
                    after = Some(file);
                    continue;
                }
                Read::Damaged(damage) => {
                    self.check_there().await?;
                    Some(damage)
                }
            };
            findings.files += 1;
            findings.bytes += file.bytes;
            self.check_sidecar(&file, findings).await?;
            // If the clock stands still, this run would verify the same file for ever.
            let now = self.clock.now().max(started + store::NEXT_PASS);
            self.store.verified(file.id, damage, now).await?;
            if let Some(damage) = damage {
                tracing::error!(recording.id = %file.id, path = file.path, "an archived file is {damage}");
                findings.damaged.push((file.id, file.path, damage));
            }
        }
    }

    /// Compares a recording's sidecar with what was written, and has it written again if it differs.
    async fn check_sidecar(
        &self,
        file: &Verifiable,
        findings: &mut Findings,
    ) -> Result<(), VerifyError> {
        let Some(sha256) = self.store.sidecar_sha256(file.id).await? else {
            return Ok(());
        };
        let Ok(path) = RelativePath::parse(&file.path).and_then(|path| path.sidecar()) else {
            return Ok(());
        };
        let (root, at) = (self.root.clone(), path.clone());
        let read = tokio::task::spawn_blocking(move || root.read_small(&at, sidecar::MOST)).await;
        let damage = match read.map_err(io::Error::other).flatten() {
            Ok(Existing::Nothing) => "missing",
            Ok(Existing::File(bytes)) if hash_bytes(&bytes) == sha256 => return Ok(()),
            Ok(Existing::File(_) | Existing::Else) => "altered",
            Err(error) => {
                tracing::error!(recording.id = %file.id, path = %path, "could not read a sidecar: {error}");
                return Ok(());
            }
        };
        self.check_there().await?;
        tracing::error!(recording.id = %file.id, path = %path, "a sidecar is {damage}; it is written again");
        self.store.sidecar_due(file.id).await?;
        let (now, text) = (self.clock.now(), format!("the sidecar is {damage}"));
        self.store
            .event(now, "damage", Some(file.id), &text)
            .await?;
        findings.sidecars.push((file.id, path.to_string(), damage));
        Ok(())
    }

    async fn check_there(&self) -> Result<(), VerifyError> {
        let root = self.root.clone();
        let there = tokio::task::spawn_blocking(move || root.check_there()).await;
        Ok(there.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?)
    }

    async fn read_again(&self, file: &Verifiable) -> Read {
        (self.begins)(&file.path, file.bytes);
        let (root, stop, read) = (self.root.clone(), self.stop.clone(), self.read.clone());
        let (path, bytes, sha256) = (file.path.clone(), file.bytes, file.sha256.clone());
        let compared = tokio::task::spawn_blocking(move || {
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
        match compared.await.map_err(io::Error::other).flatten() {
            Ok(true) => Read::Intact,
            Ok(false) => Read::Damaged("altered"),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Read::Stopped,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Read::Damaged("missing"),
            Err(error) if is_damage(&error) => {
                tracing::warn!(recording.id = %file.id, "could not read an archived file: {error}");
                Read::Damaged("unreadable")
            }
            Err(error) => Read::Unreadable(error),
        }
    }
}

/// Whether an error means that the file is damaged: its bytes are lost on the disk, or a link or directory has
/// replaced it. Any other error (permissions, too many open files, an unreachable server) says nothing about it.
fn is_damage(error: &io::Error) -> bool {
    match Errno::from_io_error(error) {
        None => error.kind() == io::ErrorKind::InvalidInput,
        Some(errno) => matches!(
            errno,
            Errno::IO
                | Errno::UCLEAN
                | Errno::BADMSG
                | Errno::ILSEQ
                | Errno::LOOP
                | Errno::NOTDIR
                | Errno::ISDIR
                | Errno::NXIO
        ),
    }
}

impl Findings {
    /// The error of the pass's row, if there is one.
    fn error(&self) -> Option<String> {
        let count = |files, what| (files > 0).then(|| human::count(files as u64, what));
        let damaged = count(self.damaged.len(), "damaged file");
        let unreadable = count(self.unreadable.len(), "unreadable file");
        let sidecars = count(self.sidecars.len(), "sidecar missing or altered");
        let parts: Vec<_> = [damaged, unreadable, sidecars]
            .into_iter()
            .flatten()
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}
