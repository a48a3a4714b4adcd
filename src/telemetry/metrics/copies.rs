//! How copies in object stores do.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::register::{Word, add, signed, unit};

/// A target of copies: its name is the operator's, and consists of a few letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTarget {
    target: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByTargetAndState {
    target: String,
    state: Word,
}

/// The gauges of each target.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    states: Family<ByTargetAndState, Gauge>,
    failing: Family<ByTarget, Gauge>,
    oldest: Family<ByTarget, Gauge>,
}

impl Copies {
    pub(super) fn register(r: &mut Registry) -> Self {
        Self {
            states: add(
                r,
                "copies",
                "Recordings by the state of their copy in an object store",
            ),
            failing: add(r, "copies_failing", "1 while the object store fails"),
            oldest: unit(
                r,
                "copies_oldest_pending",
                "Age of the oldest recording that is not copied, 0: none",
                Unit::Seconds,
            ),
        }
    }

    pub(super) fn set(&self, target: &str, state: Word, count: u64) {
        let target = target.to_owned();
        self.states
            .get_or_create(&ByTargetAndState { target, state })
            .set(signed(count));
    }

    pub(super) fn set_lag(&self, target: &str, failing: bool, oldest: Duration) {
        let target = ByTarget {
            target: target.to_owned(),
        };
        self.failing.get_or_create(&target).set(failing.into());
        let oldest = signed(oldest.as_secs());
        self.oldest.get_or_create(&target).set(oldest);
    }
}
