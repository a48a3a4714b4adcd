//! What a file is, by its own bytes: which format, how long it lasts, whether its end is there, what is odd about
//! it. SignalWire's file is kept however odd it is; what is found here decides only whether it is transferred once
//! more first, and which concerns are noted beside it.
//!
//! Works on any size in a few KiB of memory and in time proportional to the file. Content never makes it fail.

mod duration;
mod examine;
mod flac;
mod flv;
mod judge;
mod kind;
mod label;
mod matroska;
mod mp4;
mod mpeg_audio;
mod ogg;
mod page;
mod probe;
mod recognise;
mod riff;
#[cfg(test)]
mod tests;
mod ts;

pub use duration::duration_fits;
pub use examine::{Examined, examine};
pub use judge::{Judgement, Reported, judge};
pub use kind::MediaKind;
pub use page::error_page;
