//! The state that both servers and the tests share: content, options, clock and link signer.

mod content;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{Builder, Uuid};

use crate::clock::Clock;
use crate::dice::Dice;
use crate::lock::locked;
use crate::model::Recording;
use crate::options::Options;
use crate::signing::{Signer, secure_link};
use crate::world::World;

/// What a space holds and how it behaves. A [`crate::Space`] dereferences to it; hooks
/// ([`crate::Action::after`]) are given it.
#[derive(Debug)]
pub struct State {
    pub(crate) clock: Clock,
    pub(crate) signer: Signer,
    api: SocketAddr,
    media: SocketAddr,
    settings: Mutex<Settings>,
    world: Mutex<World>,
}

#[derive(Debug)]
pub(crate) struct Settings {
    pub options: Options,
    /// Correct credentials are refused with this status.
    pub refuse_credentials: Option<u16>,
    /// The tokens of the walks through lists.
    pub page_tokens: HashSet<Uuid>,
    ids: Dice,
}

impl State {
    pub(crate) fn new(options: Options, api: SocketAddr, media: SocketAddr) -> Self {
        Self {
            clock: Clock::default(),
            signer: Signer::new(media.to_string(), options.signature_marker.clone()),
            api,
            media,
            settings: Mutex::new(Settings {
                refuse_credentials: None,
                page_tokens: HashSet::new(),
                ids: Dice::new(options.seed),
                options,
            }),
            world: Mutex::default(),
        }
    }

    pub(crate) fn with_settings<R>(&self, work: impl FnOnce(&mut Settings) -> R) -> R {
        locked(&self.settings, work)
    }

    pub(crate) fn with_world<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        locked(&self.world, work)
    }

    pub(crate) fn options(&self) -> Options {
        self.with_settings(|settings| settings.options.clone())
    }

    pub(crate) fn fresh_id(&self) -> Uuid {
        self.with_settings(|settings| {
            let (high, low) = (settings.ids.bits(), settings.ids.bits());
            let bits = u128::from(high) << 64 | u128::from(low);
            Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
        })
    }

    /// A fresh link to a completed recording, valid for `ttl` seconds.
    pub(crate) fn mint(&self, recording: &Recording, ttl: u64) -> Option<String> {
        let options = self.options();
        let (project, session) = (options.project_id, recording.session_id);
        let file = format!("{}.mp4", recording.id);
        let now = self.now();
        recording.is_ready().then(|| {
            if let Some(secure) = &options.secure_links {
                return secure_link(secure, &file, now, ttl);
            }
            let folder = format!("/files.signalwire.com/{project}/{session}/video-room-recordings");
            let content_type = recording.media.content_type();
            self.signer
                .sign(&format!("{folder}/{file}"), &file, content_type, now, ttl)
        })
    }

    /// The base URL of the API, such as `http://127.0.0.1:40001`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// The base URL of the media store.
    #[must_use]
    pub fn media_url(&self) -> String {
        format!("http://{}", self.media)
    }

    /// Host and port of the media store, as in a `Host` header.
    pub(crate) fn media_host(&self) -> String {
        self.media.to_string()
    }

    /// The user of Basic authentication.
    #[must_use]
    pub fn project_id(&self) -> String {
        self.with_settings(|settings| settings.options.project_id.to_string())
    }

    /// The API token: the password of Basic authentication.
    #[must_use]
    pub fn token(&self) -> String {
        self.with_settings(|settings| settings.options.token.clone())
    }

    /// Refuses even the correct credentials, with 401 or 403; `None` accepts them again.
    pub fn refuse_credentials(&self, status: Option<u16>) {
        self.with_settings(|settings| settings.refuse_credentials = status);
    }

    /// Changes options of the running space.
    pub fn configure(&self, change: impl FnOnce(&mut Options)) {
        self.with_settings(|settings| change(&mut settings.options));
    }

    /// The time of the space's clock.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Moves the space's clock forward: links get older.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Sets the difference between the space's clock and the system's.
    pub fn set_clock_offset(&self, offset: TimeDelta) {
        self.clock.set_offset(offset);
    }

    /// Revokes every link that was handed out so far, before it expires; new ones work.
    pub fn kill_links(&self) {
        self.signer.revoke();
    }
}
