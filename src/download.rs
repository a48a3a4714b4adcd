//! Downloads: claims what is due, finds a link, transfers, lands, and decides what follows a failure.

pub mod addresses;
pub mod answer;
pub mod failure;
mod hosts;
mod job;
mod landing;
mod link;
mod media;
mod pace;
mod place;
mod progress;
mod proof;
mod queue;
mod rate;
mod setup;
mod space;
mod speed;
mod throttle;
mod transfer;
mod wake;
mod watermark;
mod writer;

pub use hosts::{Failing, Hosts, Wait};
pub use media::{Answer, Media, Resume};
pub use progress::{Board, Progress};
pub use queue::{Downloader, Pause, Until};
pub use rate::Rate;
pub use setup::Setup;
pub use throttle::Throttle;
pub use wake::Wake;
