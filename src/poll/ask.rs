//! How a pass waits for requests, with beats for the watchdog, and when it ends because they keep failing.

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
    /// Waits for a request, but not after a stop. It beats meanwhile, as time-outs may be longer than the
    /// watchdog's period.
    pub(super) async fn wait_for<T>(
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

    /// After a failed walk over the sessions: whether the rest of the pass may succeed. Not if the error
    /// concerns every request, and not if the API does not answer at all.
    pub(super) fn should_continue(&self, run: &Run, error: &signalwire::Error) -> bool {
        let silent = run.pages == 0 && matches!(error, signalwire::Error::Transport { .. });
        !is_final(error) && !silent && !self.keeps_failing(run)
    }

    /// Whether all requests have failed for so long that the rest is left for the next pass.
    pub(super) fn keeps_failing(&self, run: &Run) -> bool {
        self.clock.monotonic().saturating_sub(run.last_success) > self.client.retry_window()
    }

    /// Whether the API answers a small request soon.
    pub(super) async fn is_up(&self) -> Result<bool, Halt> {
        let probe = async {
            let probed = tokio::time::timeout(UP_WITHIN, self.client.probe()).await;
            Ok(matches!(probed, Ok(Ok(()))))
        };
        self.wait_for(probe).await
    }

    /// Counts the items of a page that could not be read, and keeps them as events.
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
