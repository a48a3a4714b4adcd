//! Types of single settings. Each is read from text. Its error says what is expected and never repeats
//! the text, which may be a secret in the wrong key.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use bytesize::ByteSize;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::time;

/// Serde through `FromStr` and `Display`.
macro_rules! as_text {
    ($name:ident) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?
                    .parse()
                    .map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    };
}

/// A number of bytes, written `2GiB`, `500 MB` or `1048576`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ByteSize(bytes) = text
            .trim()
            .parse()
            .map_err(|_| "expected a size, such as \"2GiB\", \"500MB\" or \"0\"")?;
        // The database counts in signed 64-bit numbers.
        if i64::try_from(bytes).is_err() {
            return Err("the size is larger than any disk");
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
        // The largest unit that is exact, so that the text can be read back.
        match units
            .into_iter()
            .find(|(bits, _)| self.0 > 0 && self.0.trailing_zeros() >= *bits)
        {
            Some((bits, unit)) => write!(f, "{}{unit}", self.0 >> bits),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let parsed = match Written::deserialize(from) {
            Ok(Written::Number(bytes)) => bytes.to_string().parse(),
            Ok(Written::Text(text)) => text.parse(),
            Err(_) => "".parse(),
        };
        parsed.map_err(de::Error::custom)
    }
}

/// Permissions of an archived file, written in octal: `0640`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMode(u32);

impl FileMode {
    /// The permission bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for FileMode {
    fn default() -> Self {
        Self(0o640)
    }
}

impl FromStr for FileMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if !(3..=4).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err("expected permissions as octal text, such as \"0640\"");
        }
        match u32::from_str_radix(digits, 8) {
            Ok(mode) if mode > 0o777 => {
                Err("only the nine permission bits can be set: \"0000\" to \"0777\"")
            }
            Ok(mode) if mode & 0o400 == 0 => {
                Err("the owner must be able to read the files to verify them; use \"0640\"")
            }
            Ok(mode) if mode & 0o002 != 0 => {
                Err("other users must not be able to write to the files; use \"0640\"")
            }
            Ok(mode) => Ok(Self(mode)),
            Err(_) => Err("expected permissions as octal text, such as \"0640\""),
        }
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

as_text!(FileMode);

/// A point in time, written as a date (its start in UTC) or as an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Since {
    text: String,
    at: DateTime<Utc>,
}

impl Since {
    /// The time; for a date, its start in UTC.
    #[must_use]
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(date) => Some(date.and_time(NaiveTime::MIN).and_utc()),
            Err(_) => time::parse(text),
        };
        Ok(Self {
            text: text.to_owned(),
            at: at.ok_or("expected a date, such as \"2024-01-31\", or a time, such as \"2024-01-31T08:00:00Z\"")?,
        })
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

as_text!(Since);

/// An address and a port to listen on: `127.0.0.1:9464`, `localhost:9464`, or `:9464` for all addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    text: String,
    addresses: Vec<SocketAddr>,
}

impl Listen {
    /// What to listen on; the next one only where the machine does not have the address family of the one before.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an address and a port: \"127.0.0.1:9464\", \"localhost:9464\", or \":9464\" for all addresses of this machine; names other than localhost are not looked up";
        let addresses = match (text.parse::<SocketAddr>(), text.rsplit_once(':')) {
            (Ok(address), _) => vec![address],
            (Err(_), Some((host, port))) => {
                let port = port.parse::<u16>().map_err(|_| EXPECTED)?;
                let hosts = match host {
                    "" | "*" => vec![
                        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                    ],
                    name if name.eq_ignore_ascii_case("localhost") => {
                        vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]
                    }
                    _ => return Err(EXPECTED),
                };
                let hosts = hosts.into_iter().map(|host| SocketAddr::new(host, port));
                hosts.collect()
            }
            (Err(_), None) => return Err(EXPECTED),
        };
        Ok(Self {
            text: text.to_owned(),
            addresses,
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

as_text!(Listen);

/// Globs for room names; one that matches is enough. They are case-sensitive, and `*` also matches `/`.
#[derive(Clone, Debug, Default)]
pub struct Globs {
    texts: Vec<String>,
    set: GlobSet,
}

impl Globs {
    /// Checks and compiles the globs.
    ///
    /// # Errors
    ///
    /// The number of the wrong glob, counted from 1, and why it is wrong.
    pub fn new(texts: Vec<String>) -> Result<Self, String> {
        let mut builder = GlobSetBuilder::new();
        for (number, text) in (1..).zip(&texts) {
            let glob = GlobBuilder::new(text)
                .build()
                .map_err(|error| format!("glob {number} of the list: {}", error.kind()))?;
            builder.add(glob);
        }
        let set = builder.build().map_err(|error| error.kind().to_string())?;
        Ok(Self { texts, set })
    }

    /// Whether any glob matches.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// Whether there are no globs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The globs as they were written.
    #[must_use]
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The compiled set, for modules that do not depend on the configuration.
    #[must_use]
    pub fn set(&self) -> &GlobSet {
        &self.set
    }
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Serialize for Globs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Globs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Which recordings are downloaded first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those that started first, which SignalWire is likely to remove first.
    #[default]
    OldestFirst,
    /// Those that started last.
    NewestFirst,
}

/// The least severe events that are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// And warnings: what may need attention.
    Warn,
    /// And what was done, such as an archived recording.
    #[default]
    Info,
    /// And decisions and retries.
    Debug,
    /// Everything.
    Trace,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For the journal if stderr goes there, else text.
    #[default]
    Auto,
    /// Lines of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Optional settings for which an empty text means "none", so that a variable can unset what the file sets.
/// How long a file stays on the disk after its copy was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepLocal {
    /// It is never removed.
    #[default]
    Forever,
    /// So long.
    For(std::time::Duration),
}

impl<'de> Deserialize<'de> for KeepLocal {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let time = humantime_serde::re::humantime::parse_duration(&text);
        time.map(Self::For)
            .map_err(|_| de::Error::custom("must be \"forever\" or a duration such as \"30d\""))
    }
}

impl Serialize for KeepLocal {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Forever => to.serialize_str("forever"),
            Self::For(time) => humantime_serde::serialize(time, to),
        }
    }
}

pub(super) mod optional {
    use super::{Deserialize, Deserializer, FromStr, Serialize, Serializer, de, fmt};

    pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        match Option::<String>::deserialize(from)?.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => text.parse().map(Some).map_err(de::Error::custom),
        }
    }

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(to),
            None => to.serialize_str(""),
        }
    }
}
