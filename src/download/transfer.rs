//! One transfer: the bytes of a recording into its part file, from wherever the last one left off.
//!
//! What a body may be spliced to, and what a cut one leaves for the next attempt, is decided here.

use std::io;

use reqwest::header::{DATE, RETRY_AFTER};
use tokio_util::sync::CancellationToken;

use super::Setup;
use super::failure::Failure;
use super::hosts::Wait;
use super::http::answer::{Verdict, judge};
use super::http::client::{Answer, Resume};
use super::link::{link, may_ask};
use super::progress::Place;
use super::proof::Proof;
use super::space;
use super::watermark::Watermark;
use super::write::speed::Speed;
use super::write::writer::{Writer, blocking, disk};
use crate::archive::media;
use crate::archive::part::PartFile;
use crate::cooldown::parse_http_date;
use crate::human;
use crate::model::MediaLink;
use crate::store::{Claim, Part, Tally};

/// Written bytes are made durable each time there are this many more.
const SYNC_EVERY: u64 = 64 << 20;
/// The longest body that is taken when its length is not declared: against an endless one.
const MOST_UNDECLARED: u64 = 64 << 30;
/// How much longer than SignalWire reports such a body may be. The reported size may have wrapped at 2^31 or 2^32.
const MOST_BEYOND_REPORTED: u64 = 8 << 30;
/// Bytes that show that a transfer makes progress.
const PROGRESS: u64 = 1 << 20;

/// What a finished transfer proved about its length.
pub(super) struct Received {
    pub part: PartFile,
    /// Its end is proved by the protocol: a declared length, a final chunk, or a range that reaches the total.
    pub complete: bool,
}

/// The transfer of one recording's bytes, over as many requests as it takes.
pub(super) struct Transfer<'a> {
    pub setup: &'a Setup,
    pub stop: &'a CancellationToken,
    pub claim: &'a mut Claim,
    /// The claim's facts are the recording's own, not a list's.
    pub described: &'a mut bool,
    pub watermark: &'a mut Watermark,
    pub proof: &'a mut Proof,
    pub tally: &'a mut Tally,
    pub place: &'a Place,
}

impl Transfer<'_> {
    /// Fetches what is missing of the part. Whatever happens, what can be kept of it is kept.
    pub async fn run(mut self, mut part: PartFile) -> Result<Received, Failure> {
        let setup = self.setup;
        let mut fresh = false;
        loop {
            let link = link(setup, self.claim, self.described, fresh);
            let link = self
                .stop
                .run_until_cancelled(link)
                .await
                .ok_or(Failure::Stopped)??;
            let host = link.host();
            self.tally.media_host = Some(host.clone());
            may_ask(setup, &host)?;
            if let Err(wait) = setup.hosts.permit(&host, setup.clock.monotonic()) {
                return Err(waits(setup, &host, wait));
            }
            let fetched = self.fetch(&link, &host, part).await;
            if let Err(Failure::Host(error)) = &fetched {
                let (now, at) = (setup.clock.monotonic(), setup.clock.now());
                setup.hosts.failed(&host, &human::chain(error), now, at);
            }
            match fetched? {
                Step::Done(received) => return Ok(received),
                Step::Again(kept) => part = kept,
                Step::FreshLink(kept) if !fresh => {
                    part = kept;
                    fresh = true;
                }
                Step::FreshLink(_) => {
                    return Err(Failure::Refused(refused_links(self.tally).into()));
                }
            }
        }
    }

    async fn fetch(
        &mut self,
        link: &MediaLink,
        host: &str,
        mut part: PartFile,
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
        let mut answer = self
            .stop
            .run_until_cancelled(answer)
            .await
            .ok_or(Failure::Stopped)??;
        self.tally.http_status = Some(answer.status().as_u16());
        let total = match judge(answer.status(), answer.headers(), resume.as_ref()) {
            Verdict::Append { total } => {
                self.tally.from_byte = part.len();
                self.claim.part.total = Some(total);
                Some(total)
            }
            Verdict::Whole { total, validator } => {
                // Nothing that is there makes way for an error page.
                let opening = self.stop.run_until_cancelled(answer.opening()).await;
                if let Some(page) = media::error_page(opening.ok_or(Failure::Stopped)?) {
                    self.proof.works(self.setup, host);
                    let what = format!("the media host sent {page} in place of the recording");
                    return Err(Failure::Refused(what.into()));
                }
                if !part.is_empty() {
                    part = self.start_over(part).await?;
                }
                self.tally.from_byte = 0;
                self.watermark.forget(self.setup, self.claim.id).await?;
                self.claim.part = Part {
                    bytes: 0,
                    validator,
                    total,
                };
                total
            }
            Verdict::Complete => {
                return Ok(Step::Done(Received {
                    part,
                    complete: true,
                }));
            }
            Verdict::StartOver(why) => {
                tracing::info!(recording.id = %self.claim.id, "starting over: {why}");
                self.claim.part = Part::default();
                return Ok(Step::Again(self.start_over(part).await?));
            }
            Verdict::FreshLink => {
                self.proof.works(self.setup, host);
                return Ok(Step::FreshLink(part));
            }
            Verdict::RateLimited => {
                let header = |name| answer.headers().get(name)?.to_str().ok();
                let until = self.setup.cooldowns.ask(
                    host,
                    header(RETRY_AFTER),
                    header(DATE).and_then(parse_http_date),
                    self.setup.clock.now(),
                );
                return Err(Failure::RateLimited(until));
            }
            Verdict::HostFails(why) => return Err(Failure::Host(why.into())),
            Verdict::Refused(why) => {
                self.proof.works(self.setup, host);
                return Err(Failure::Refused(why.into()));
            }
        };
        self.place.progress.set(part.len(), total);
        space::check(
            self.setup,
            self.claim.id,
            total.map(|total| total - part.len()),
        )?;
        let framed = total.is_some() || answer.is_framed();
        let part = self.receive(answer, part, total, host).await?;
        // What only the connection's end delimits is complete if it is as long as SignalWire reports.
        let complete = framed || self.claim.size_bytes == Some(part.len());
        Ok(Step::Done(Received { part, complete }))
    }

    /// Empties a part. Its watermark is forgotten before: a power cut must not leave one that vouches for
    /// bytes written since.
    async fn start_over(&mut self, part: PartFile) -> Result<PartFile, Failure> {
        self.watermark.forget(self.setup, self.claim.id).await?;
        self.claim.part = Part::default();
        blocking(part, PartFile::restart).await.map_err(disk)
    }

    /// Reads the body into the part. On any failure the part is made durable as far as it came.
    async fn receive(
        &mut self,
        mut answer: Answer,
        part: PartFile,
        total: Option<u64>,
        host: &str,
    ) -> Result<PartFile, Failure> {
        let mut writer = Writer::new(part, &self.setup.batches);
        let mut speed = Speed::new(self.setup.stall_timeout);
        let began = self.setup.clock.monotonic();
        let mut len = writer.len;
        let reported = self.claim.size_bytes;
        let beyond = |size: u64| size.saturating_add(MOST_BEYOND_REPORTED);
        let most = total.unwrap_or_else(|| reported.map_or(MOST_UNDECLARED, beyond));
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
            self.tally.bytes += size;
            self.setup.board.count(size);
            if len > most {
                let what = format!("the body is longer than {most} bytes");
                break Err(Failure::BrokenPart(what.into()));
            }
            if self.tally.bytes >= PROGRESS {
                self.proof.progress(self.setup, Some(host));
            }
            if speed.too_slow(size, waited) {
                break Err(Failure::BrokeOff("the media host sends too slowly".into()));
            }
            let paid = self.setup.throttle.take(size);
            let stopped = self.stop.run_until_cancelled(paid).await.is_none();
            if let Err(failure) = writer.push(chunk).await {
                return Err(self.abandon(failure));
            }
            if stopped {
                break Err(Failure::Stopped);
            }
            self.place.progress.set(len, None);
            if writer.since_sync >= SYNC_EVERY {
                (self.setup.beat)();
                match writer.sync().await {
                    Ok(durable) => {
                        self.watermark
                            .note_resumable(self.setup, self.claim, durable)
                            .await?;
                    }
                    Err(failure) => return Err(self.abandon(failure)),
                }
                if let Err(failure) = space::check(
                    self.setup,
                    self.claim.id,
                    total.map(|total| total.saturating_sub(len)),
                ) {
                    // Kept, the part of an endless body would hold the disk's last room for ever.
                    break Err(match failure {
                        Failure::Disk(cause) if total.is_none() => Failure::BrokenPart(cause),
                        Failure::Space { text, .. } if total.is_none() => {
                            Failure::BrokenPart(text.into())
                        }
                        failure => failure,
                    });
                }
            }
        };
        let took = self.setup.clock.monotonic().saturating_sub(began);
        self.setup.rate.measured(self.tally.bytes, took);
        match whole(ended, len, total, self.tally) {
            // The landing makes it durable.
            Ok(()) => writer.finish().await.map_err(|error| self.abandon(error)),
            Err(failure) => {
                match writer.sync().await {
                    Ok(durable) => {
                        self.watermark
                            .note_resumable(self.setup, self.claim, durable)
                            .await?;
                    }
                    Err(error) => return Err(self.abandon(error)),
                }
                Err(failure)
            }
        }
    }

    /// After a failed write or sync the part's content is unknown, unless the disk was merely full.
    fn abandon(&mut self, error: io::Error) -> Failure {
        let failure = disk(error);
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

/// Whether a body that ended, or broke off, brought all of the object.
fn whole(
    ended: Result<(), Failure>,
    len: u64,
    total: Option<u64>,
    tally: &Tally,
) -> Result<(), Failure> {
    match ended {
        Ok(()) if total.is_some_and(|total| len < total) => {
            Err(Failure::BrokeOff("the body ended early".into()))
        }
        // A host that sends a head and nothing else is no better than one that sends nothing.
        Err(Failure::BrokeOff(why)) if tally.bytes == 0 => Err(Failure::Host(why)),
        ended => ended,
    }
}

/// A media host that gets its one probe from another download.
fn waits(setup: &Setup, host: &str, wait: Wait) -> Failure {
    Failure::HostWaits {
        host: host.to_owned(),
        until: setup.clock.now() + wait.remaining,
        error: wait.error,
    }
}

/// Why a recording's links are of no use.
fn refused_links(tally: &Tally) -> String {
    let status = tally.http_status.unwrap_or_default();
    let why = if status == 401 {
        ". It wants credentials, which are never sent to a media host: is media URL protection switched on in the \
         settings of the space?"
    } else {
        ""
    };
    format!("the media host refused a fresh link (HTTP {status}){why}")
}
