//! Copies in object stores: the targets, what is still to be copied, uploads under way, what was verified.

mod due;
mod ended;
mod facts;
mod targets;
mod uploads;
mod verified;

pub use due::{CopyRow, CopyState};
pub use ended::{Copied, CopyFailure};
pub use facts::{CopyFacts, CopyOf};
pub use targets::{TargetId, TargetName, TargetRow};
pub use uploads::{Upload, UploadRow};
pub use verified::{SeenObject, UnseenSidecar, VerifiableCopy};

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    due::STATEMENTS,
    ended::STATEMENTS,
    facts::STATEMENTS,
    targets::STATEMENTS,
    uploads::STATEMENTS,
    verified::STATEMENTS,
];
