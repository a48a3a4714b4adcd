//! What most tests stand on: a fake space, a directory with a configuration, the real program, and the
//! same parts in this process with a clock that tests step.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use fake_space::{Options, Space};
use room_archiver::app::App;
use room_archiver::clock::Clock;
use room_archiver::config::{Config, Environment};
use room_archiver::download::{Downloader, Until};
use room_archiver::model::ApiToken;
use room_archiver::poll::{Poller, Report};
use room_archiver::store::Counts;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A fake space, and an archive of it.
pub struct Setting {
    pub space: Space,
    pub directory: TempDir,
    pub database: PathBuf,
    pub recordings: PathBuf,
    /// Lines added to the configuration, section headers included.
    pub more: String,
}

impl Setting {
    /// A space that answers on a thread of its own, so that tests may block.
    pub fn new(options: Options) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self {
            space: Space::start_on_own_thread(options).expect("two free ports"),
            database: directory.path().join("archive.db"),
            recordings: directory.path().join("recordings"),
            directory,
            more: String::new(),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.database.clone()
    }

    pub fn recordings(&self) -> PathBuf {
        self.recordings.clone()
    }

    /// Writes the configuration and tells where. Retries are quick, so that no test waits for them.
    pub fn config_file(&self) -> PathBuf {
        let path = self.directory.path().join("config.toml");
        // Sections in `more` come first: a later one of the same name would be an error.
        let text = format!(
            "{more}\n",
            more = merge(
                &format!(
                    "[signalwire]\nbase_url = \"{}\"\nproject_id = \"{}\"\n\
                     [download]\nallow_private_hosts = true\nretry_initial = \"20ms\"\n\
                     [archive]\ndirectory = \"{}\"\nmin_free_space = \"0\"\n\
                     [database]\npath = \"{}\"\n",
                    self.space.api_url(),
                    self.space.project_id(),
                    self.recordings().display(),
                    self.database().display(),
                ),
                &self.more
            )
        );
        std::fs::write(&path, text).expect("a configuration");
        path
    }

    /// The program with this configuration and the space's token.
    pub fn command(&self) -> assert_cmd::Command {
        let mut command = super::binary();
        command
            .env("ROOM_ARCHIVER_API_TOKEN", self.space.token())
            .arg("--config")
            .arg(self.config_file());
        command
    }

    /// Runs the program and tells what came of it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the program")
    }

    /// The configuration as the program reads it.
    pub fn config(&self) -> Config {
        let none: Environment = std::iter::empty::<(String, String)>().collect();
        Config::load(Some(&self.config_file()), &none).expect("a configuration")
    }

    /// The archive in this process, at the time that `clock` tells.
    pub async fn open(&self, clock: &Clock) -> Archive {
        let config = self.config();
        let stop = CancellationToken::new();
        // A process that another test starts holds this one's locks until its exec, however soon they are let go.
        let mut tries = 0;
        let app = loop {
            match App::open(&config, clock.clone(), stop.clone()).await {
                Err(error) if tries < 100 && error.to_string().contains("another instance") => {
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
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
        let downloader = Downloader::new(setups, app.ring.clone(), app.stop.clone());
        Archive {
            app,
            poller,
            downloader,
            setups: setup,
        }
    }

    /// The one value that a query of the public views gives, as `sqlite3 -readonly` prints it.
    pub fn sql(&self, query: &str) -> String {
        sqlite(&self.database(), query)
    }

    /// Waits until something holds, half a minute at the most.
    pub fn wait(&self, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..1500 {
            if holds(self) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("it did not come to hold");
    }

    /// Changes the database as an operator with `sqlite3` could.
    pub fn write_sql(&self, statements: &str) {
        sqlite_write(&self.database(), statements);
    }

    /// Every file of the archive outside its hidden directories.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.recordings(), &mut found);
        found.sort();
        found
    }
}

/// An open archive.
pub struct Archive {
    pub app: App,
    pub poller: Poller,
    pub downloader: Downloader,
    setups: watch::Sender<Arc<room_archiver::download::Setup>>,
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
        let beat: room_archiver::app::Beat = Arc::new(|| {});
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

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            _ = write!(text, "{byte:02x}");
            text
        })
}

/// What `sqlite3 -readonly` prints.
pub fn sqlite(database: &Path, query: &str) -> String {
    let output = std::process::Command::new("sqlite3")
        .arg("-readonly")
        .arg(database)
        .arg(query)
        .output()
        .expect("sqlite3 is installed");
    assert!(output.status.success(), "{output:?}");
    super::text(&output.stdout).trim_end().to_owned()
}

/// Lets `sqlite3` change a database.
pub fn sqlite_write(database: &Path, statements: &str) {
    let output = std::process::Command::new("sqlite3")
        .arg(database)
        .arg(statements)
        .output()
        .expect("sqlite3 is installed");
    assert!(output.status.success(), "{output:?}");
}

/// Puts the lines of `more` into the sections of `base` that they belong to.
fn merge(base: &str, more: &str) -> String {
    let mut base: toml::Table = base.parse().expect("TOML");
    let more: toml::Table = more.parse().expect("TOML");
    for (section, values) in more {
        let into = base
            .entry(section)
            .or_insert_with(|| toml::Table::new().into());
        if let (Some(into), toml::Value::Table(values)) = (into.as_table_mut(), values) {
            into.extend(values);
        }
    }
    base.to_string()
}

/// Every file below a directory outside its hidden directories.
pub fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if entry.path().is_dir() && !hidden {
            collect(&entry.path(), found);
        } else if !hidden {
            found.push(entry.path());
        }
    }
}

/// The daemon as a child of this process, its stderr read line by line.
pub struct Child {
    process: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStderr>>,
    /// Every line read so far.
    pub told: Vec<String>,
}

impl Child {
    /// Starts `run`.
    pub fn start(setting: &Setting, stderr: std::process::Stdio) -> Self {
        Self::start_with(setting, stderr, &[])
    }

    /// Starts `run` with more of an environment.
    pub fn start_with(
        setting: &Setting,
        stderr: std::process::Stdio,
        env: &[(&str, &std::ffi::OsStr)],
    ) -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_room-archiver"));
        command
            .env_clear()
            .env("ROOM_ARCHIVER_API_TOKEN", setting.space.token())
            .envs(env.iter().copied())
            .arg("--config")
            .arg(setting.config_file())
            .arg("run")
            .stderr(stderr);
        Self::of(command)
    }

    /// Starts a command whose stderr is a pipe.
    pub fn of(mut command: std::process::Command) -> Self {
        use std::io::BufRead as _;
        let mut process = command.spawn().expect("the program");
        let stderr = process.stderr.take().expect("a pipe");
        Self {
            process,
            lines: std::io::BufReader::new(stderr).lines(),
            told: Vec::new(),
        }
    }

    /// Waits for a line that holds `text`, and tells it.
    pub fn line(&mut self, text: &str) -> String {
        for line in self.lines.by_ref() {
            let line = line.expect("text");
            self.told.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without a line with '{text}': {:#?}", self.told);
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, signal).expect("a child");
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// The most memory it has had in use so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).expect("a child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|text| text.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number of kB")
            << 10
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("a child");
        self.process.wait().expect("a child");
    }

    /// Waits for its end, with all it says until then.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        for line in self.lines.by_ref() {
            self.told.push(line.expect("text"));
        }
        self.process.wait().expect("a child")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
