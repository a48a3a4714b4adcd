//! One transfer: the bytes of a recording into its part file, from wherever the last one left off.
//!
//! What a body may be spliced to, and what a cut one leaves for the next attempt, is decided here.

use std::io;
use std::mem;
use std::time::Duration;

use reqwest::header::{DATE, RETRY_AFTER};

use super::answer::{Verdict, judge};
use super::job::Job;
use super::media::{Answer, Resume};
use super::progress::Place;
use super::retry::Failure;
use super::source;
use super::writer::{Writer, blocking, disk};
use crate::archive::part::PartFile;
use crate::cooldown::parse_http_date;
use crate::model::MediaLink;
use crate::store::{Part, Tally};

/// Written bytes are made durable each time there are this many more.
const SYNC_EVERY: u64 = 64 << 20;
/// The longest body that is taken when nobody tells its length: against an endless one.
const MOST_UNDECLARED: u64 = 64 << 30;
/// Links minted in a row for one attempt.
const MOST_LINKS: u32 = 3;
/// A transfer slower than this, in bytes a second over a whole window, is a stalled one.
const SLOWEST: u64 = 1024;

/// What a finished transfer proved about its length.
pub(super) struct Received {
    pub part: PartFile,
    /// The length was declared, by the media host or the vendor, and held.
    pub framed: bool,
}

impl Job<'_> {
    /// Fetches what is missing of the part. Whatever happens, what can be kept of it is kept.
    pub(super) async fn transfer(
        &mut self,
        part: PartFile,
        tally: &mut Tally,
        place: &Place,
    ) -> Result<Received, Failure> {
        let mut part = part;
        let mut minted = 0;
        let mut fresh = false;
        loop {
            let setup = self.setup;
            let link = source::link(
                &setup.client,
                &setup.links,
                &setup.rate,
                &setup.clock,
                &mut self.claim,
                fresh,
            );
            let link = self
                .stop
                .run_until_cancelled(link)
                .await
                .ok_or(Failure::Stopped)??;
            if let Some(until) = setup.cooldowns.until(link.host(), setup.clock.now()) {
                return Err(Failure::Api(
                    "the media host asked for patience".to_owned(),
                    Some(until),
                ));
            }
            match self.fetch(&link, part, tally, place).await? {
                Step::Done(received) => return Ok(received),
                Step::Again(kept) => part = kept,
                Step::FreshLink(kept) => {
                    part = kept;
                    fresh = true;
                    minted += 1;
                    if minted > MOST_LINKS {
                        return Err(Failure::Passing(format!(
                            "the media host refused {minted} links in a row"
                        )));
                    }
                }
            }
        }
    }

    async fn fetch(
        &mut self,
        link: &MediaLink,
        mut part: PartFile,
        tally: &mut Tally,
        place: &Place,
    ) -> Result<Step, Failure> {
        let resume = match &self.claim.part.validator {
            Some(validator) if !part.is_empty() => Some(Resume {
                from: part.len(),
                validator: validator.clone(),
                total: self.claim.part.total,
            }),
            _ => {
                if !part.is_empty() {
                    part = self.start_over(part).await?;
                }
                None
            }
        };
        let answer = self.setup.media.get(link, resume.as_ref());
        let answer = self
            .stop
            .run_until_cancelled(answer)
            .await
            .ok_or(Failure::Stopped)??;
        tally.http_status = Some(answer.status().as_u16());
        let total = match judge(
            answer.status(),
            answer.headers(),
            resume.as_ref(),
            self.claim.size_bytes,
        ) {
            Verdict::Append { total } => {
                tally.from_byte = part.len();
                self.claim.part.total = Some(total);
                Some(total)
            }
            Verdict::Whole { total, validator } => {
                if !part.is_empty() {
                    part = self.start_over(part).await?;
                }
                tally.from_byte = 0;
                self.forget_part().await?;
                self.claim.part = Part {
                    bytes: 0,
                    validator,
                    total,
                };
                total
            }
            Verdict::Complete => return Ok(Step::Done(Received { part, framed: true })),
            Verdict::StartOver(why) => {
                tracing::info!(recording.id = %self.claim.id, "starting over: {why}");
                self.claim.part = Part::default();
                return Ok(Step::Again(self.start_over(part).await?));
            }
            Verdict::FreshLink => return Ok(Step::FreshLink(part)),
            Verdict::Patience => {
                let header = |name| answer.headers().get(name)?.to_str().ok();
                let until = self.setup.cooldowns.ask(
                    link.host(),
                    header(RETRY_AFTER),
                    header(DATE).and_then(parse_http_date),
                    self.setup.clock.now(),
                );
                return Err(Failure::Patience(until));
            }
            Verdict::Passing(why) => return Err(Failure::Passing(why)),
            Verdict::Content(why) => return Err(Failure::Content(why)),
        };
        place.progress.set(part.len(), total);
        self.check_space(total.map(|total| total - part.len()))?;
        let framed = total.is_some() || self.claim.size_bytes.is_some();
        let body = Body {
            total,
            known: total.or(self.claim.size_bytes),
        };
        let part = self.receive(answer, part, &body, tally, place).await?;
        Ok(Step::Done(Received { part, framed }))
    }

    /// Empties a part. Its watermark is forgotten before: a power cut must not leave one that vouches for
    /// bytes written since.
    async fn start_over(&mut self, part: PartFile) -> Result<PartFile, Failure> {
        if self.claim.part.bytes > 0 {
            self.setup
                .store
                .forget_part(self.claim.id)
                .await
                .map_err(|error| Failure::Passing(error.to_string()))?;
        }
        self.claim.part = Part::default();
        blocking(part, PartFile::restart).await.map_err(disk)
    }

    /// Reads the body into the part. On any failure the part is made durable as far as it came.
    async fn receive(
        &mut self,
        mut answer: Answer,
        part: PartFile,
        body: &Body,
        tally: &mut Tally,
        place: &Place,
    ) -> Result<PartFile, Failure> {
        let mut writer = Writer::new(part, &self.setup.batches);
        let mut speed = Speed::new(self.setup.stall_timeout);
        let began = self.setup.clock.monotonic();
        let mut len = writer.len;
        let ended = loop {
            let asked = self.setup.clock.monotonic();
            let chunk = match self.stop.run_until_cancelled(answer.chunk()).await {
                None => break Err(Failure::Stopped),
                Some(Err(error)) => break Err(error),
                Some(Ok(None)) => break Ok(()),
                Some(Ok(Some(chunk))) => chunk,
            };
            let waited = self.setup.clock.monotonic().saturating_sub(asked);
            let size = chunk.len() as u64;
            len += size;
            tally.bytes += size;
            self.setup.board.count(size);
            if len > body.known.unwrap_or(MOST_UNDECLARED) && !self.same_size(len, body) {
                break Err(Failure::Content(
                    "the body is longer than declared".to_owned(),
                ));
            }
            if speed.too_slow(size, waited) {
                break Err(Failure::Passing(
                    "the media host sends too slowly".to_owned(),
                ));
            }
            let paid = self.setup.throttle.take(size);
            let stopped = self.stop.run_until_cancelled(paid).await.is_none();
            if let Err(failure) = writer.push(chunk).await {
                return Err(self.abandon(&failure));
            }
            if stopped {
                break Err(Failure::Stopped);
            }
            place.progress.set(len, None);
            if writer.since_sync >= SYNC_EVERY {
                (self.setup.beat)();
                match writer.sync().await {
                    Ok(durable) => self.note_durable(durable).await?,
                    Err(failure) => return Err(self.abandon(&failure)),
                }
                if let Err(failure) =
                    self.check_space(body.known.map(|known| known.saturating_sub(len)))
                {
                    // Kept, the part of an endless body would hold the disk's last room for ever.
                    break Err(match failure {
                        Failure::Disk(text) | Failure::PutOff(text) if body.known.is_none() => {
                            Failure::Content(text)
                        }
                        failure => failure,
                    });
                }
            }
        };
        let took = self.setup.clock.monotonic().saturating_sub(began);
        self.setup.rate.measured(tally.bytes, took);
        let short = body.known.is_some_and(|known| len < known) && ended.is_ok();
        let ended = if short {
            Err(Failure::Passing("the body ended early".to_owned()))
        } else {
            ended
        };
        match ended {
            // The landing makes it durable.
            Ok(()) => writer.finish().await.map_err(|error| self.abandon(&error)),
            Err(failure) => {
                match writer.sync().await {
                    Ok(durable) => self.note_durable(durable).await?,
                    Err(error) => return Err(self.abandon(&error)),
                }
                Err(failure)
            }
        }
    }

    fn same_size(&self, len: u64, body: &Body) -> bool {
        // A size told modulo 2^32 bounds nothing; the declared length does.
        body.total.map_or_else(
            || len > i32::MAX as u64 && self.claim.size_bytes.is_some_and(|told| told < len),
            |total| len <= total,
        )
    }

    /// Notes where a restart may go on. Without a strong validator nothing may be spliced.
    pub(super) async fn note_durable(&mut self, durable: u64) -> Result<(), Failure> {
        if self.claim.part.validator.is_none() {
            return Ok(());
        }
        self.claim.part.bytes = durable;
        self.noted = true;
        self.setup
            .store
            .part_durable(self.claim.id, &self.claim.part)
            .await
            .map_err(|error| Failure::Passing(error.to_string()))
    }

    /// Forgets the watermark before other bytes come in the place of those it stands for: a crash in
    /// between must not make them look like the object it names.
    async fn forget_part(&mut self) -> Result<(), Failure> {
        if mem::take(&mut self.noted) {
            self.setup
                .store
                .forget_part(self.claim.id)
                .await
                .map_err(|error| Failure::Passing(error.to_string()))?;
        }
        Ok(())
    }

    /// After a failed write or sync the part's content is unknown, unless the disk was merely full.
    fn abandon(&mut self, error: &io::Error) -> Failure {
        let failure = disk(io::Error::new(error.kind(), error.to_string()));
        if matches!(failure, Failure::BrokenPart(_)) {
            self.claim.part = Part::default();
        }
        failure
    }
}

enum Step {
    Done(Received),
    Again(PartFile),
    FreshLink(PartFile),
}

struct Body {
    /// Length of the whole object as the media host declares it.
    total: Option<u64>,
    /// That, or else what the vendor tells.
    known: Option<u64>,
}

/// Tells a stalled transfer from a slow one: each window has to bring some bytes. Only the time spent
/// waiting for the network counts.
struct Speed {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Speed {
    fn new(stall_timeout: Duration) -> Self {
        Self {
            window: stall_timeout * 2,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn too_slow(&mut self, bytes: u64, waited: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < self.window {
            return false;
        }
        let least = SLOWEST * self.waited.as_secs();
        let slow = self.bytes < least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        slow
    }
}
