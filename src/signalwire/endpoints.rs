//! The requests to the API: lists and single objects.

use std::time::Duration;

use url::Url;

use super::client::Client;
use super::error::{Error, Result};
use super::pages::Pages;
use super::refusals::PROBE;
use super::wire::{Item, read_single};
use crate::model::{Listed, RecordingId, Session, SessionId};

impl Client {
    /// All room sessions.
    #[must_use]
    pub fn room_sessions(&self) -> Pages<'_, Session> {
        Pages::new(self, self.list("room_sessions", false))
    }

    /// The recordings of one session.
    #[must_use]
    pub fn session_recordings(&self, id: SessionId) -> Pages<'_, Listed> {
        Pages::new(
            self,
            self.list(&format!("room_sessions/{id}/recordings"), true),
        )
    }

    /// All recordings of the project.
    #[must_use]
    pub fn room_recordings(&self) -> Pages<'_, Listed> {
        Pages::new(self, self.list("room_recordings", true))
    }

    /// One session; `None` when SignalWire does not know it.
    pub async fn room_session(&self, id: SessionId) -> Result<Option<Session>> {
        let url = self.url(&format!("room_sessions/{id}"));
        self.one(url, |session: &Session| session.id == id).await
    }

    /// One recording with a fresh link that lives for `ttl`, or for the default time if the space refuses
    /// `ttl`. `None`: a 404, which alone proves nothing, see [`Client::recording_still_listed`].
    pub async fn room_recording(&self, id: RecordingId, ttl: Duration) -> Result<Option<Listed>> {
        let url = self.url(&format!("room_recordings/{id}"));
        let url = self.limits.with_ttl(url, ttl);
        self.one(url, |listed: &Listed| listed.recording.id == id)
            .await
    }

    /// Looks again for a recording whose request was answered with 404: in the list of its session, then
    /// with a second request. `None`: it is gone.
    ///
    /// # Errors
    /// [`Error`], if a request fails: it may be there or gone.
    pub async fn recording_still_listed(
        &self,
        session: Option<SessionId>,
        id: RecordingId,
    ) -> Result<Option<Listed>> {
        if let Some(session) = session {
            let mut pages = self.session_recordings(session);
            loop {
                match pages.next().await {
                    Ok(Some(page)) => {
                        let mut items = page.items.into_iter();
                        if let Some(listed) = items.find(|listed| listed.recording.id == id) {
                            return Ok(Some(listed));
                        }
                    }
                    Ok(None) | Err(Error::Status { status: 404, .. }) => break,
                    Err(error) => return Err(error),
                }
            }
        }
        self.room_recording(id, self.media_ttl()).await
    }

    /// One small request that checks the credentials.
    pub async fn probe(&self) -> Result<()> {
        let mut url = self.url("room_sessions");
        url.set_query(Some(PROBE));
        Pages::<Session>::new(self, url).next().await.map(drop)
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.options.base.clone();
        url.set_path(&format!("/api/video/{path}"));
        url
    }

    fn list(&self, path: &str, links: bool) -> Url {
        let url = self.limits.with_page_size(self.url(path));
        if links {
            self.limits.with_ttl(url, self.options.media_ttl)
        } else {
            url
        }
    }

    /// One object. A different one is an error: its link would lead to other bytes.
    async fn one<T: Item>(&self, url: Url, is_requested: impl Fn(&T) -> bool) -> Result<Option<T>> {
        let read = self
            .get(url, |body, arrival| {
                let item = read_single(body, arrival)?;
                if is_requested(&item) {
                    Ok(item)
                } else {
                    Err("a different object".to_owned())
                }
            })
            .await;
        match read {
            Ok((item, _)) => Ok(Some(item)),
            Err(Error::Status { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
