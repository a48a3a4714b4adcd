//! The types that all modules share: sessions, recordings, states, links. Depends on no other module.

mod access_key;
mod change;
mod concern;
mod event;
mod ids;
mod link;
mod recording;
mod secret;
mod session;
mod state;
pub mod time;
mod token;
mod words;

pub use access_key::AccessKey;
pub use change::{Change, Known, Room};
pub use concern::{Concern, ConcernKind};
pub use event::EventType;
pub use ids::{BadId, RecordingId, SessionId};
pub use link::{BadLink, MediaLink, UnreadLink, host_and_port};
pub use recording::{Listed, Recording, UpstreamStatus};
pub use secret::WebhookSecret;
pub use session::{Session, SessionStatus};
pub use state::State;
pub use token::ApiToken;
pub use words::UnknownWord;
pub(crate) use words::words;
