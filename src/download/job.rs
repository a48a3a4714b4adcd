//! One claimed recording, from its claim to the end of its attempt.

use std::io;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::Setup;
use super::failure::{Cause, Failure, History, decide};
use super::place::not_landed;
use super::progress::Place;
use super::proof::Proof;
use super::space;
use super::transfer::{Received, Transfer};
use super::wake::Slot;
use super::watermark::Watermark;
use super::write::writer::{disk, disk_or_pause, on_disk};
use crate::archive::part::PartFile;
use crate::archive::paths::RelativePath;
use crate::archive::root::{PartError, Root};
use crate::human;
use crate::model::RecordingId;
use crate::store::{self, Claim, Doubt, Ending, Landed, Part, Retry, Tally};

/// How long a failed end of an attempt waits before it is written again.
const DATABASE: Duration = Duration::from_secs(2);

/// A claimed recording being downloaded.
pub(super) struct Job<'a> {
    pub setup: &'a Setup,
    pub stop: &'a CancellationToken,
    pub claim: Claim,
    /// Where its file belongs, as far as that is known before its bytes are there.
    pub place: RelativePath,
    /// The claim's facts are the recording's own, not a list's.
    pub described: bool,
    /// A file that stands in the recording's place, and may be it.
    pub standing: Option<Doubt>,
    pub watermark: Watermark,
    pub proof: Proof,
    /// For a run that is to end: until when a retry is worth waiting for.
    pub give_up: Option<GiveUp>,
    /// Given back when the body is there.
    pub slot: Option<Slot>,
}

/// When a single run no longer waits for a recording's next attempt.
#[derive(Clone, Copy)]
pub(super) struct GiveUp {
    /// It has failed often enough.
    pub at_once: bool,
    /// What is due later than this after the last progress is left for another run.
    pub patience: Duration,
    /// The next attempt of what is left.
    pub later: TimeDelta,
}

/// What a job came to, for the queue.
pub(super) struct Done {
    /// The media host that was asked.
    pub host: Option<String>,
    /// Why it is not archived.
    pub failure: Option<Failure>,
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
        let (ending, failure) = match result {
            Ok(landed) => (Ending::Archived(landed), None),
            Err(Failure::Database(error)) if !error.may_pass() => return Err(error),
            Err(Failure::Gone) => match self.land_kept().await {
                Some(landed) => (Ending::Archived(landed), None),
                None => self.failed(Failure::Gone, &mut tally, before).await,
            },
            Err(failure) => self.failed(failure, &mut tally, before).await,
        };
        self.end(&ending, &tally).await?;
        let now = self.setup.clock.now();
        if let Some(cooldowns) = self.setup.cooldowns.take_changed(now) {
            match self.setup.store.set_cooldowns(&cooldowns).await {
                Err(error) if !error.may_pass() => return Err(error),
                _ => {}
            }
        }
        if let Some(outcome) = ending.outcome() {
            let archived = match &ending {
                Ending::Archived(landed) => landed.bytes,
                _ => 0,
            };
            drop(place);
            self.setup.board.ended(outcome, archived);
        }
        self.report(&ending, failure.as_ref(), &tally);
        Ok(Done {
            host: tally.media_host,
            failure,
        })
    }

    /// What follows a failure, on the disk and for the next attempt.
    async fn failed(
        &mut self,
        failure: Failure,
        tally: &mut Tally,
        before: u64,
    ) -> (Ending, Option<Failure>) {
        if let Failure::Database(error) = &failure {
            let now = self.setup.clock.now();
            self.setup.store.trouble().note(error, now);
        }
        tally.error = match &failure {
            Failure::Stopped => None,
            failure => Some(human::chain(failure)),
        };
        match &failure {
            Failure::BrokenPart(_) | Failure::Gone => self.discard_part().await,
            Failure::Doubtful { .. } => self.keep_part().await,
            Failure::Disk(_) | Failure::Space { .. } => self.trim_part().await,
            Failure::Stopped | Failure::Database(_) => {}
            // Nothing of it can be gone on with.
            _ if self.claim.part.bytes == 0 => {
                self.on_part("remove a part", Root::remove_part).await;
            }
            _ => {}
        }
        let now = self.setup.clock.now();
        let history = History {
            id: self.claim.id,
            retries: self.claim.retries,
            progress: self.claim.part.bytes > before,
            standstill: self.proof.pace.slow().is_some() || !self.setup.hosts.failing().is_empty(),
        };
        let mut ending = decide(&failure, history, self.setup.backoff, now);
        if let Ending::Retry(Retry { at, waits_for, .. }) = &mut ending
            && let Some(give_up) = self.give_up
        {
            let wait = (*at - now).to_std().unwrap_or_default();
            let monotonic = self.setup.clock.monotonic();
            let ends = self.proof.pace.progress_at(monotonic) + give_up.patience;
            if give_up.at_once || monotonic + wait > ends {
                *at = (*at).max(now + give_up.later);
                *waits_for = None;
            }
        }
        (ending, Some(failure))
    }

    /// Writes down how the attempt ended, however long the database takes: what has landed must not be forgotten
    /// while this process lives. After a stop the next start finds the file, and adopts it.
    async fn end(&self, ending: &Ending, tally: &Tally) -> store::Result<()> {
        let store = &self.setup.store;
        loop {
            let now = self.setup.clock.now();
            match store.end_attempt(&self.claim, ending, tally, now).await {
                Err(error) if error.may_pass() => {
                    store.trouble().note(&error, now);
                    let wait = tokio::time::sleep(DATABASE);
                    if self.stop.run_until_cancelled(wait).await.is_none() {
                        return Ok(());
                    }
                }
                ended => return ended,
            }
        }
    }

    async fn attempt(&mut self, tally: &mut Tally, place: &Place) -> Result<Landed, Failure> {
        if let Some(landed) = self.adopt().await? {
            return Ok(landed);
        }
        if let Some(landed) = self.take_from_copy().await? {
            return Ok(landed);
        }
        let needed = self.claim.size_bytes;
        let needed = needed.map(|size| size.saturating_sub(self.claim.part.bytes));
        space::check(self.setup, self.claim.id, needed)?;
        let part = self.open_part().await?;
        tally.from_byte = part.len();
        place
            .progress
            .set(part.len(), self.claim.part.total.or(self.claim.size_bytes));
        let whole = !part.is_empty() && self.claim.part.total == Some(part.len());
        let received = if whole {
            Received {
                part,
                complete: true,
            }
        } else {
            Transfer {
                setup: self.setup,
                stop: self.stop,
                claim: &mut self.claim,
                described: &mut self.described,
                watermark: &mut self.watermark,
                proof: &mut self.proof,
                tally,
                place,
            }
            .run(part)
            .await?
        };
        self.slot = None;
        self.land(received, tally.media_host.as_deref()).await
    }

    /// Opens the part at the last byte that is known to be durable.
    async fn open_part(&mut self) -> Result<PartFile, Failure> {
        let root = self.setup.root.clone();
        let (id, known) = (self.claim.id, self.claim.part.clone());
        let place = self.place.clone();
        let opened = on_disk(move || {
            root.check_place(&place).map_err(not_landed)?;
            let file = match root.open_part(id) {
                Ok(file) => file,
                Err(PartError::Disk(source)) => return Err(disk_or_pause(source)),
                Err(error @ PartError::InTheWay { .. }) => {
                    return Err(Failure::Place(Cause::error(error)));
                }
            };
            // Without a strong validator nothing may be spliced; what is complete need not be.
            let whole = known.bytes > 0 && known.total == Some(known.bytes);
            let usable = if whole || known.validator.is_some() {
                known.bytes
            } else {
                0
            };
            let resumed = file
                .metadata()
                .and_then(|stat| PartFile::resume(file, stat.len().min(usable)));
            resumed.map_err(disk)
        });
        let part = opened.await?;
        if part.is_empty() {
            self.claim.part = Part::default();
        }
        Ok(part)
    }

    pub(super) async fn discard_part(&self) {
        self.on_part("remove a part", Root::remove_part).await;
        self.forget_watermark().await;
    }

    /// Keeps a complete part beside the next transfer's: should SignalWire no longer have the recording then, it
    /// is what the archive gets.
    async fn keep_part(&self) {
        self.on_part("keep a part", Root::keep_part).await;
        self.forget_watermark().await;
    }

    pub(super) async fn on_part(
        &self,
        what: &'static str,
        step: fn(&Root, RecordingId) -> io::Result<()>,
    ) {
        let (root, id) = (self.setup.root.clone(), self.claim.id);
        let done = tokio::task::spawn_blocking(move || step(&root, id)).await;
        if let Err(error) = done.map_err(io::Error::other).flatten() {
            tracing::warn!(recording.id = %id, "could not {what}: {error}");
        }
    }

    pub(super) async fn forget_watermark(&self) {
        let id = self.claim.id;
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

    /// Says once what happened: the same failure again is not worth another line.
    fn report(&self, ending: &Ending, failure: Option<&Failure>, tally: &Tally) {
        let id = self.claim.id;
        let error = tally.error.as_deref().unwrap_or_default();
        let known = self.claim.last_error == tally.error;
        match ending {
            Ending::Archived(landed) if landed.concerns.is_empty() => tracing::info!(
                recording.id = %id, size_bytes = landed.bytes, path = landed.path, "archived a recording"
            ),
            Ending::Archived(landed) => {
                let concerns: Vec<_> = landed.concerns.iter().map(|one| &*one.detail).collect();
                tracing::warn!(
                    recording.id = %id, size_bytes = landed.bytes, path = landed.path,
                    "archived a recording that is odd: {}", concerns.join("; ")
                );
            }
            Ending::Gone => {
                tracing::error!(recording.id = %id, "a recording is gone upstream before it was archived");
            }
            Ending::Retry(retry) if !known => tracing::warn!(
                recording.id = %id, "a download failed and is tried again at {}: {error}",
                crate::model::time::to_text(retry.at)
            ),
            Ending::Released { .. } if !known && matches!(failure, Some(Failure::Space { .. })) => {
                tracing::warn!(recording.id = %id, "a recording waits for space: {error}");
            }
            Ending::Retry(_) | Ending::Stopped | Ending::Released { .. } => {
                tracing::debug!(recording.id = %id, "a download is tried again later: {error}");
            }
        }
    }
}
