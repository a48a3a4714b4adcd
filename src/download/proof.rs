//! What a download shows of the others: that its media host works, and that downloads make progress.

use super::Setup;
use super::pace::{Pace, UnderWay};

/// What one download has shown so far.
pub(super) struct Proof {
    pub pace: Pace,
    pub under_way: UnderWay,
}

impl Proof {
    /// The host answers: whatever it says, it works.
    pub fn works(&self, setup: &Setup, host: &str) {
        if setup.hosts.works(host) {
            self.pace.recovered(host);
        }
    }

    /// Enough has come to say that downloads make progress.
    pub fn progress(&mut self, setup: &Setup, host: Option<&str>) {
        if self.under_way.is_proven() {
            return;
        }
        let slow = self.under_way.prove(setup.clock.monotonic());
        if let Some(host) = host
            && (setup.hosts.works(host) || slow)
        {
            self.pace.recovered(host);
        }
    }
}
