//! The database as other programs see it: through `sqlite3`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::text;

/// What `sqlite3 -readonly` prints.
pub fn sqlite(database: &Path, query: &str) -> String {
    let mut command = Command::new("sqlite3");
    // A service that was killed leaves a log behind, which the next one takes over alone.
    command.args(["-cmd", ".timeout 9000", "-readonly"]);
    run(command.arg(database).arg(query))
}

/// Lets `sqlite3` change a database.
pub fn sqlite_write(database: &Path, statements: &str) {
    let mut command = Command::new("sqlite3");
    // A service may be at it.
    command.args(["-bail", "-cmd", ".timeout 9000"]);
    run(command.arg(database).arg(statements));
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("sqlite3 is installed");
    assert!(output.status.success(), "{output:?}");
    text(&output.stdout).trim_end().to_owned()
}

/// Another program that uses the database until it is ended.
pub struct Other(Child);

impl Other {
    /// Runs statements in `sqlite3`, and comes back when they have been run.
    pub fn begin(database: &Path, statements: &str) -> Self {
        let mut process = Command::new("sqlite3")
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is installed");
        let stdin = process.stdin.as_mut().expect("a pipe");
        writeln!(stdin, ".timeout 20000\n{statements}\n.shell echo begun").expect("a pipe");
        let stdout = BufReader::new(process.stdout.as_mut().expect("a pipe"));
        let told = stdout
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "begun");
        assert!(told, "it could not begin");
        Self(process)
    }

    pub fn goes_on(&mut self, statements: &str) {
        let stdin = self.0.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{statements}").expect("a pipe");
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}
