//! Merges file and environment over the defaults. Each key is checked separately, so that one wrong key
//! hides no other, and each problem names the file or variable of the value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider as _};

use super::errors::{ConfigErrors, Problem};
use super::layers::{Layer, PATH_VARIABLE, plain, read_table, typed};
use super::sections::Config;
use super::wording::{TOKEN_HINT, describe, is_secret, nearest};
use super::{Environment, named, validate};

/// The configuration file, if neither `--config` nor `ROOM_ARCHIVER_CONFIG` names another.
pub const DEFAULT_PATH: &str = "/etc/room-archiver/config.toml";
const PREFIX: &str = "ROOM_ARCHIVER__";

/// A configuration and the origin of its values.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, checked.
    pub config: Config,
    /// The file that was read.
    pub file: PathBuf,
    /// Where each `section.key` that was set came from: the file's path, or `environment variable NAME`.
    pub origins: BTreeMap<String, String>,
}

impl Loaded {
    /// Like [`Config::load`], but also returns where each value came from.
    ///
    /// # Errors
    ///
    /// Every problem found, each with its file or variable and its key.
    pub fn read(path: Option<&Path>, env: &Environment) -> Result<Self, ConfigErrors> {
        let file = path
            .or_else(|| env.get(PATH_VARIABLE).map(Path::new))
            .unwrap_or(Path::new(DEFAULT_PATH))
            .to_owned();
        let place = file.display().to_string();
        let table = read_table(&file).map_err(|text| {
            ConfigErrors(vec![Problem {
                place: place.clone(),
                key: None,
                text,
            }])
        })?;

        let mut reading = Reading::new(place.clone());
        let mut layers = Figment::new().merge(Layer {
            place,
            dict: plain(table),
        });
        for (name, value) in env.iter() {
            if let Some(layer) = reading.variable(name, value) {
                layers = layers.merge(layer);
            }
        }
        reading.overlay(&layers);
        reading.finish(file)
    }
}

impl Config {
    /// Reads the file at `path` (else `ROOM_ARCHIVER_CONFIG`, else [`DEFAULT_PATH`]) and the overrides in `env`.
    ///
    /// # Errors
    ///
    /// Every problem found, each with its file or variable and its key.
    pub fn load(path: Option<&Path>, env: &Environment) -> Result<Self, ConfigErrors> {
        Loaded::read(path, env).map(|loaded| loaded.config)
    }
}

/// The state of one load: the valid settings so far, and the problems.
struct Reading {
    file: String,
    defaults: Dict,
    good: Dict,
    origins: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Reading {
    fn new(file: String) -> Self {
        let defaults = Value::serialize(Config::default())
            .ok()
            .and_then(Value::into_dict)
            .expect("the defaults are a table");
        Self {
            file,
            good: defaults.clone(),
            defaults,
            origins: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn problem(&mut self, place: &str, key: Option<&str>, text: String) {
        self.problems.push(Problem {
            place: place.to_owned(),
            key: key.map(str::to_owned),
            text,
        });
    }

    fn default_of(&self, section: &str, key: &str) -> Option<&Value> {
        self.defaults.get(section)?.as_dict()?.get(key)
    }

    /// The layer of one environment variable, if it is a setting.
    fn variable(&mut self, name: &str, text: &str) -> Option<Layer> {
        let place = format!("environment variable {name}");
        let Some(path) = name.strip_prefix(PREFIX) else {
            self.catch_single_underscores(name, &place);
            return None;
        };
        let path = path.to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            let text = format!("does not name a setting; write {PREFIX}SECTION__KEY");
            self.problem(&place, None, text);
            return None;
        };
        let keys = match named::defaults(section) {
            None => {
                let value = typed(text, self.default_of(section, key));
                Dict::from([(key.to_owned(), value)])
            }
            Some(defaults) => {
                let Some((name, key)) = key.split_once("__") else {
                    let text = format!("does not name a setting; write {PREFIX}SECTION__NAME__KEY");
                    self.problem(&place, None, text);
                    return None;
                };
                let value = typed(text, defaults.get(key));
                let keys = Dict::from([(key.to_owned(), value)]);
                Dict::from([(name.to_owned(), Value::from(keys))])
            }
        };
        let dict = Dict::from([(section.to_owned(), Value::from(keys))]);
        Some(Layer { place, dict })
    }

    /// `ROOM_ARCHIVER_POLL_SETTLE` would be ignored silently, so it is reported as a problem.
    fn catch_single_underscores(&mut self, name: &str, place: &str) {
        let Some(rest) = name.strip_prefix("ROOM_ARCHIVER_") else {
            return;
        };
        let squeezed = rest.to_ascii_lowercase().replace("__", "_");
        let meant = self
            .known_keys()
            .find(|known| known.replace('.', "_") == squeezed);
        if let Some(meant) = meant {
            let variable = format!("{PREFIX}{}", meant.replace('.', "__").to_uppercase());
            self.problem(
                place,
                None,
                format!("two underscores must separate section and key; write {variable}"),
            );
        }
    }

    fn known_keys(&self) -> impl Iterator<Item = String> {
        self.defaults.iter().flat_map(|(section, keys)| {
            let keys = keys.as_dict().into_iter().flat_map(Dict::keys);
            keys.map(move |key| format!("{section}.{key}"))
        })
    }

    /// Takes over each key that is known and has a valid value.
    fn overlay(&mut self, layers: &Figment) {
        let user = layers
            .data()
            .ok()
            .and_then(|mut profiles| profiles.remove(&Profile::Default))
            .unwrap_or_default();
        let place_of = |value: &Value| {
            layers
                .get_metadata(value.tag())
                .map_or_else(|| "configuration".to_owned(), |m| m.name.to_string())
        };
        for (section, value) in user {
            let place = first_leaf_place(&value, &place_of);
            match (self.defaults.contains_key(&section), value) {
                (true, Value::Dict(_, sections)) if named::defaults(&section).is_some() => {
                    for (name, value) in sections {
                        self.overlay_named(&section, &name, value, &place_of);
                    }
                }
                (true, Value::Dict(_, keys)) => {
                    for (key, value) in keys {
                        let place = first_leaf_place(&value, &place_of);
                        self.overlay_key(&section, &key, value, &place);
                    }
                }
                (true, _) => {
                    let text = format!(
                        "must be a section; write [{section}] on its own line and the keys below it"
                    );
                    self.problem(&place, Some(&section), text);
                }
                (false, _) => {
                    let text = self.unknown("section", &section, None);
                    self.problem(&place, Some(&section), text);
                }
            }
        }
    }

    /// Takes over one section of a section of sections, such as `[copies.NAME]`.
    fn overlay_named(
        &mut self,
        section: &str,
        name: &str,
        value: Value,
        place_of: &impl Fn(&Value) -> String,
    ) {
        let place = first_leaf_place(&value, place_of);
        let path = format!("{section}.{name}");
        let Value::Dict(_, keys) = value else {
            let text = format!(
                "must be a section; write [{section}.NAME] on its own line and the keys below it"
            );
            return self.problem(&place, Some(&path), text);
        };
        if let Some(text) = named::problem(name) {
            return self.problem(&place, Some(&path), text.to_owned());
        }
        let defaults = named::defaults(section).unwrap_or_default();
        if let Some(Value::Dict(_, sections)) = self.good.get_mut(section) {
            sections.insert(name.to_owned(), Value::from(defaults.clone()));
        }
        for (key, value) in keys {
            let place = first_leaf_place(&value, place_of);
            let path = format!("{path}.{key}");
            if defaults.contains_key(&key) {
                self.try_value(&[section, name, &key], value, &place);
            } else {
                let text = match nearest(&key, defaults.keys()) {
                    _ if is_secret(&key) => named::secret_hint(section).to_owned(),
                    Some(near) => format!("unknown key; did you mean {section}.{name}.{near}?"),
                    None => "unknown key; remove it".to_owned(),
                };
                self.problem(&place, Some(&path), text);
            }
        }
        self.origins.entry(path).or_insert(place);
    }

    fn overlay_key(&mut self, section: &str, key: &str, value: Value, place: &str) {
        if self.default_of(section, key).is_none() {
            let text = self.unknown("key", key, Some(section));
            self.problem(place, Some(&format!("{section}.{key}")), text);
            return;
        }
        self.try_value(&[section, key], value, place);
    }

    /// Takes over a value if the whole is a configuration with it.
    fn try_value(&mut self, keys: &[&str], value: Value, place: &str) {
        let path = keys.join(".");
        let mut trial = self.good.clone();
        let (last, sections) = keys.split_last().expect("a section and a key");
        let inner = sections
            .iter()
            .try_fold(&mut trial, |dict, name| match dict.get_mut(*name) {
                Some(Value::Dict(_, inner)) => Some(inner),
                _ => None,
            });
        let Some(inner) = inner else {
            return;
        };
        inner.insert((*last).to_owned(), value);
        match Value::from(trial.clone()).deserialize::<Config>() {
            Ok(_) => {
                self.good = trial;
                self.origins.insert(path, place.to_owned());
            }
            Err(error) => self.problem(place, Some(&path), describe(&error.kind)),
        }
    }

    /// The message for an unknown name. It never contains the value.
    fn unknown(&self, what: &str, name: &str, section: Option<&str>) -> String {
        let plain = name.to_ascii_lowercase().replace('-', "_");
        if is_secret(&plain) {
            return TOKEN_HINT.to_owned();
        }
        let moved = self
            .known_keys()
            .find(|known| known.split_once('.').is_some_and(|(_, key)| key == plain));
        let near = match section.and_then(|section| self.defaults.get(section)?.as_dict()) {
            Some(keys) => nearest(&plain, keys.keys()),
            None => nearest(&plain, self.defaults.keys()),
        };
        match (near, moved, section) {
            (Some(near), _, Some(section)) => {
                format!("unknown {what}; did you mean {section}.{near}?")
            }
            (_, Some(moved), _) => format!("unknown {what}; did you mean {moved}?"),
            (Some(near), _, None) => format!("unknown {what}; did you mean {near}?"),
            (None, None, _) => format!("unknown {what}; remove it"),
        }
    }

    fn finish(mut self, file: PathBuf) -> Result<Loaded, ConfigErrors> {
        let mut config = Value::from(self.good.clone())
            .deserialize::<Config>()
            .expect("each key was tried");
        // A UUID in upper case is the same one, also for the database.
        config.signalwire.project_id.make_ascii_lowercase();
        for (key, text) in validate::problems(&config) {
            // May be a consequence of a problem that this key already has.
            if self
                .problems
                .iter()
                .any(|problem| problem.key.as_deref() == Some(key.as_str()))
            {
                continue;
            }
            let place = self.origins.get(&key).unwrap_or(&self.file).clone();
            self.problem(&place, Some(&key), text);
        }
        if self.problems.is_empty() {
            Ok(Loaded {
                config,
                file,
                origins: self.origins,
            })
        } else {
            Err(ConfigErrors(self.problems))
        }
    }
}

/// The place of a value's first leaf: figment gives a table merged from several layers the tag of only one.
fn first_leaf_place(value: &Value, place_of: &impl Fn(&Value) -> String) -> String {
    match value {
        Value::Dict(_, keys) => match keys.values().next() {
            Some(inner) => first_leaf_place(inner, place_of),
            None => place_of(value),
        },
        _ => place_of(value),
    }
}
