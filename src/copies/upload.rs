//! A multipart upload that survives the process: its id and its finished parts are in the database.
//!
//! The database is written before the store is asked for an upload. If the answer is lost, the next attempt looks for
//! uploads under the key and aborts them, so that none is left behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use object_store::PutPayload;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::failed::Failed;
use super::setup::{PART_PERMITS, Setup};
use super::source::Source;
use super::{StoreError, Target, Trouble};
use crate::store::{self, CopyRow, UploadRow};

/// Unfinished uploads that are looked for under one key.
const MOST_UNDER_KEY: usize = 1000;

/// An upload under way.
pub(super) struct Upload<'a> {
    setup: &'a Setup,
    recording: &'a CopyRow,
    row: UploadRow,
    id: String,
    pub token: String,
    part_bytes: u64,
    /// Number and receipt of what the store has.
    parts: BTreeMap<u32, String>,
}

impl<'a> Upload<'a> {
    /// Goes on with the upload that an earlier attempt began, if it is of the same content; else begins one.
    pub(super) async fn resume_or_begin(
        setup: &'a Setup,
        recording: &'a CopyRow,
        part_bytes: u64,
    ) -> Result<Self, Failed> {
        if let Some(known) = setup.store.upload(setup.id, recording.recording).await? {
            let same = known.sha256 == recording.sha256 && known.key == recording.path;
            match known.id {
                Some(id) if same => {
                    return Ok(Self {
                        setup,
                        recording,
                        row: known.row,
                        id,
                        token: known.token,
                        part_bytes: known.part_bytes,
                        parts: known.parts.into_iter().collect(),
                    });
                }
                _ => {
                    setup.store.abandon_upload(known.row).await?;
                    abort_abandoned(setup).await?;
                }
            }
        }
        Self::begin(setup, recording, part_bytes).await
    }

    async fn begin(
        setup: &'a Setup,
        recording: &'a CopyRow,
        part_bytes: u64,
    ) -> Result<Self, Failed> {
        let now = setup.clock.now();
        let token = new_token(&recording.sha256, now);
        let (store, key, sha256) = (&setup.store, &recording.path, &recording.sha256);
        let begun = store.begin_upload(setup.id, recording, &token, part_bytes, now);
        let row = begun.await?;
        let id = setup.target.begin(key, sha256, &token).await?;
        store.upload_begun(row, &id).await?;
        Ok(Self {
            setup,
            recording,
            row,
            id,
            token,
            part_bytes,
            parts: BTreeMap::new(),
        })
    }

    /// Sends the parts that the store does not have. Returns the source, read to its end.
    pub(super) async fn send(
        &mut self,
        mut source: Source,
        permits: &Arc<Semaphore>,
        progressed: &AtomicBool,
    ) -> Result<Source, Failed> {
        let mut sending: JoinSet<Result<(u32, String), Failed>> = JoinSet::new();
        let before = self.parts.len();
        let mut number = 0;
        let mut failed = None;
        while source.left() > 0 && failed.is_none() {
            if self.parts.contains_key(&number) {
                source = source.pass(self.part_bytes).await?;
                (self.setup.beat)();
            } else {
                // First the permit, then the memory.
                let permit = permits.clone().acquire_many_owned(PART_PERMITS).await.ok();
                let (read, content) = source.part(self.part_bytes).await?;
                source = read;
                let part = Part {
                    target: self.setup.target.clone(),
                    store: self.setup.store.clone(),
                    upload: (self.row, self.id.clone()),
                    key: self.recording.path.clone(),
                    number,
                    content,
                };
                sending.spawn(async move {
                    let sent = part.send().await;
                    drop(permit);
                    sent
                });
            }
            number += 1;
            while let Some(sent) = sending.try_join_next() {
                failed = failed.or(self.note(sent));
            }
        }
        // Parts under way are not thrown away because another failed.
        while let Some(sent) = sending.join_next().await {
            failed = failed.or(self.note(sent));
        }
        progressed.store(self.parts.len() > before, Ordering::Relaxed);
        match failed {
            None => Ok(source),
            Some(Failed::Target(error)) if error.is_gone() => {
                self.setup.store.forget_upload(self.row).await?;
                Err(Failed::Target(error))
            }
            // It was begun in a way that the store does not accept, such as without checksums.
            Some(Failed::Target(error))
                if error.trouble == Trouble::Rejected && self.parts.is_empty() =>
            {
                self.setup.store.abandon_upload(self.row).await?;
                abort_abandoned(self.setup).await?;
                Err(Failed::Target(error))
            }
            Some(error) => Err(error),
        }
    }

    /// Takes the result of a part over; returns its failure.
    fn note(
        &mut self,
        sent: Result<Result<(u32, String), Failed>, tokio::task::JoinError>,
    ) -> Option<Failed> {
        match sent {
            Ok(Ok((number, receipt))) => {
                (self.setup.beat)();
                self.parts.insert(number, receipt);
                None
            }
            Ok(Err(failed)) => Some(failed),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Some(Failed::Store(store::Error::Interrupted)),
        }
    }

    /// Makes the object of its parts.
    pub(super) async fn complete(&self) -> Result<(), Failed> {
        let receipts = self.parts.values().cloned().collect();
        let key = &self.recording.path;
        self.setup.target.complete(key, &self.id, receipts).await?;
        Ok(())
    }

    /// It is of no more use.
    pub(super) async fn abandon(self) -> Result<(), Failed> {
        self.setup.store.abandon_upload(self.row).await?;
        Ok(abort_abandoned(self.setup).await?)
    }
}

/// A part under way.
struct Part {
    target: Target,
    store: store::Store,
    upload: (UploadRow, String),
    key: String,
    number: u32,
    content: PutPayload,
}

impl Part {
    /// Sends it, and writes down that the store has it.
    async fn send(self) -> Result<(u32, String), Failed> {
        let (number, (row, id)) = (self.number, self.upload);
        let sent = self.target.part(&self.key, &id, number, self.content);
        let receipt = sent.await?;
        self.store.part_uploaded(row, number, &receipt).await?;
        Ok((number, receipt))
    }
}

/// The upload of this recording that an earlier attempt began, if any, is of no more use.
pub(super) async fn abandon_known(setup: &Setup, recording: &CopyRow) -> Result<(), store::Error> {
    if let Some(known) = setup.store.upload(setup.id, recording.recording).await? {
        setup.store.abandon_upload(known.row).await?;
        abort_abandoned(setup).await?;
    }
    Ok(())
}

/// Aborts the uploads that are of no more use. What the store does not allow now is tried again later.
pub(super) async fn abort_abandoned(setup: &Setup) -> Result<(), store::Error> {
    for upload in setup.store.abandoned_uploads(setup.id).await? {
        let aborted = match &upload.id {
            Some(id) => setup.target.abort(&upload.key, id).await,
            None => abort_unknown(setup, &upload.key).await,
        };
        match aborted {
            Ok(()) => setup.store.forget_upload(upload.row).await?,
            // Nothing can be done here. The documentation recommends a lifecycle rule.
            Err(error) if error.trouble == Trouble::Unsupported => {
                setup.store.forget_upload(upload.row).await?;
            }
            // Next time.
            Err(error) if error.trouble == Trouble::Conflict => {}
            Err(error) => {
                tracing::warn!(
                    copies.target = setup.name,
                    "could not abort an upload: {error}"
                );
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Aborts uploads under a key that the database does not know: one of them is ours, whose answer was lost.
async fn abort_unknown(setup: &Setup, key: &str) -> Result<(), StoreError> {
    let found = setup.target.unfinished(key, MOST_UNDER_KEY).await?;
    // In this order: what another copy begins meanwhile is not found, is beginning, or is known.
    let read = async {
        let begins = setup.store.is_upload_beginning(setup.id, key).await?;
        Ok::<_, store::Error>((begins, setup.store.known_uploads(setup.id).await?))
    };
    let (begins, known) = read.await.map_err(|error| {
        let detail = error.to_string();
        StoreError::new(Trouble::Rejected, "read the known uploads", detail)
    })?;
    if begins {
        let detail = "another one is just beginning";
        return Err(StoreError::new(
            Trouble::Conflict,
            "abort an upload",
            detail,
        ));
    }
    for found in found {
        if found.key == key && !known.contains(&found.id) {
            setup.target.abort(key, &found.id).await?;
        }
    }
    Ok(())
}

/// Enough to tell one upload from any other: it is no secret.
fn rand_bits(sha256: &str, now: DateTime<Utc>) -> u128 {
    use std::hash::{BuildHasher as _, RandomState};
    let hash = |salt: u8| u128::from(RandomState::new().hash_one((sha256, now, salt)));
    hash(0) << 64 | hash(1)
}

/// The token of a new upload.
pub(super) fn new_token(sha256: &str, now: DateTime<Utc>) -> String {
    Uuid::from_u128(rand_bits(sha256, now)).to_string()
}
