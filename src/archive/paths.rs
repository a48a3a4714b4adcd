//! Makes a safe relative path from the configured template and a recording's facts, and finds the recording's
//! id in a file's name. Room names are untrusted: with `../`, control characters or 300 bytes they must still
//! become a readable name inside the archive.

mod clean;
mod relative;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Utc};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, context};
use uuid::Uuid;

use crate::model::{RecordingId, SessionId};
pub use relative::{
    BadPath, MAX_COMPONENT, MAX_COMPONENTS, MAX_PATH, MIN_COMPONENT, RelativePath, SIDECAR,
};

/// The variables a template may use.
const VARIABLES: [&str; 8] = [
    "room",
    "session_id",
    "recording_id",
    "started_at",
    "year",
    "month",
    "day",
    "ext",
];

/// The name of the directory that the default template makes of a room's name.
#[must_use]
pub fn room_directory(name: &str) -> String {
    clean::room(name)
}

/// The values of a template's variables.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The room's name, unchanged; unknown: `unnamed-room`.
    pub room: Option<&'a str>,
    /// The session; unknown: `unknown-session`.
    pub session_id: Option<SessionId>,
    /// The recording.
    pub recording_id: RecordingId,
    /// When it started; unknown: `undated`, month and day `00`.
    pub started_at: Option<DateTime<Utc>>,
    /// The file's extension, once its bytes are known; it takes precedence over `format`.
    pub extension: Option<&'a str>,
    /// SignalWire's label, which determines the extension until the bytes are known; unknown: `mp4`.
    pub format: Option<&'a str>,
}

/// Why a path template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A syntax error.
    #[error("the path template is not valid: {0}")]
    Syntax(String),
    /// It uses a variable that does not exist.
    #[error("the path template uses the unknown variable '{0}'; the variables are {list}", list = VARIABLES.join(", "))]
    UnknownVariable(String),
    /// It can be parsed, but not filled in.
    #[error("the path template can't be filled in: {0}")]
    Render(String),
    /// Two recordings could get the same file name.
    #[error(
        "the path template must contain {{{{ recording_id }}}} in its last part, without a filter and after any other id"
    )]
    NoRecordingId,
    /// It begins with a slash.
    #[error("the path template must be relative to the archive's directory")]
    Absolute,
    /// It could leave the archive, or enter the archiver's own directories.
    #[error("the path template must not have parts that begin with a dot")]
    Dot,
    /// It gives more than [`MAX_COMPONENTS`] components.
    #[error("the path template has more than {MAX_COMPONENTS} parts")]
    TooDeep,
}

/// A path template that was tried out: it gives every recording its own path.
#[derive(Debug, Clone)]
pub struct Template {
    source: String,
    environment: Environment<'static>,
    name_max: usize,
}

impl Template {
    /// Reads a template in Jinja's language and tries it out.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn parse(source: &str) -> Result<Self, BadTemplate> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let template = Self {
            source: source.to_owned(),
            environment,
            name_max: MAX_COMPONENT,
        };
        template.check_variables()?;
        for id in [u128::MAX / 3, u128::MAX / 5 * 3] {
            for (room, time) in [
                (None, None),
                (Some("room"), DateTime::from_timestamp(1_700_000_000, 0)),
            ] {
                template.try_out(&Facts {
                    room,
                    session_id: room.map(|_| Uuid::from_u128(u128::MAX / 7).into()),
                    recording_id: Uuid::from_u128(id).into(),
                    started_at: time,
                    extension: None,
                    format: None,
                })?;
            }
        }
        Ok(template)
    }

    /// Shortens names to what the archive's file system allows, in bytes.
    #[must_use]
    pub fn with_name_max(self, bytes: usize) -> Self {
        let name_max = bytes.clamp(MIN_COMPONENT, MAX_COMPONENT);
        Self { name_max, ..self }
    }

    fn check_variables(&self) -> Result<(), BadTemplate> {
        let template = self
            .environment
            .template_from_str(&self.source)
            .map_err(|error| BadTemplate::Syntax(sentence(&error)))?;
        let mut unknown: Vec<_> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| {
                !VARIABLES.contains(&name.as_str())
                    && self.environment.globals().all(|(global, _)| global != name)
            })
            .collect();
        unknown.sort();
        unknown
            .into_iter()
            .next()
            .map_or(Ok(()), |name| Err(BadTemplate::UnknownVariable(name)))
    }

    fn try_out(&self, facts: &Facts<'_>) -> Result<(), BadTemplate> {
        let path = self.fill(facts).map_err(|error| match error.kind() {
            ErrorKind::SyntaxError => BadTemplate::Syntax(sentence(&error)),
            _ => BadTemplate::Render(sentence(&error)),
        })?;
        let path = path.trim();
        if path.starts_with('/') {
            return Err(BadTemplate::Absolute);
        }
        if path.split('/').any(|part| part.trim().starts_with('.')) {
            return Err(BadTemplate::Dot);
        }
        if path.split('/').count() > MAX_COMPONENTS {
            return Err(BadTemplate::TooDeep);
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        if id_in_name(name).is_none_or(|(id, _)| id != facts.recording_id) {
            return Err(BadTemplate::NoRecordingId);
        }
        Ok(())
    }

    /// The path of a recording's file: always the same for the same facts, inside the archive, and
    /// different from every other recording's, on file systems that ignore case as well.
    ///
    /// If the template fails or drops the id for some recording, the id is added to the file's name, so that
    /// every recording gets a path.
    #[must_use]
    pub fn render(&self, facts: &Facts<'_>) -> RelativePath {
        let text = self.fill(facts).unwrap_or_default();
        let (parents, name) = text.rsplit_once('/').unwrap_or(("", &text));
        let name = file_name(name, facts.recording_id, extension(facts), self.name_max);
        let mut path = String::new();
        for parent in parents
            .split('/')
            .map(|part| clean::component(part, self.name_max))
            .filter(|part| !part.is_empty())
            .take(MAX_COMPONENTS - 1)
        {
            // A path that is too long loses its deepest directories, never the file's name.
            if path.len() + parent.len() + 1 + name.len() > MAX_PATH {
                break;
            }
            path.push_str(&parent);
            path.push('/');
        }
        path.push_str(&name);
        RelativePath::from_clean(path)
    }

    fn fill(&self, facts: &Facts<'_>) -> Result<String, minijinja::Error> {
        let time = facts
            .started_at
            .filter(|time| (1..=9999).contains(&time.year()));
        let date = |format: &str, unknown: &str| {
            time.map_or_else(
                || unknown.to_owned(),
                |time| time.format(format).to_string(),
            )
        };
        let session_id = facts
            .session_id
            .map_or_else(|| "unknown-session".to_owned(), |id| id.to_string());
        self.environment.render_str(
            &self.source,
            context! {
                room => clean::room(facts.room.unwrap_or_default()),
                session_id,
                recording_id => facts.recording_id.to_string(),
                started_at => date("%Y%m%dT%H%M%SZ", "undated"),
                year => date("%Y", "undated"),
                month => date("%m", "00"),
                day => date("%d", "00"),
                ext => extension(facts),
            },
        )
    }
}

/// The recording whose id is in the name of the file at `path`: the last id, if there are several.
#[must_use]
pub fn recording_id_in(path: &str) -> Option<RecordingId> {
    id_in_name(path.rsplit('/').next()?).map(|(id, _)| id)
}

/// Bytes of a UUID's hyphenated text.
const ID_LEN: usize = 36;

/// The last id in a file's name and where it begins.
fn id_in_name(name: &str) -> Option<(RecordingId, usize)> {
    (0..=name.len().checked_sub(ID_LEN)?).rev().find_map(|at| {
        // Of that length, only the hyphenated form parses.
        let id = name.get(at..at + ID_LEN)?.parse().ok()?;
        Some((id, at))
    })
}

/// A clean file name of at most `max` bytes that contains `id`; the rest is cut if necessary.
fn file_name(rendered: &str, id: RecordingId, ext: &str, max: usize) -> String {
    let holds_id = |name: &str| id_in_name(name).is_some_and(|(found, _)| found == id);
    let whole = clean::component(rendered, usize::MAX);
    if whole.len() <= max && holds_id(&whole) {
        return whole;
    }
    let (head, end) = match id_in_name(&whole) {
        Some((found, at)) if found == id => (&whole[..at], &whole[at + ID_LEN..]),
        _ => (whole.as_str(), ""),
    };
    // A long end can't be shortened sensibly: the plain extension replaces it.
    let plain = format!(".{ext}");
    let end = if end.is_empty() || end.len() > 32 {
        &plain
    } else {
        end
    };
    let head = clean::cut(head, max - ID_LEN - 1 - end.len());
    let separator = match head.chars().next_back() {
        None | Some('_' | '-' | '.' | ' ') => "",
        Some(_) => "_",
    };
    let name = clean::component(&format!("{head}{separator}{id}{end}"), max);
    if holds_id(&name) {
        name
    } else {
        format!("{id}{plain}")
    }
}

/// The file's extension, from its bytes, else from its label, which may be a MIME type or an extension.
fn extension<'a>(facts: &Facts<'a>) -> &'a str {
    let is_plain = |ext: &&str| {
        (1..=8).contains(&ext.len()) && ext.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if let Some(extension) = facts.extension.filter(is_plain) {
        return extension;
    }
    let label = facts.format.unwrap_or_default().to_ascii_lowercase();
    let label = label.split(';').next().unwrap_or_default().trim();
    let (class, word) = label.split_once('/').unwrap_or(("", label));
    match word.trim_start_matches('.').trim_start_matches("x-") {
        "webm" => "webm",
        "quicktime" | "mov" => "mov",
        "matroska" | "mkv" => "mkv",
        "ogg" | "opus" => "ogg",
        "m4a" => "m4a",
        "mp4" if class == "audio" => "m4a",
        "mpeg" if class == "audio" => "mp3",
        "mp3" => "mp3",
        "wav" | "wave" => "wav",
        _ => "mp4",
    }
}

/// The error's text on one line.
fn sentence(error: &minijinja::Error) -> String {
    let text = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
