//! Into the archive: what lies there already is adopted, a complete part is judged and landed, and what an earlier
//! transfer left is better than nothing.

use std::fs::File;
use std::io;

use super::failure::Failure;
use super::job::Job;
use super::link::describe;
use super::place::{Judged, Look, UNEXPECTED, agrees, judge, land_beside, look};
use super::transfer::Received;
use super::writer::disk;
use crate::archive::part::hash_file;
use crate::archive::paths::RelativePath;
use crate::archive::root::Root;
use crate::store::{Doubt, Landed};

impl Job<'_> {
    /// Judges the complete part, and lands it: all but the last step of the landing, which is the attempt's end.
    pub(super) async fn land(
        &mut self,
        received: Received,
        host: Option<&str>,
    ) -> Result<Landed, Failure> {
        let (file, bytes, sha256) = on_disk(move || received.part.finish().map_err(disk)).await?;
        let complete = received.complete;
        let (file, judged) = self.judge(file, bytes, complete).await?;
        // It is no error page: downloads work, whether or not this one is archived now.
        self.prove(host);
        let validator = self.claim.part.validator.as_deref();
        let before = [&self.claim.doubt, &self.standing].map(Option::as_ref);
        let agreed = |before| agrees(before, &sha256, bytes, validator);
        if judged.doubtful && !before.into_iter().any(agreed) {
            on_disk(move || file.sync_data().map_err(disk)).await?;
            let concerns: Vec<_> = judged.concerns.iter().map(|one| &*one.detail).collect();
            return Err(Failure::Doubtful {
                concerns: concerns.join("; "),
                doubt: Doubt {
                    sha256,
                    bytes,
                    validator: self.claim.part.validator.clone(),
                },
            });
        }
        self.put(file, bytes, sha256, judged).await
    }

    /// Judges a file by what the list says, and by what the recording itself says if that is not enough: of the two
    /// the recording's own size is right.
    async fn judge(
        &mut self,
        mut file: File,
        bytes: u64,
        complete: bool,
    ) -> Result<(File, Judged), Failure> {
        loop {
            let claim = self.claim.clone();
            let (file_again, judged) = on_disk(move || {
                let judged = judge(&file, bytes, &claim, complete);
                Ok((file, judged))
            })
            .await?;
            match judged {
                Ok(judged) if judged.doubtful && !self.described => {
                    self.described = true;
                    let (client, ttl) = (&self.setup.client, self.setup.client.media_ttl());
                    let asked = describe(client, &mut self.claim, ttl);
                    _ = self.stop.run_until_cancelled(asked).await;
                    file = file_again;
                }
                Ok(judged) => return Ok((file_again, judged)),
                Err(failure @ Failure::BrokeOff(_)) => {
                    // It may be whole: the next attempt asks for what comes after its end.
                    let synced = on_disk(move || file_again.sync_data().map_err(disk)).await;
                    synced?;
                    self.note_durable(bytes).await?;
                    return Err(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Puts a judged file where it belongs; its name ends as its bytes demand.
    async fn put(
        &mut self,
        file: File,
        bytes: u64,
        sha256: String,
        judged: Judged,
    ) -> Result<Landed, Failure> {
        let (root, claim) = (self.setup.root.clone(), self.claim.clone());
        let path = self.path(Some(judged.kind));
        let mode = self.setup.file_mode;
        let landed = on_disk(move || {
            let landed = match root.check_there() {
                Ok(()) => land_beside(&root, &claim, &path, mode, &sha256),
                Err(error) => Err(Failure::Disk(error.to_string())),
            };
            match landed {
                Ok(moved) => Ok(Ok((path, sha256, moved))),
                // There was no room for a directory, say. The part is whole: it need not be downloaded again.
                Err(failure @ (Failure::Disk(_) | Failure::Space { .. } | Failure::Place(_))) => {
                    file.sync_data().map_err(disk)?;
                    Ok(Err(failure))
                }
                Err(failure) => Err(failure),
            }
        });
        match landed.await? {
            Ok((path, sha256, moved)) => {
                if let Some(moved) = moved {
                    self.note_quarantined(&moved, UNEXPECTED).await;
                }
                if self.claim.doubt.is_some() {
                    self.on_part("remove a part", Root::remove_kept).await;
                }
                Ok(Landed {
                    path: path.to_string(),
                    bytes,
                    sha256,
                    adopted: false,
                    concerns: judged.concerns,
                })
            }
            Err(failure) => {
                self.claim.part.total = Some(bytes);
                self.note_watermark(bytes).await?;
                Err(failure)
            }
        }
    }

    /// SignalWire no longer has the recording, but an earlier complete transfer is there that was to be compared
    /// with another: better an odd file than none.
    pub(super) async fn land_kept(&mut self) -> Option<Landed> {
        let doubt = self.claim.doubt.clone()?;
        let (root, id) = (self.setup.root.clone(), self.claim.id);
        let kept = on_disk(move || {
            root.restore_kept(id).map_err(disk)?;
            let file = root
                .open_part(id)
                .map_err(|error| Failure::Place(error.to_string()))?;
            let (bytes, sha256) = hash_file(&file, |_| true).map_err(disk)?;
            Ok((file, bytes, sha256))
        });
        let (file, bytes, sha256) = kept.await.ok()?;
        if sha256 != doubt.sha256 {
            return None;
        }
        let (file, judged) = self.judge(file, bytes, true).await.ok()?;
        let landed = self.put(file, bytes, sha256, judged).await;
        landed
            .inspect_err(|error| {
                tracing::error!(recording.id = %id, "could not archive what is left of a recording: {error}");
            })
            .ok()
    }

    /// A file of this recording that lies there already, from before a crash or a lost database: adopted
    /// if it fits, put aside if it does not.
    pub(super) async fn adopt(&mut self) -> Result<Option<Landed>, Failure> {
        let mut candidates = vec![self.path(None)];
        candidates.extend(
            self.claim
                .stray
                .as_deref()
                .and_then(|path| RelativePath::parse(path).ok()),
        );
        if let Some((path, _)) = &self.claim.damaged {
            candidates.extend(RelativePath::parse(path).ok());
        }
        candidates.dedup();
        for path in candidates {
            let (root, claim, at) = (self.setup.root.clone(), self.claim.clone(), path.clone());
            let looked = on_disk(move || {
                root.check_there()
                    .map_err(|error| Failure::Disk(error.to_string()))?;
                look(&root, &claim, &at).map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem => disk(error),
                    // Only this recording's place can't be used: neither is its part broken nor the disk.
                    _ => {
                        Failure::Place(format!("could not look at what stands at '{at}': {error}"))
                    }
                })
            });
            let is_stray = self.claim.stray.as_deref() == Some(path.as_str());
            let looked = match looked.await {
                // A file elsewhere that can't be read: the recording is downloaded to its own place.
                Err(Failure::Place(error)) if is_stray => {
                    tracing::warn!(recording.id = %self.claim.id, "{error}");
                    continue;
                }
                looked => looked?,
            };
            match looked {
                Look::Nothing => {}
                Look::Fits(landed) => {
                    self.discard_part().await;
                    return Ok(Some(landed));
                }
                // It stays where it is: the same bytes from SignalWire will prove it.
                Look::Unproven(standing) => self.standing = Some(standing),
                Look::Quarantined(to, why) => self.note_quarantined(&to, why).await,
            }
            if is_stray {
                _ = self.setup.store.forget_stray(path.as_str()).await;
            }
        }
        Ok(None)
    }

    async fn note_quarantined(&self, to: &RelativePath, why: &str) {
        let text = format!("a file that {why} stood in its place and was moved to '{to}'");
        tracing::warn!(recording.id = %self.claim.id, "{text}");
        let now = self.setup.clock.now();
        if let Err(error) = self
            .setup
            .store
            .event(now, "quarantine", Some(self.claim.id), &text)
            .await
        {
            tracing::error!("could not keep an event: {error}");
        }
    }
}

/// Runs a step on the blocking pool.
pub(super) async fn on_disk<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(step)
        .await
        .map_err(|error| disk(io::Error::other(error)))?
}
