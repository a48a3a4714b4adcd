//! The parts of the program in this process, with a clock that tests step.

use std::sync::Arc;
use std::time::Duration;

use room_archiver::app::{App, Beat};
use room_archiver::clock::Clock;
use room_archiver::download::{Downloader, Setup, Until};
use room_archiver::model::ApiToken;
use room_archiver::poll::{Poller, Report};
use room_archiver::store::Counts;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Setting;

/// An open archive.
pub struct Archive {
    pub app: App,
    pub poller: Poller,
    pub downloader: Downloader,
    setups: watch::Sender<Arc<Setup>>,
}

impl Setting {
    /// The archive in this process, at the time of `clock`.
    pub async fn open(&self, clock: &Clock) -> Archive {
        let config = self.config();
        let stop = CancellationToken::new();
        // A process that another test starts holds this one's locks until its exec, however soon they are let go.
        let mut tries = 0;
        let app = loop {
            match App::open(&config, clock.clone(), stop.clone()).await {
                Err(error) if tries < 100 && error.to_string().contains("another instance") => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => break opened.expect("an archive"),
            }
        };
        let token = ApiToken::new(&self.space.token());
        let client = app.client(&config, token).expect("a client");
        let poller = app.poller(&config, client.clone(), Arc::new(|| {}));
        app.apply_config(&config, &poller)
            .await
            .expect("a database");
        let setup = app
            .setup(&config, client, Arc::new(|| {}))
            .expect("a setup");
        let (setup, setups) = watch::channel(Arc::new(setup));
        let downloader = Downloader::new(setups, app.wake.clone(), app.stop.clone());
        Archive {
            app,
            poller,
            downloader,
            setups: setup,
        }
    }

    /// The archive in this process, after a poll.
    pub async fn polled(&self) -> Archive {
        let archive = self.open(&Clock::system()).await;
        archive.poll().await;
        archive
    }
}

impl Archive {
    pub async fn poll(&self) -> Report {
        self.poller.poll().await.expect("a database")
    }

    pub async fn sweep(&self) -> Report {
        self.poller.sweep().await.expect("a database")
    }

    /// Downloads until nothing more can be done soon.
    pub async fn download(&self) -> u64 {
        let beat: Beat = Arc::new(|| {});
        self.app.compare_if_needed(&beat).await.expect("a disk");
        self.downloader
            .run(Until::Drained)
            .await
            .expect("a database")
    }

    pub fn failing_hosts(&self) -> Vec<String> {
        let failing = self.setups.borrow().hosts.failing();
        failing.into_iter().map(|failing| failing.host).collect()
    }

    pub async fn counts(&self) -> Counts {
        self.app.store.counts().await.expect("a database")
    }

    pub async fn close(self) {
        drop((self.poller, self.downloader, self.setups));
        self.app.close().await.expect("a database");
    }
}
