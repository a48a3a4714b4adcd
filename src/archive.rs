//! The archive on the disk: where a recording's file lies, whether it is whole, how it gets there
//! durably. Everything a name or a file from outside could do to the disk is stopped here.
//! Knows `model` only.

pub mod media;
pub mod part;
pub mod paths;
pub mod root;
