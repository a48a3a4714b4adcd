//! Requests each list of the API with the configured page size and lifetime of links, so that limits of the
//! space show here and not in the first sweep.

use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::cooldown::Cooldowns;
use crate::model::{ApiToken, SessionId};
use crate::signalwire::{Client, Error, Item, Pages, Result};

use super::report::Report;
use crate::human;

pub(super) async fn examine(config: &Config, token: ApiToken, clock: &Clock, report: &mut Report) {
    let examiner = Examiner {
        config,
        token,
        clock,
    };
    let mut session: Option<SessionId> = None;
    examiner
        .list("sessions", report, async |client| {
            let page = client.room_sessions().next().await?;
            session = page.and_then(|page| page.items.first().map(|session| session.id));
            Ok(())
        })
        .await;
    examiner
        .list("recordings", report, async |client| {
            first_page(client.room_recordings()).await
        })
        .await;
    match session {
        Some(id) => {
            examiner
                .list("of a session", report, async |client| {
                    match first_page(client.session_recordings(id)).await {
                        // Some spaces answer 404 when a session has no recordings.
                        Err(Error::Status { status: 404, .. }) => Ok(()),
                        other => other,
                    }
                })
                .await;
        }
        None => report.note("of a session", "not tried: there is no session yet"),
    }
}

async fn first_page<T: Item>(mut pages: Pages<'_, T>) -> Result<()> {
    pages.next().await.map(drop)
}

struct Examiner<'a> {
    config: &'a Config,
    token: ApiToken,
    clock: &'a Clock,
}

impl Examiner<'_> {
    /// Requests the first page of one list, with a new client that knows no limits of another list.
    async fn list(
        &self,
        name: &str,
        report: &mut Report,
        ask: impl AsyncFnOnce(&Client) -> Result<()>,
    ) {
        let token = self.token.clone();
        let client = app::client(self.config, token, self.clock.clone(), Cooldowns::default());
        // The check of the credentials has reported the error.
        let Ok(client) = client else { return };
        match ask(&client).await {
            Ok(()) => self.allowed(name, &client, report),
            Err(error @ Error::Refused { .. }) => report.fail(
                name,
                &error.to_string(),
                "SignalWire accepts the credentials, but not for this list: check that the token has the scope Video, then ask SignalWire",
            ),
            Err(error) => report.fail(
                name,
                &error.to_string(),
                "try again later; if it still fails, ask SignalWire",
            ),
        }
    }

    fn allowed(&self, name: &str, client: &Client, report: &mut Report) {
        let configured = &self.config.signalwire;
        let mut fine = true;
        match client.page_size() {
            size if size == configured.page_size => {}
            0 => {
                fine = false;
                let text = format!(
                    "signalwire.page_size = {} is refused, and so is every smaller size that was tried: SignalWire's default size is used",
                    configured.page_size
                );
                report.note(name, &text);
            }
            size => {
                fine = false;
                let text = format!(
                    "signalwire.page_size = {} is refused, {size} rows per page are allowed: set signalwire.page_size = {size}",
                    configured.page_size
                );
                report.note(name, &text);
            }
        }
        if client.media_ttl() != configured.media_ttl {
            fine = false;
            let text = format!(
                "signalwire.media_ttl = {} is refused, links are valid for {}: set a shorter signalwire.media_ttl",
                human::duration(configured.media_ttl),
                human::duration(client.media_ttl())
            );
            report.note(name, &text);
        }
        if fine {
            report.ok(
                name,
                &format!("answered with pages of up to {} rows", configured.page_size),
            );
        }
    }
}
