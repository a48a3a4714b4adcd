//! One claimed recording, from its claim to the end of its attempt.

use std::fs::File;
use std::io;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Setup;
use super::progress::Place;
use super::queue::Slot;
use super::retry::{Failure, History, decide};
use super::transfer::Received;
use super::writer::disk;
use crate::archive::media;
use crate::archive::part::{PartFile, hash_file};
use crate::archive::paths::{Facts, RelativePath};
use crate::archive::root::{LandError, Root};
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
    /// Why downloads should pause, if they should.
    pub pause: Option<Failure>,
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
        let (ending, pause) = match result {
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
                if matches!(
                    failure,
                    Failure::Content(_) | Failure::BrokenPart(_) | Failure::Gone
                ) {
                    self.discard_part().await;
                }
                let pause =
                    matches!(failure, Failure::Disk(_) | Failure::Api(..)).then_some(failure);
                (ending, pause)
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
        self.report(&ending, &tally);
        Ok(Done {
            pause,
            archived: matches!(ending, Ending::Archived(_)),
        })
    }

    async fn attempt(&mut self, tally: &mut Tally, place: &Place) -> Result<Landed, Failure> {
        if let Some(landed) = self.adopt().await? {
            return Ok(landed);
        }
        self.check_space(
            self.claim
                .size_bytes
                .map(|size| size.saturating_sub(self.claim.part.bytes)),
        )?;
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

    /// Opens the part at the last byte that is known to be durable.
    async fn open_part(&mut self) -> Result<PartFile, Failure> {
        let root = self.setup.root.clone();
        let (id, known) = (self.claim.id, self.claim.part.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let file = root.open_part(id)?;
            let usable = if known.validator.is_some() {
                known.bytes
            } else {
                0
            };
            let from = file.metadata()?.len().min(usable);
            PartFile::resume(file, from)
        });
        let part = opened
            .await
            .map_err(|error| disk(io::Error::other(error)))?
            .map_err(disk)?;
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

    /// Steps 2 to 5 of the landing; the sixth is the end of the attempt.
    async fn land(&mut self, received: Received) -> Result<Landed, Failure> {
        let (root, claim, path) = (self.setup.root.clone(), self.claim.clone(), self.path());
        let mode = self.setup.file_mode;
        let landed = tokio::task::spawn_blocking(move || {
            let (file, bytes, sha256) = received.part.finish();
            check_whole(&file, bytes, &claim, received.framed)?;
            let adopted = land_beside(&root, &claim, &path, mode, &sha256)?;
            Ok((
                Landed {
                    path: path.to_string(),
                    bytes,
                    sha256,
                    adopted: false,
                },
                adopted,
            ))
        });
        let (landed, moved) = landed
            .await
            .map_err(|error| disk(io::Error::other(error)))??;
        if let Some(moved) = moved {
            self.note_quarantined(&moved).await;
        }
        Ok(landed)
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
            // Only this recording's place can't be used: neither is its part broken nor the disk.
            let looked = looked.await.map_err(io::Error::other).flatten();
            let looked = looked.map_err(|error| {
                Failure::Passing(format!(
                    "could not look at what stands at '{path}': {error}"
                ))
            });
            match looked? {
                Look::Nothing => {}
                Look::Fits(landed) => {
                    self.discard_part().await;
                    return Ok(Some(landed));
                }
                Look::Quarantined(to) => self.note_quarantined(&to).await,
            }
            if self.claim.stray.as_deref() == Some(path.as_str()) {
                _ = self.setup.store.forget_stray(path.as_str()).await;
            }
        }
        Ok(None)
    }

    async fn note_quarantined(&self, to: &RelativePath) {
        let text = format!(
            "a file that was not this recording's stood in its place and was moved to '{to}'"
        );
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
            format: self.claim.format.as_deref(),
        })
    }

    /// Fails if the disk's reserve would be broken into, counting what other downloads still write.
    pub(super) fn check_space(&self, needed: Option<u64>) -> Result<(), Failure> {
        let free = self.setup.root.free_space().map_err(disk)?;
        let claimed = self.setup.board.outstanding(self.claim.id) + needed.unwrap_or(0);
        if free < self.setup.min_free_space.saturating_add(claimed) {
            return Err(Failure::Disk(format!(
                "not enough free space: {free} bytes are free, {claimed} are needed besides archive.min_free_space"
            )));
        }
        Ok(())
    }

    fn report(&self, ending: &Ending, tally: &Tally) {
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
            Ending::Stopped | Ending::Released { .. } => {
                tracing::debug!(recording.id = %id, "a download was put off: {error}");
            }
        }
    }
}

enum Look {
    Nothing,
    Fits(Landed),
    Quarantined(RelativePath),
}

fn look(root: &Root, claim: &Claim, path: &RelativePath) -> io::Result<Look> {
    let file = match root.open_file(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Look::Nothing),
        // A link, a directory or the like in the recording's own place.
        Err(_) if root.stat(path)?.is_some_and(|standing| !standing.is_file) => {
            return root.quarantine(path, "unexpected").map(Look::Quarantined);
        }
        Err(error) => return Err(error),
    };
    let (bytes, sha256) = hash_file(&file, |_| true)?;
    let fits = match &claim.damaged {
        // Only the very same bytes mend a damaged file: someone put it back.
        Some((_, expected)) => *expected == sha256,
        None => check_whole(&file, bytes, claim, claim.size_bytes.is_some()).is_ok(),
    };
    if fits {
        root.make_durable(path)?;
        return Ok(Look::Fits(Landed {
            path: path.to_string(),
            bytes,
            sha256,
            adopted: true,
        }));
    }
    root.quarantine(path, "unexpected").map(Look::Quarantined)
}

/// Whether a file is the whole recording: its length, its structure, its duration.
fn check_whole(file: &File, bytes: u64, claim: &Claim, framed: bool) -> Result<(), Failure> {
    if let Some(size) = claim.size_bytes
        && !super::answer::same_size(size, bytes)
    {
        return Err(Failure::Content(format!(
            "the file has {bytes} bytes where the vendor tells {size}"
        )));
    }
    let info = media::check(file, bytes, claim.format.as_deref())
        .map_err(|bad| Failure::Content(format!("the file is not a whole recording: {bad}")))?;
    if !framed && !info.proves_end {
        return Err(Failure::Passing(
            "nothing proves that the body was complete".to_owned(),
        ));
    }
    if !media::duration_fits(info.duration_seconds, claim.duration_seconds) {
        return Err(Failure::Content(format!(
            "the file lasts {:.1} s where the vendor tells {:.1} s",
            info.duration_seconds.unwrap_or_default(),
            claim.duration_seconds.unwrap_or_default()
        )));
    }
    Ok(())
}

/// Renames the part into its place. What stands there is never overwritten: the same bytes make the part
/// superfluous, others are put aside. Tells where they went.
fn land_beside(
    root: &Arc<Root>,
    claim: &Claim,
    path: &RelativePath,
    mode: u32,
    sha256: &str,
) -> Result<Option<RelativePath>, Failure> {
    match root.land(claim.id, path, mode) {
        Ok(()) => return Ok(None),
        Err(LandError::Occupied(_)) => {}
        Err(error) => return Err(not_landed(root, path, error)),
    }
    let standing = root
        .open_file(path)
        .and_then(|file| hash_file(&file, |_| true));
    if standing.is_ok_and(|(_, standing)| standing == sha256) {
        root.make_durable(path).map_err(disk)?;
        root.remove_part(claim.id).map_err(disk)?;
        return Ok(None);
    }
    let moved = root.quarantine(path, "unexpected").map_err(disk)?;
    root.land(claim.id, path, mode)
        .map(|()| Some(moved))
        .map_err(|error| not_landed(root, path, error))
}

/// A file that could not be made durable is not trusted: it is put aside, and fetched again.
fn not_landed(root: &Root, path: &RelativePath, error: LandError) -> Failure {
    match error {
        LandError::Sync { source, .. } => {
            if let Err(error) = root.quarantine(path, "not-durable") {
                tracing::error!("could not put '{path}' aside: {error}");
            }
            Failure::BrokenPart(format!("could not make '{path}' durable: {source}"))
        }
        LandError::Io { source, .. } => disk(source),
        error @ LandError::Occupied(_) => Failure::Passing(error.to_string()),
    }
}
