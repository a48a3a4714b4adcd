//! A damaged file is taken from a copy in an object store, if one has the right bytes, before SignalWire is asked.

use super::failure::Failure;
use super::job::Job;
use super::landing::Whole;
use super::space;
use super::write::writer::{disk, disk_or_pause, on_disk};
use crate::offsite::{FetchError, Wanted};
use crate::store::{Landed, Part};

impl Job<'_> {
    /// Brings the file back from a copy; `None`: no copy has it now, and SignalWire is asked.
    pub(super) async fn take_from_copy(&mut self) -> Result<Option<Landed>, Failure> {
        let Some((_, sha256)) = self.claim.damaged.clone() else {
            return Ok(None);
        };
        let Some(source) = &self.setup.fetcher else {
            return Ok(None);
        };
        let id = self.claim.id;
        if self.setup.store.held_copies(id).await?.is_empty() {
            return Ok(None);
        }
        space::check(self.setup, id, self.claim.size_bytes)?;
        // What a transfer left of it is overwritten.
        self.forget_watermark().await;
        self.claim.part = Part::default();
        let wanted = Wanted { id, sha256 };
        let stopped = self.stop.run_until_cancelled(source.fill_part(&wanted));
        let fetched = match stopped.await {
            None | Some(Err(FetchError::Stopped)) => return Err(Failure::Stopped),
            Some(Err(FetchError::NoCopy | FetchError::Copies(_))) => return Ok(None),
            Some(Err(FetchError::Store(error))) => return Err(error.into()),
            Some(Err(FetchError::Disk(error))) => return Err(disk_or_pause(error)),
            Some(Ok(fetched)) => fetched,
        };
        let steps = self.steps(true);
        let (whole, judged) = on_disk(move || {
            let (file, bytes, sha256) = fetched.part.finish().map_err(disk)?;
            let whole = Whole {
                file,
                bytes,
                sha256,
            };
            let judged = steps.judge(&whole)?;
            Ok((whole, judged))
        })
        .await?;
        tracing::info!(recording.id = %id, target = fetched.target, "brought a damaged recording back from a copy");
        Ok(Some(self.put(whole, judged).await?))
    }
}
