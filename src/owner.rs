//! The owner of the archive. Files that another user, such as root, creates there can't be changed by the service,
//! so a command of another user is refused before it touches anything.

use std::ffi::OsString;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::process::geteuid;

use crate::archive::root::MARKER;

/// The `statfs` types of file systems on which the mount determines the owner: FAT, exFAT, NTFS (two drivers),
/// CIFS, SMB, 9p, FUSE.
const WITHOUT_OWNERS: [i64; 8] = [
    0x4d44,
    0x2011_bab0,
    0x5346_544e,
    0x7366_746e,
    0xff53_4d42,
    0xfe53_4d42,
    0x0102_1997,
    0x6573_5546,
];

/// The archive or its database belongs to another user.
#[derive(Debug, thiserror::Error)]
#[error("'{}' belongs to {owner}: run this as that user{or_group}, with: {command}", path.display())]
pub struct Foreign {
    /// The file or directory.
    pub path: PathBuf,
    /// The user it belongs to.
    pub owner: Owner,
    /// A command line that runs the same command as that user.
    pub command: String,
    /// Who else may do it.
    or_group: &'static str,
}

impl Foreign {
    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        format!("run this as {}, with: {}", self.owner, self.command)
    }

    /// The same for a command that only reads: members of the group can run it, too.
    #[must_use]
    pub fn for_readers(self) -> Self {
        Self {
            or_group: ", or as a member of its group",
            ..self
        }
    }
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The user's numeric id.
    pub uid: u32,
    gid: u32,
    name: Option<String>,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "the user '{name}'"),
            None => write!(f, "the user with the id {}", self.uid),
        }
    }
}

impl Owner {
    fn of(file: &Metadata) -> Self {
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut user = Self {
            uid: file.uid(),
            gid: file.gid(),
            name: None,
        };
        for line in passwd.lines() {
            let fields: Vec<_> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields[..]
                && uid.parse() == Ok(user.uid)
            {
                user.name = Some(name.to_owned());
                user.gid = gid.parse().unwrap_or(user.gid);
                break;
            }
        }
        user
    }

    /// The command line that runs a command as this user.
    fn run(&self, command: &str) -> String {
        match &self.name {
            Some(name) if geteuid().is_root() => format!("runuser -u {name} -- {command}"),
            Some(name) => format!("sudo -u {name} {command}"),
            None => format!(
                "{}setpriv --reuid={} --regid={} --clear-groups {command}",
                as_root(),
                self.uid,
                self.gid
            ),
        }
    }

    /// The command line that runs a command as this user and passes the token like the shipped unit.
    fn run_with_token(&self, token: &Path, command: &str) -> String {
        let user = self.name.clone().unwrap_or_else(|| self.uid.to_string());
        format!(
            "{}systemd-run --quiet --pipe --wait --uid={user} --gid={} \
             -p LoadCredential=signalwire_api_token:{} {command}",
            as_root(),
            self.gid,
            token.display()
        )
    }
}

/// What stands before a command that only root can run.
fn as_root() -> &'static str {
    if geteuid().is_root() { "" } else { "sudo " }
}

/// Fails if the archive, its database, or the directory in which either will be created, belongs to another user.
/// Changes nothing. `token`: the file of the token, if the command needs it and the environment does not have it.
pub fn refuse_foreign(
    database: &Path,
    archive: &Path,
    token: Option<&Path>,
) -> Result<(), Foreign> {
    let Some((path, owner)) = foreign(database, archive) else {
        return Ok(());
    };
    let command = command_line(std::env::args_os());
    let command = match token {
        Some(token) if Path::new("/run/systemd/system").exists() => {
            owner.run_with_token(token, &command)
        }
        _ => owner.run(&command),
    };
    Err(Foreign {
        path,
        owner,
        command,
        or_group: "",
    })
}

/// The first of database and archive that belongs to another user, and that user.
#[must_use]
pub fn foreign(database: &Path, archive: &Path) -> Option<(PathBuf, Owner)> {
    let me = geteuid().as_raw();
    // After a restore as root, the directory may be root's and the marker still the service's.
    let marker = (me == 0).then(|| archive.join(MARKER));
    for path in [Some(database), Some(archive), marker.as_deref()]
        .into_iter()
        .flatten()
    {
        // What does not exist yet will be created in the nearest existing directory.
        let found = path
            .ancestors()
            .map(|path| {
                if path.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    path
                }
            })
            .find_map(|path| Some((path, path.metadata().ok()?)));
        let Some((path, file)) = found else {
            continue;
        };
        if file.uid() != me && is_refused(me, path, &file) {
            return Some((path.to_owned(), Owner::of(&file)));
        }
    }
    None
}

/// Whether this user must not write to a file or directory of another user.
fn is_refused(me: u32, path: &Path, file: &Metadata) -> bool {
    if me == 0 {
        return !rustix::fs::statfs(path).is_ok_and(|stat| WITHOUT_OWNERS.contains(&stat.f_type));
    }
    let may_write = rustix::fs::access(path, Access::WRITE_OK).is_ok();
    match (file.uid(), file.is_dir()) {
        // Root's directories may be for others, such as mount points: their permissions decide later.
        (0, true) => false,
        (0, false) | (_, true) => !may_write,
        (_, false) => true,
    }
}

/// A command line with shell quotes.
fn command_line(args: impl Iterator<Item = OsString>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    let quoted = args.map(|arg| {
        let arg = arg.to_string_lossy().into_owned();
        if !arg.is_empty() && arg.chars().all(plain) {
            arg
        } else {
            format!("'{}'", arg.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let args = ["room-archiver", "--config", "/etc/it's mine", ""];
        let line = command_line(args.into_iter().map(OsString::from));
        assert_eq!(line, r"room-archiver --config '/etc/it'\''s mine' ''");
    }

    #[test]
    fn a_user_is_shown_by_name_and_by_number_without_one() {
        let file = Path::new("/").metadata().unwrap();
        assert_eq!(Owner::of(&file).to_string(), "the user 'root'");
        let unnamed = Owner {
            uid: 64_123,
            gid: 64_124,
            name: None,
        };
        assert_eq!(unnamed.to_string(), "the user with the id 64123");
        assert_eq!(
            unnamed.run("x"),
            format!(
                "{}setpriv --reuid=64123 --regid=64124 --clear-groups x",
                as_root()
            )
        );
    }
}
