//! The archive on the disk: the path of a recording's file, whether it is whole, and how it gets there
//! durably. Hostile names and files are made harmless here. Depends only on `model`.

pub mod media;
pub mod part;
pub mod paths;
pub mod root;
