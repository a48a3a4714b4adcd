//! Examines a file's bytes: its format, its duration, whether its end is there, and what is odd about it. Odd files
//! are kept too: the findings decide only whether a file is first transferred again, and which concerns it gets.
//!
//! Needs a few KiB of memory for any size, and time proportional to the file. No content makes it fail.

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
pub use recognise::recognise_file;
