//! Requests of a pass: beaten for and stopped, and whether the next one is worth it.

use std::time::Duration;

use super::Poller;
use super::run::{Halt, Run, is_final};
use crate::signalwire::{self, Page};
use crate::store;

/// How often a pass beats while a request is under way.
const BEAT: Duration = Duration::from_secs(1);

/// An API that is up answers a small request within this time.
const UP_WITHIN: Duration = Duration::from_secs(5);

impl Poller {
    /// Waits for a request, but not past a stop. It beats meanwhile: a request is bounded by its time-outs,
    /// however long those are.
    pub(super) async fn asked<T>(
        &self,
        request: impl Future<Output = signalwire::Result<T>>,
    ) -> Result<T, Halt> {
        let waiting = async {
            tokio::pin!(request);
            loop {
                (self.beat)();
                if let Ok(answer) = tokio::time::timeout(BEAT, &mut request).await {
                    return answer;
                }
            }
        };
        let answer = self.stop.run_until_cancelled(waiting).await;
        (self.beat)();
        Ok(answer.ok_or(Halt::Stopped)??)
    }

    /// After a walk over the sessions that failed: whether the rest of the pass can fare better. Not if no
    /// other request would, and not if nothing answers.
    pub(super) fn is_worth_going_on(&self, run: &Run, error: &signalwire::Error) -> bool {
        let silent = run.pages == 0 && matches!(error, signalwire::Error::Transport { .. });
        !is_final(error) && !silent && !self.is_failing_for_long(run)
    }

    /// Nothing but failures came for so long that the rest is left for the next pass.
    pub(super) fn is_failing_for_long(&self, run: &Run) -> bool {
        self.clock.monotonic().saturating_sub(run.good_at) > self.client.retry_window()
    }

    /// Whether the API answers a small request soon.
    pub(super) async fn is_up(&self) -> Result<bool, Halt> {
        let probe = async {
            let probed = tokio::time::timeout(UP_WITHIN, self.client.probe()).await;
            Ok(matches!(probed, Ok(Ok(()))))
        };
        self.asked(probe).await
    }

    /// Counts and keeps what could not be read of a page.
    pub(super) async fn note_rejected<T>(&self, page: &Page<T>) -> store::Result<u64> {
        for rejected in &page.rejected {
            let text = format!(
                "item {} of a page was rejected: {}",
                rejected.index, rejected.reason
            );
            tracing::warn!("{text}");
            self.store
                .event_once_a_day(self.clock.now(), "rejected", &text)
                .await?;
        }
        Ok(page.rejected.len() as u64)
    }
}
