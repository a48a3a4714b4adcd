//! Downloads: claims what is due, finds a link, transfers, lands, and decides what follows a failure.

pub mod failure;
mod hosts;
pub mod http;
mod job;
mod landing;
mod link;
mod pace;
mod place;
mod progress;
mod proof;
mod queue;
mod rate;
mod repair;
mod setup;
mod space;
mod transfer;
mod wake;
mod watermark;
mod write;

pub use hosts::{Failing, Hosts, Wait};
pub use http::client::{Answer, Media, Resume};
pub use progress::{Board, Progress};
pub use queue::{Downloader, Pause, Until};
pub use rate::Rate;
pub use setup::Setup;
pub use wake::Wake;
