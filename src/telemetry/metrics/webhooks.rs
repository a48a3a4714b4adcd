//! How deliveries to webhooks are doing.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::register::{add, unit};

/// The gauges of all webhooks together.
#[derive(Clone, Debug)]
pub(super) struct Webhooks {
    pub(super) pending: Gauge,
    pub(super) failed: Gauge,
    pub(super) dropped: Gauge,
    pub(super) oldest: Gauge,
}

impl Webhooks {
    pub(super) fn register(r: &mut Registry) -> Self {
        Self {
            pending: add(
                r,
                "webhook_pending",
                "Events still to be delivered to webhooks",
            ),
            failed: add(r, "webhook_failed", "Events given up for webhooks"),
            dropped: add(
                r,
                "webhook_dropped",
                "Events that webhooks never got, as too many waited",
            ),
            oldest: unit(
                r,
                "webhook_oldest_pending",
                "Age of the oldest event still to be delivered, 0: none",
                Unit::Seconds,
            ),
        }
    }
}
