//! Into the archive: what lies there already is adopted, a complete part is judged and landed, and what an earlier
//! transfer left is better than nothing.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::failure::{Cause, Failure};
use super::job::Job;
use super::link::describe;
use super::place::{Judged, Look, UNEXPECTED, agrees, facts, judge, land_beside, look};
use super::transfer::Received;
use super::write::writer::{disk, on_disk};
use crate::archive::media::MediaKind;
use crate::archive::part::hash_file;
use crate::archive::paths::{RelativePath, Template};
use crate::archive::root::Root;
use crate::human;
use crate::store::{Claim, Doubt, Landed};

/// A complete file in the place of a recording's part.
pub(super) struct Whole {
    pub file: File,
    pub bytes: u64,
    pub sha256: String,
}

/// Where a judged file went, and where what stood there before went.
type Put = Result<(RelativePath, Option<RelativePath>), Failure>;

/// What the steps of a landing need of a job. They block, so they run beside it.
pub(super) struct Steps {
    root: Arc<Root>,
    template: Arc<Template>,
    mode: u32,
    claim: Claim,
    complete: bool,
}

impl Steps {
    pub(super) fn judge(&self, whole: &Whole) -> Result<Judged, Failure> {
        judge(&whole.file, whole.bytes, &self.claim, self.complete)
    }

    /// Puts a judged file where it belongs; its name ends as its bytes demand.
    fn put(&self, whole: &Whole, kind: MediaKind) -> Put {
        let path = self.template.render(&facts(&self.claim, Some(kind)));
        let there = self.root.check_there();
        let landed = there
            .map_err(|error| Failure::Disk(Cause::error(error)))
            .and_then(|()| land_beside(&self.root, &self.claim, &path, self.mode, &whole.sha256));
        if let Err(Failure::Disk(_) | Failure::Space { .. } | Failure::Place(_)) = &landed {
            // There was no room for a directory, say. The part is whole: it need not be downloaded again.
            whole.file.sync_data().map_err(disk)?;
        }
        landed.map(|moved| (path, moved))
    }
}

impl Job<'_> {
    /// Judges the complete part, and lands it: all but the last step of the landing, which is the attempt's end.
    pub(super) async fn land(
        &mut self,
        received: Received,
        host: Option<&str>,
    ) -> Result<Landed, Failure> {
        let steps = self.steps(received.complete);
        // One step for nearly all, which leave no doubt.
        let (whole, judged, put) = on_disk(move || {
            let (file, bytes, sha256) = received.part.finish().map_err(disk)?;
            let whole = Whole {
                file,
                bytes,
                sha256,
            };
            let judged = steps.judge(&whole);
            let put = match &judged {
                Ok(judged) if !judged.doubtful => Some(steps.put(&whole, judged.kind)),
                _ => None,
            };
            Ok((whole, judged, put))
        })
        .await?;
        if let Some(put) = put {
            self.proof.progress(self.setup, host);
            return self.landed(whole, judged?, put).await;
        }
        let (whole, judged) = self.reconsider(whole, judged, received.complete).await?;
        // It is no error page: downloads work, whether or not this one is archived now.
        self.proof.progress(self.setup, host);
        let validator = self.claim.part.validator.as_deref();
        let before = [&self.claim.doubt, &self.standing].map(Option::as_ref);
        let agreed = |before| agrees(before, &whole.sha256, whole.bytes, validator);
        if judged.doubtful && !before.into_iter().any(agreed) {
            on_disk(move || whole.file.sync_data().map_err(disk)).await?;
            let concerns: Vec<_> = judged.concerns.iter().map(|one| &*one.detail).collect();
            return Err(Failure::Doubtful {
                concerns: concerns.join("; "),
                doubt: Doubt {
                    sha256: whole.sha256,
                    bytes: whole.bytes,
                    validator: self.claim.part.validator.clone(),
                },
            });
        }
        self.put(whole, judged).await
    }

    /// Judges a doubtful file once more by what the recording itself says, if only the list's facts were known: of
    /// the two the recording's own size is right.
    async fn reconsider(
        &mut self,
        whole: Whole,
        judged: Result<Judged, Failure>,
        complete: bool,
    ) -> Result<(Whole, Judged), Failure> {
        match judged {
            Ok(judged) if judged.doubtful && !self.described => {
                self.described = true;
                let (client, ttl) = (&self.setup.client, self.setup.client.media_ttl());
                let asked = describe(client, &mut self.claim, ttl);
                _ = self.stop.run_until_cancelled(asked).await;
                let steps = self.steps(complete);
                on_disk(move || steps.judge(&whole).map(|judged| (whole, judged))).await
            }
            Ok(judged) => Ok((whole, judged)),
            Err(failure @ Failure::BrokeOff(_)) => {
                // It may be whole: the next attempt asks for what comes after its end.
                let bytes = whole.bytes;
                on_disk(move || whole.file.sync_data().map_err(disk)).await?;
                self.watermark
                    .note_resumable(self.setup, &mut self.claim, bytes)
                    .await?;
                Err(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn put(&mut self, whole: Whole, judged: Judged) -> Result<Landed, Failure> {
        let (steps, kind) = (self.steps(true), judged.kind);
        let (whole, put) = on_disk(move || {
            let put = steps.put(&whole, kind);
            Ok((whole, put))
        })
        .await?;
        self.landed(whole, judged, put).await
    }

    /// Notes what came of putting a file into its place.
    async fn landed(&mut self, whole: Whole, judged: Judged, put: Put) -> Result<Landed, Failure> {
        let (path, moved) = match put {
            Ok(put) => put,
            Err(failure @ (Failure::Disk(_) | Failure::Space { .. } | Failure::Place(_))) => {
                self.claim.part.total = Some(whole.bytes);
                self.watermark
                    .note(self.setup, &mut self.claim, whole.bytes)
                    .await?;
                return Err(failure);
            }
            Err(failure) => return Err(failure),
        };
        if let Some(moved) = moved {
            self.note_quarantined(&moved, UNEXPECTED).await;
        }
        if self.claim.doubt.is_some() {
            self.on_part("remove a part", Root::remove_kept).await;
        }
        Ok(Landed {
            path: path.to_string(),
            bytes: whole.bytes,
            sha256: whole.sha256,
            adopted: false,
            concerns: judged.concerns,
        })
    }

    pub(super) fn steps(&self, complete: bool) -> Steps {
        Steps {
            root: self.setup.root.clone(),
            template: self.setup.template.clone(),
            mode: self.setup.file_mode,
            claim: self.claim.clone(),
            complete,
        }
    }

    /// SignalWire no longer has the recording, but an earlier complete transfer is there that was to be compared
    /// with another: better an odd file than none.
    pub(super) async fn land_kept(&mut self) -> Option<Landed> {
        let doubt = self.claim.doubt.clone()?;
        let (root, id, steps) = (self.setup.root.clone(), self.claim.id, self.steps(true));
        let kept = on_disk(move || {
            root.restore_kept(id).map_err(disk)?;
            let file = root
                .open_part(id)
                .map_err(|error| Failure::Place(Cause::error(error)))?;
            let (bytes, sha256) = hash_file(&file, |_| true).map_err(disk)?;
            let whole = Whole {
                file,
                bytes,
                sha256,
            };
            let judged = steps.judge(&whole);
            Ok((whole, judged))
        });
        let (whole, judged) = kept.await.ok()?;
        if whole.sha256 != doubt.sha256 {
            return None;
        }
        let landed = self.put(whole, judged.ok()?).await;
        landed
            .inspect_err(|error| {
                tracing::error!(recording.id = %id, "could not archive what is left of a recording: {error}");
            })
            .ok()
    }

    /// A file of this recording that lies there already, from before a crash or a lost database: adopted
    /// if it fits, quarantined if it does not.
    pub(super) async fn adopt(&mut self) -> Result<Option<Landed>, Failure> {
        let mut candidates = vec![self.place.clone()];
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
                    .map_err(|error| Failure::Disk(Cause::error(error)))?;
                look(&root, &claim, &at).map_err(|error| match error.kind() {
                    io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem => disk(error),
                    // Only this recording's place can't be used: neither is its part broken nor the disk.
                    _ => {
                        Failure::Place(Cause::of(
                            format!("could not look at what stands at '{at}' (give it to the service's user, or move it away)"),
                            error,
                        ))
                    }
                })
            });
            let is_stray = self.claim.stray.as_deref() == Some(path.as_str());
            let looked = match looked.await {
                // A file elsewhere that can't be read: the recording is downloaded to its own place.
                Err(Failure::Place(error)) if is_stray => {
                    tracing::warn!(recording.id = %self.claim.id, "{}", human::chain(&error));
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
