//! The watermark of a part: how much of it is durable, as the database knows it. A restart goes on from there.

use super::Setup;
use super::failure::Failure;
use crate::model::RecordingId;
use crate::store::{self, Claim, Part};

/// Whether the database has a watermark of the part.
pub(super) struct Watermark {
    noted: bool,
}

impl Watermark {
    pub fn of(part: &Part) -> Self {
        Self {
            noted: *part != Part::default(),
        }
    }

    /// Notes how much is durable, if a restart may go on from there: without a strong validator nothing may be
    /// spliced.
    pub async fn note_resumable(
        &mut self,
        setup: &Setup,
        claim: &mut Claim,
        durable: u64,
    ) -> Result<(), Failure> {
        if claim.part.validator.is_none() {
            return Ok(());
        }
        self.note(setup, claim, durable).await
    }

    /// Notes how much is durable. A database that is locked or full for a while is no reason to break a transfer off:
    /// a restart goes on from further back then.
    pub async fn note(
        &mut self,
        setup: &Setup,
        claim: &mut Claim,
        durable: u64,
    ) -> Result<(), Failure> {
        claim.part.bytes = durable;
        self.noted = true;
        match setup.store.part_durable(claim.id, &claim.part).await {
            Err(error) if error.may_pass() => {
                setup.store.trouble().note(&error, setup.clock.now());
                Ok(())
            }
            noted => Ok(noted?),
        }
    }

    /// Forgets it before other bytes come in the place of those it stands for: a crash in between must not make
    /// them look like the object it names.
    pub async fn forget(&mut self, setup: &Setup, id: RecordingId) -> store::Result<()> {
        if self.noted {
            setup.store.forget_part(id).await?;
            self.noted = false;
        }
        Ok(())
    }
}
