//! Copies in object stores: the targets, what is still to be copied, uploads under way, what was verified.

mod due;
mod ended;
mod targets;
mod uploads;

pub use due::{CopyRow, CopyState};
pub use ended::{Copied, CopyFailure};
pub use targets::{TargetId, TargetName, TargetRow};
pub use uploads::{Upload, UploadRow};

#[cfg(test)]
pub(super) const STATEMENTS: &[&[&str]] = &[
    due::STATEMENTS,
    ended::STATEMENTS,
    targets::STATEMENTS,
    uploads::STATEMENTS,
];
