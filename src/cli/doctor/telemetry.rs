//! Whether metrics and health can be served.

use super::report::Report;
use crate::config::Config;
use crate::store::{Access, Store};
use crate::telemetry::http::Server;

const NAME: &str = "telemetry";

pub(super) async fn examine(config: &Config, running: bool, report: &mut Report) {
    let Some(listen) = &config.telemetry.listen else {
        report.ok(NAME, "off (telemetry.listen)");
        return;
    };
    let remedy =
        "set telemetry.listen to a free port: 'ss -ltnp' lists the ports in use and the programs";
    if running {
        match failure(config).await {
            Some(error) => report.fail(NAME, &error, remedy),
            None => report.ok(NAME, &format!("served on {listen}")),
        }
        return;
    }
    match Server::bind(listen.addresses()).await {
        Ok(_) => report.ok(NAME, &format!("{listen} is free")),
        Err(error) => report.fail(NAME, &crate::human::chain(&error), remedy),
    }
}

/// Why the running service can't serve them.
async fn failure(config: &Config) -> Option<String> {
    let store = Store::open(&config.database.path, Access::Read)
        .await
        .ok()?;
    let facts = store
        .health_facts(crate::clock::Clock::system().now())
        .await;
    store.close().await;
    facts.ok()?.telemetry.map(|(_, error)| error)
}
