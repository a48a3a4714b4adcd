//! The soak: the real service against a space that keeps making recordings, while faults come and go at
//! random and the service is killed at random. After it everything is archived exactly once, and memory and
//! file descriptors stayed flat.
//!
//! `tests/soak/run` runs it; everything random follows from one printed seed.

mod service;
mod tally;

use std::time::Duration;

use fake_space::{Chaos, Dice, Generated, Lifecycle, Media, NewRecording, NewSession, Options};
use room_archiver::clock::Clock;
use rustix::process::Signal;
use uuid::Uuid;

use service::Service;
use tally::Tally;

use super::harness::Setting;

const TICK: Duration = Duration::from_millis(250);
/// Ticks from one state of the rooms to the next, and from some faults to others.
const ROOMS_STEP: u64 = 2;
const CHAOS_STEP: u64 = 8;
const ROOMS: usize = 4;
/// Bytes of most recordings, and of the rare large ones, which are synced in between.
const SIZE: u64 = 500_000;
const LARGE: u64 = 80_000_000;
/// How long the service gets to finish once the faults are over.
const GRACE: Duration = Duration::from_mins(3);

const CONFIG: &str = r#"
[signalwire]
request_timeout = "3s"
connect_timeout = "2s"
[poll]
schedule = "*/3 * * * * *"
sweep_schedule = "10,40 * * * * *"
[download]
stall_timeout = "2s"
retry_initial = "200ms"
retry_max = "5s"
[archive]
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "tests/soak/run runs it"]
async fn faults_and_kills_at_random_lose_nothing_and_leak_nothing() {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let seconds = number("SOAK_SECONDS", 20 * 60);
    let seed = number("SOAK_SEED", 1);
    println!("soak of {seconds} s with the seed {seed}");
    let mut soak = Soak::start(seed);
    soak.run(Duration::from_secs(seconds)).await;
    soak.finish().await;
    soak.tally.print(&soak.setting, &soak.made(), &soak.chaos);
    soak.tally.check();
}

struct Soak {
    setting: Setting,
    clock: Clock,
    dice: Dice,
    chaos: Chaos,
    rooms: Lifecycle,
    large: Vec<Uuid>,
    service: Service,
    tally: Tally,
    /// Until when the disk is said to be full.
    full_until: Option<Duration>,
}

impl Soak {
    fn start(seed: u64) -> Self {
        let mut setting = Setting::new(Options {
            seed,
            journal_cap: 1000,
            ..Options::default()
        });
        CONFIG.clone_into(&mut setting.more);
        let clock = Clock::system();
        let service = Service::start(&setting, &clock);
        Self {
            dice: Dice::new(seed),
            chaos: Chaos::new(&setting.space, seed, SIZE),
            rooms: Lifecycle::new(&setting.space, ROOMS, SIZE),
            large: Vec::new(),
            tally: Tally::default(),
            full_until: None,
            setting,
            clock,
            service,
        }
    }

    /// Two thirds of the time with kills, the last third without: one life long enough to show whether
    /// anything grows in it.
    async fn run(&mut self, time: Duration) {
        let start = self.clock.monotonic();
        let (calm, end) = (start + time * 2 / 3, start + time);
        let mut kill_at = start + self.lifetime();
        for tick in 0.. {
            let now = self.clock.monotonic();
            if now >= end {
                break;
            }
            if tick % ROOMS_STEP == 0 {
                self.rooms.step();
                self.maybe_large();
            }
            if tick % CHAOS_STEP == 0 {
                self.chaos.step().await.expect("the space's ports");
            }
            self.disk_pressure(now);
            if now >= kill_at && now < calm {
                self.kill();
                kill_at = now + self.lifetime();
            }
            self.service.sample();
            tokio::time::sleep(TICK).await;
        }
    }

    /// From one to fifteen seconds.
    fn lifetime(&mut self) -> Duration {
        Duration::from_millis(1000 + self.dice.roll(14_000))
    }

    fn maybe_large(&mut self) {
        if self.dice.roll(100) != 0 {
            return;
        }
        let space = &self.setting.space;
        let session = space.add_session(NewSession::completed("assembly"));
        let media = Media::generated(Generated {
            seed: self.large.len() as u64,
            ..Generated::of_size(LARGE)
        });
        let id = space.add_recording(session, NewRecording::completed(media));
        self.large.push(id);
    }

    /// Now and then the disk's reserve becomes larger than the disk for some seconds, by a reload.
    fn disk_pressure(&mut self, now: Duration) {
        let reserve = match self.full_until {
            None if self.dice.roll(200) == 0 => {
                self.full_until = Some(now + Duration::from_millis(500 + self.dice.roll(3000)));
                self.tally.full_disks += 1;
                "min_free_space = \"1000TiB\"\n"
            }
            Some(until) if until <= now => {
                self.full_until = None;
                ""
            }
            _ => return,
        };
        self.setting.more = format!("{CONFIG}{reserve}");
        self.setting.config_file();
        self.service.signal(Signal::HUP);
    }

    /// Mostly SIGKILL, sometimes SIGTERM; then the service starts again.
    fn kill(&mut self) {
        let life = if self.dice.roll(4) == 0 {
            self.tally.terminated += 1;
            self.service.terminate()
        } else {
            self.tally.killed += 1;
            self.service.kill()
        };
        self.tally.lives.push(life);
        self.service = Service::start(&self.setting, &self.clock);
    }

    fn made(&self) -> Vec<Uuid> {
        [self.rooms.completed(), &self.large].concat()
    }

    /// The faults are over: waits until everything is archived, and checks it.
    async fn finish(&mut self) {
        self.chaos.calm().await.expect("the space's ports");
        self.full_until = Some(Duration::ZERO);
        self.disk_pressure(self.clock.monotonic());
        let made = self.made();
        let end = self.clock.monotonic() + GRACE;
        let open = "SELECT (SELECT count(*) FROM archive) || '|' || count(*) FROM queue WHERE state <> 'waiting'";
        while self.setting.sql(open) != format!("{}|0", made.len()) {
            assert!(
                self.clock.monotonic() < end,
                "not archived in the end:\n{}\n{}",
                self.setting
                    .sql("SELECT * FROM queue WHERE state <> 'waiting'"),
                self.service.told()
            );
            self.service.sample();
            tokio::time::sleep(TICK).await;
        }
        self.tally.long = self.service.terminate();
        super::harness::invariant::check(&self.setting, &made);
        let verified = self.setting.run(&["verify", "--full"]);
        assert!(verified.status.success(), "{verified:?}");
    }
}
