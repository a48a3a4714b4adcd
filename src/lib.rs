//! room-archiver keeps every video-room recording of a SignalWire project safe on your own disk.
//!
//! The flow of one recording, always in this direction:
//!
//! ```text
//! cron tick ──────→ poll ──pages──→ signalwire ──wire→model──→ plan (pure) ──changes──→ store (SQLite)
//!                                                                                       │ wake
//!  archive/ ←land── landing ←bytes── transfer ←link── links ←claim due── download queue ←┘
//!                      └────────────── store: archived, sha256, path
//! ```
//!
//! [`model`] depends on no other module; [`signalwire`], [`store`] and [`archive`] depend on `model` and never on each
//! other; [`poll`] and [`download`] combine them; [`app`] wires everything; only [`cli`], `app` and [`config`] see the
//! configuration.

pub mod addresses;
pub mod app;
pub mod archive;
pub mod cli;
pub mod clock;
pub mod config;
pub mod cooldown;
pub mod copies;
pub mod download;
pub mod durable;
pub mod escape;
pub mod human;
pub mod instance;
pub mod lifecycle;
pub mod links;
pub mod model;
pub mod notify;
pub mod offsite;
pub mod owner;
pub mod poll;
pub mod rebuild;
pub mod reconcile;
pub mod schedule;
pub mod sidecar;
pub mod signalwire;
pub mod store;
pub mod telemetry;
pub mod throttle;
pub mod verify;
pub mod version;
pub mod web;
