//! A fake space, a directory with a configuration and an archive of it, and the real program.

use std::path::{Path, PathBuf};
use std::process::Output;

use fake_space::{Media, NewRecording, NewSession, Options, Seen, Space};
use room_archiver::config::{Config, Environment};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Child, sqlite, sqlite_write};
use crate::binary;

/// A configuration by which [`Setting::target`] is where a recording lands.
pub const BY_ID: &str = "[archive]\npath_template = \"{{ room }}/{{ recording_id }}.{{ ext }}\"\n";

/// A configuration by which the daemon polls each second.
pub const EVERY_SECOND: &str = "[poll]\nschedule = \"* * * * * *\"\n";

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

    /// A space of the usual kind, and lines added to the configuration.
    pub fn with(more: &str) -> Self {
        let mut setting = Self::new(Options::default());
        more.clone_into(&mut setting.more);
        setting
    }

    /// The same with a recording.
    pub fn of(recording: NewRecording, more: &str) -> (Self, Uuid) {
        let setting = Self::with(more);
        let recording = setting.add(recording);
        (setting, recording)
    }

    /// An archive that has archived a recording.
    pub fn archived() -> Self {
        let setting = Self::with("");
        setting.space.archivable("lesson");
        setting.once(0);
        setting
    }

    /// Adds a recording, with a session of its own.
    pub fn add(&self, recording: NewRecording) -> Uuid {
        let session = self.space.add_session(NewSession::completed("lesson"));
        self.space.add_recording(session, recording)
    }

    pub fn add_media(&self, media: &Media) -> Uuid {
        self.add(NewRecording::completed(media.clone()))
    }

    pub fn database(&self) -> PathBuf {
        self.database.clone()
    }

    pub fn recordings(&self) -> PathBuf {
        self.recordings.clone()
    }

    /// Where a recording of [`Self::add`] lands under [`BY_ID`].
    pub fn target(&self, recording: Uuid) -> PathBuf {
        self.recordings.join(format!("lesson/{recording}.mp4"))
    }

    /// What a recording's download writes to.
    pub fn part(&self, recording: Uuid) -> PathBuf {
        self.recordings.join(format!(".partial/{recording}.part"))
    }

    /// The names of all parts.
    pub fn parts(&self) -> Vec<String> {
        names(&self.recordings.join(".partial"))
    }

    /// How many bytes all parts have.
    pub fn part_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(self.recordings.join(".partial"));
        let parts = entries.into_iter().flatten().flatten();
        parts
            .filter_map(|part| Some(part.metadata().ok()?.len()))
            .sum()
    }

    pub fn quarantined(&self) -> Vec<String> {
        names(&self.recordings.join(".quarantine"))
    }

    /// Writes the configuration and returns its path. Retries are quick, so that no test waits for them.
    pub fn config_file(&self) -> PathBuf {
        let path = self.directory.path().join("config.toml");
        let base = format!(
            "[signalwire]\nbase_url = \"{}\"\nproject_id = \"{}\"\n\
             [download]\nallow_private_hosts = true\nretry_initial = \"20ms\"\n\
             [archive]\ndirectory = \"{}\"\nmin_free_space = \"0\"\n\
             [database]\npath = \"{}\"\n",
            self.space.api_url(),
            self.space.project_id(),
            self.recordings.display(),
            self.database.display(),
        );
        std::fs::write(&path, merge(&base, &self.more)).expect("a configuration");
        path
    }

    /// The program with this configuration and the space's token.
    pub fn command(&self) -> assert_cmd::Command {
        let mut command = binary();
        command
            .env("ROOM_ARCHIVER_API_TOKEN", self.space.token())
            .arg("--config")
            .arg(self.config_file());
        command
    }

    /// Runs the program.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the program")
    }

    /// Runs `once`, which ends with this exit code.
    #[track_caller]
    pub fn once(&self, code: i32) -> Output {
        let output = self.run(&["once"]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        output
    }

    /// Starts the daemon.
    pub fn daemon(&self) -> Child {
        Child::start(self, &[])
    }

    /// The configuration as the program reads it.
    pub fn config(&self) -> Config {
        let none: Environment = std::iter::empty::<(String, String)>().collect();
        Config::load(Some(&self.config_file()), &none).expect("a configuration")
    }

    /// The one value that a query of the public views gives, as `sqlite3 -readonly` prints it.
    pub fn sql(&self, query: &str) -> String {
        sqlite(&self.database, query)
    }

    /// Changes the database as an operator with `sqlite3` could.
    pub fn write_sql(&self, statements: &str) {
        sqlite_write(&self.database, statements);
    }

    /// How many rows a table or view has.
    pub fn count(&self, of: &str) -> String {
        self.sql(&format!("SELECT count(*) FROM {of}"))
    }

    /// As if the time were over that recordings were put off for.
    pub fn due(&self) {
        self.write_sql("UPDATE recording SET next_attempt_at = NULL");
    }

    /// Waits until something holds, half a minute at the most.
    #[track_caller]
    pub fn wait(&self, mut holds: impl FnMut(&Self) -> bool) {
        for _ in 0..1500 {
            if holds(self) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("it did not come to hold");
    }

    /// Every file of the archive outside its hidden directories.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(&self.recordings, &mut found);
        found.sort();
        found
    }

    /// What the media host was asked for.
    pub fn media_requests(&self) -> Vec<Seen> {
        let mut seen = self.space.journal();
        seen.retain(Seen::is_media);
        seen
    }

    /// How often the media host was asked for a recording.
    pub fn transfers_of(&self, recording: Uuid) -> usize {
        let of = |seen: &&Seen| seen.path.contains(&recording.to_string());
        self.media_requests().iter().filter(of).count()
    }

    /// How many single recordings the API was asked for: links that were minted.
    pub fn minted(&self) -> usize {
        let journal = self.space.journal();
        let single = |seen: &&Seen| seen.path.contains("/room_recordings/") && !seen.is_media();
        journal.iter().filter(single).count()
    }
}

/// The names in a directory, sorted; none if it is not there.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// Puts a file where a recording will want to land.
pub fn occupy(target: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(target.parent().expect("a directory")).expect("a directory");
    std::fs::write(target, bytes).expect("a file");
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
