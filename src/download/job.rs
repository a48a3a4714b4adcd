//! One claimed recording, from its claim to the end of its attempt.

use std::io;

use tokio_util::sync::CancellationToken;

use super::Setup;
use super::place::{Look, UNEXPECTED, check_whole, land_beside, look, not_landed};
use super::progress::Place;
use super::retry::{Failure, History, decide};
use super::ring::Slot;
use super::transfer::Received;
use super::writer::{disk, disk_or_pause};
use crate::archive::part::PartFile;
use crate::archive::paths::{Facts, RelativePath};
use crate::archive::root::PartError;
use crate::store::{self, Claim, Ending, Landed, Part, Tally};

/// A claimed recording being downloaded.
pub(super) struct Job<'a> {
    pub setup: &'a Setup,
    pub stop: &'a CancellationToken,
    pub claim: Claim,
    /// The database has a watermark of the part.
    pub noted: bool,
    /// Given back when the body is there.
    pub slot: Option<Slot>,
}

/// What a job came to, for the queue.
pub(super) struct Done {
    /// Why it is not archived.
    pub failure: Option<Failure>,
    /// The recording is archived.
    pub archived: bool,
}

impl Job<'_> {
    /// Runs the attempt and writes down how it ended.
    pub(super) async fn run(mut self) -> store::Result<Done> {
        let room = self.claim.room_name.clone().unwrap_or_default();
        let place = self
            .setup
            .board
            .enter(self.claim.id, &room, self.claim.size_bytes);
        let mut tally = Tally::default();
        let before = self.claim.part.bytes;
        let result = self.attempt(&mut tally, &place).await;
        let now = self.setup.clock.now();
        let (ending, failure) = match result {
            Ok(landed) => (Ending::Archived(landed), None),
            Err(failure) => {
                tally.error = failure.text();
                let history = History {
                    id: self.claim.id,
                    retries: self.claim.retries,
                    faults: self.claim.faults,
                    progress: self.claim.part.bytes > before,
                };
                let ending = decide(&failure, history, self.setup.backoff, now);
                match failure {
                    Failure::Content(_) | Failure::BrokenPart(_) | Failure::Gone => {
                        self.discard_part().await;
                    }
                    Failure::Disk(_) | Failure::PutOff(_) => self.trim_part().await,
                    _ => {}
                }
                (ending, Some(failure))
            }
        };
        self.setup
            .store
            .end_attempt(&self.claim, &ending, &tally, now)
            .await?;
        if let Some(cooldowns) = self.setup.cooldowns.take_changed(now) {
            self.setup.store.set_cooldowns(&cooldowns).await?;
        }
        if let Some(outcome) = ending.outcome() {
            self.setup.board.ended(outcome);
        }
        self.report(&ending, failure.as_ref(), &tally);
        Ok(Done {
            failure,
            archived: matches!(ending, Ending::Archived(_)),
        })
    }

    async fn attempt(&mut self, tally: &mut Tally, place: &Place) -> Result<Landed, Failure> {
        self.check_there().await?;
        if let Some(landed) = self.adopt().await? {
            return Ok(landed);
        }
        self.check_space(
            self.claim
                .size_bytes
                .map(|size| size.saturating_sub(self.claim.part.bytes)),
        )?;
        self.check_place().await?;
        let part = self.open_part().await?;
        tally.from_byte = part.len();
        place
            .progress
            .set(part.len(), self.claim.part.total.or(self.claim.size_bytes));
        let whole = !part.is_empty() && self.claim.part.total == Some(part.len());
        let received = if whole {
            Received { part, framed: true }
        } else {
            self.transfer(part, tally, place).await?
        };
        self.slot = None;
        self.land(received).await
    }

    /// Fails if the archive is not where it was, as when a disk was mounted over it.
    async fn check_there(&self) -> Result<(), Failure> {
        let root = self.setup.root.clone();
        let there = tokio::task::spawn_blocking(move || root.check_there()).await;
        let there = there.map_err(|error| disk(io::Error::other(error)))?;
        there.map_err(|error| Failure::Disk(error.to_string()))
    }

    /// Fails if no file can land where this one belongs: it would be transferred for nothing.
    async fn check_place(&self) -> Result<(), Failure> {
        let (root, path) = (self.setup.root.clone(), self.path());
        let place = tokio::task::spawn_blocking(move || root.check_place(&path)).await;
        let place = place.map_err(|error| disk(io::Error::other(error)))?;
        place.map_err(not_landed)
    }

    /// Opens the part at the last byte that is known to be durable.
    async fn open_part(&mut self) -> Result<PartFile, Failure> {
        let root = self.setup.root.clone();
        let (id, known) = (self.claim.id, self.claim.part.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let file = match root.open_part(id) {
                Ok(file) => file,
                Err(PartError::Disk(source)) => return Err(disk_or_pause(source)),
                Err(error @ PartError::InTheWay { .. }) => {
                    return Err(Failure::PutOff(error.to_string()));
                }
            };
            let usable = if known.validator.is_some() {
                known.bytes
            } else {
                0
            };
            let resumed = file
                .metadata()
                .and_then(|stat| PartFile::resume(file, stat.len().min(usable)));
            resumed.map_err(disk)
        });
        let part = opened
            .await
            .map_err(|error| disk(io::Error::other(error)))??;
        if part.is_empty() {
            self.claim.part = Part::default();
        }
        Ok(part)
    }

    async fn discard_part(&self) {
        let (root, id) = (self.setup.root.clone(), self.claim.id);
        let removed = tokio::task::spawn_blocking(move || root.remove_part(id)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(recording.id = %id, "could not remove a part that is of no use");
        }
        if let Err(error) = self.setup.store.forget_part(id).await {
            tracing::warn!(recording.id = %id, "could not forget a part: {error}");
        }
    }

    /// Gives back what a full disk holds of a part beyond its watermark: nothing goes on from there.
    async fn trim_part(&self) {
        let (root, id, keep) = (
            self.setup.root.clone(),
            self.claim.id,
            self.claim.part.bytes,
        );
        let trimmed = tokio::task::spawn_blocking(move || match root.part_len(id)? {
            Some(_) if keep == 0 => root.remove_part(id),
            Some(len) if len > keep => root.open_part(id).map_err(io::Error::other)?.set_len(keep),
            _ => Ok(()),
        });
        if let Err(error) = trimmed.await.map_err(io::Error::other).flatten() {
            tracing::debug!(recording.id = %id, "could not trim a part: {error}");
        }
    }

    /// Steps 2 to 5 of the landing; the sixth is the end of the attempt.
    async fn land(&mut self, received: Received) -> Result<Landed, Failure> {
        let (root, claim, path) = (self.setup.root.clone(), self.claim.clone(), self.path());
        let mode = self.setup.file_mode;
        let landed = tokio::task::spawn_blocking(move || {
            let (file, bytes, sha256) = received.part.finish().map_err(disk)?;
            if let Err(error) = root.check_there() {
                file.sync_data().map_err(disk)?;
                return Ok(Err((Failure::Disk(error.to_string()), bytes)));
            }
            check_whole(&file, bytes, &claim, received.framed)?;
            let moved = match land_beside(&root, &claim, &path, mode, &sha256) {
                Ok(moved) => moved,
                // There was no room for a directory, say. The part is whole: it need not be fetched again.
                Err(failure @ (Failure::Disk(_) | Failure::PutOff(_))) => {
                    file.sync_data().map_err(disk)?;
                    return Ok(Err((failure, bytes)));
                }
                Err(failure) => return Err(failure),
            };
            let landed = Landed {
                path: path.to_string(),
                bytes,
                sha256,
                adopted: false,
            };
            Ok(Ok((landed, moved)))
        });
        let landed = landed
            .await
            .map_err(|error| disk(io::Error::other(error)))??;
        match landed {
            Ok((landed, moved)) => {
                if let Some(moved) = moved {
                    self.note_quarantined(&moved, UNEXPECTED).await;
                }
                Ok(landed)
            }
            Err((failure, durable)) => {
                self.note_durable(durable).await?;
                Err(failure)
            }
        }
    }

    /// A file of this recording that lies there already, from before a crash or a lost database: adopted
    /// if it fits, put aside if it does not.
    async fn adopt(&mut self) -> Result<Option<Landed>, Failure> {
        let mut candidates = vec![self.path()];
        candidates.extend(
            self.claim
                .stray
                .as_deref()
                .and_then(|path| RelativePath::parse(path).ok()),
        );
        if let Some((path, _)) = &self.claim.damaged {
            candidates.extend(RelativePath::parse(path).ok());
        }
        for path in candidates {
            let (root, claim, at) = (self.setup.root.clone(), self.claim.clone(), path.clone());
            let looked = tokio::task::spawn_blocking(move || look(&root, &claim, &at));
            let looked = looked.await.map_err(io::Error::other).flatten();
            let looked = looked.map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::ReadOnlyFilesystem => disk(error),
                // Only this recording's place can't be used: neither is its part broken nor the disk.
                _ => Failure::PutOff(format!(
                    "could not look at what stands at '{path}': {error}"
                )),
            });
            match looked? {
                Look::Nothing => {}
                Look::Fits(landed) => {
                    self.discard_part().await;
                    return Ok(Some(landed));
                }
                Look::Quarantined(to, why) => self.note_quarantined(&to, why).await,
            }
            if self.claim.stray.as_deref() == Some(path.as_str()) {
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

    fn path(&self) -> RelativePath {
        self.setup.template.render(&Facts {
            recording_id: self.claim.id,
            session_id: self.claim.session_id,
            room: self.claim.room_name.as_deref(),
            started_at: self.claim.started_at,
            extension: None,
            format: self.claim.format.as_deref(),
        })
    }

    /// Fails if the disk's reserve would be broken into, counting what other downloads still write.
    pub(super) fn check_space(&self, needed: Option<u64>) -> Result<(), Failure> {
        let free = self.setup.root.free_space().map_err(disk)?;
        let room = free.saturating_sub(self.setup.min_free_space);
        let needed = needed.unwrap_or(0);
        let Err(others) = self.setup.board.admit(self.claim.id, needed, room) else {
            return Ok(());
        };
        let text = format!(
            "not enough free space: {free} bytes are free, {} are needed besides archive.min_free_space",
            others.saturating_add(needed)
        );
        Err(if room == 0 {
            Failure::Disk(text)
        } else {
            Failure::PutOff(text)
        })
    }

    fn report(&self, ending: &Ending, failure: Option<&Failure>, tally: &Tally) {
        let id = self.claim.id;
        let error = tally.error.as_deref().unwrap_or_default();
        match ending {
            Ending::Archived(landed) => tracing::info!(
                recording.id = %id, size_bytes = landed.bytes, path = landed.path, "archived a recording"
            ),
            Ending::Failed => {
                tracing::error!(recording.id = %id, "gave up on a recording: {error}");
            }
            Ending::Gone => {
                tracing::error!(recording.id = %id, "a recording is gone upstream before it was archived");
            }
            Ending::Retry { at, .. } => tracing::warn!(
                recording.id = %id, "a download failed and will be tried again at {}: {error}", crate::model::time::to_text(*at)
            ),
            Ending::NotReady => {
                tracing::info!(recording.id = %id, "a recording is not completed upstream any more");
            }
            Ending::Released { .. } if matches!(failure, Some(Failure::PutOff(_))) => {
                tracing::warn!(recording.id = %id, "a recording is put off: {error}");
            }
            Ending::Stopped | Ending::Released { .. } => {
                tracing::debug!(recording.id = %id, "a download was put off: {error}");
            }
        }
    }
}
