//! The read-only page, a process of its own: what is archived, what is not and why, and the recordings themselves.
//!
//! It reads nothing but the public views, through a read-only connection, and the files, through the archive's code.
//! It writes nothing, runs no script and loads nothing from elsewhere. It learns whether the archive is healthy from
//! the same function as everybody else.

mod chart;
mod db;
mod failure;
mod guard;
mod listen;
mod media;
mod pages;
mod query;
mod range;
mod render;
mod site;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
pub use db::Judge;
use db::{Database, Snapshots};
pub use listen::{Activated, Listener};
use site::{Shared, Site};
pub use trust::Trust;

/// What the page is made of.
pub struct Options {
    /// The database file.
    pub database: PathBuf,
    /// The archive's directory.
    pub archive: PathBuf,
    /// Whom to believe what.
    pub trust: Trust,
    /// Says whether the archive is healthy.
    pub judge: Judge,
    /// The time.
    pub clock: Clock,
}

/// Serves the page until `stop`.
pub async fn serve(options: Options, listeners: Vec<Listener>, stop: CancellationToken) {
    let site = Arc::new(Site {
        database: Arc::new(Database::new(options.database, options.judge)),
        snapshots: Arc::new(Snapshots::new(options.clock.clone())),
        archive: options.archive,
        trust: options.trust,
        clock: options.clock,
    });
    listen::serve(listeners, router(site), stop).await;
}

fn router(site: Shared) -> Router {
    Router::new()
        .route("/", get(pages::status))
        .route("/recordings", get(pages::recordings))
        .route("/recordings/{id}", get(pages::recording))
        .route("/sessions", get(pages::sessions))
        .route("/sessions/{id}", get(pages::session))
        .route("/rooms", get(pages::rooms))
        .route("/media/{id}", get(pages::media))
        .route("/style.css", get(render::style))
        .route("/icon.svg", get(render::icon))
        .fallback(pages::nothing)
        .layer(from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}
