//! The first page: is everything all right?

use axum::extract::State;
use minijinja::{Value, context};

use super::common::{NAME, Page};
use crate::human;
use crate::web::chart::{self, Chart};
use crate::web::render::{minute, page, shown, size};
use crate::web::site::Shared;

/// Days in the table beside the charts.
const DAYS: usize = 10;

/// Whether the archive is healthy, and what is in it.
pub(in crate::web) async fn status(State(site): State<Shared>) -> Page {
    let Some(counted) = site.snapshots.newest(&site.database).await? else {
        return page("status.html", "Status", context! { counted => false });
    };
    let now = site.clock.now();
    let problems: Vec<_> = counted
        .problems
        .iter()
        .map(|line| shown(line, 300))
        .collect();
    let paused: Vec<_> = counted
        .pauses
        .iter()
        .map(|pause| {
            context! {
                reason => pause.reason.as_str(), host => pause.host.as_deref().map(|host| shown(host, 100)),
                error => shown(&pause.error, 200), since => minute(Some(&pause.since)),
            }
        })
        .collect();
    let failing: Vec<_> = counted
        .failing
        .iter()
        .map(|one| {
            context! {
                id => one.recording_id.as_str(), room => shown(one.room_name.as_deref().unwrap_or("unknown room"), NAME),
                reason => shown(&one.reason, 200),
            }
        })
        .collect();
    let passes: Vec<_> = counted
        .passes
        .iter()
        .map(|pass| {
            let ago = crate::model::time::parse(&pass.started_at).map(|then| human::age(then, now));
            context! {
                kind => pass.kind.as_str(), started => ago, outcome => pass.outcome.as_str(),
                error => pass.error.as_deref().map(|error| shown(error, 200)),
            }
        })
        .collect();
    let days: Vec<_> = counted
        .days
        .iter()
        .rev()
        .take(DAYS)
        .map(|day| context! { day => day.date.as_str(), recordings => day.recordings, size => size(Some(day.bytes)) })
        .collect();
    let states: Vec<_> = counted
        .states
        .iter()
        .map(|(state, count)| context! { state => state.as_str(), count => *count })
        .collect();
    let bytes = counted.days.iter().map(|day| day.bytes).sum();
    page(
        "status.html",
        "Status",
        context! {
            counted => true, age => site.age(&counted), problems, pauses => paused, failing, passes, days,
            failures => counted.failures, gaps => counted.gaps, states, bytes => size(Some(bytes)),
            growth => chart::growth(&counted.days).map(drawn),
            daily => chart::daily(&counted.days, now).map(drawn),
        },
    )
}

fn drawn(chart: Chart) -> Value {
    context! { path => chart.path, text => chart.text, most => chart.most, from => chart.from, to => chart.to }
}
