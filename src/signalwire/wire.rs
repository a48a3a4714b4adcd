//! SignalWire's JSON, read leniently: everything but an `id` may be absent, null or of another type.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::repair::repaired;
use crate::model::{Listed, Recording, Session, SessionStatus, UnreadLink, UpstreamStatus, time};

/// A page of a list, its items unread, so that a bad item does not make the others unreadable.
#[derive(Deserialize)]
pub(super) struct RawPage<'a> {
    /// An object, or absent; anything else ends the walk after this page.
    #[serde(default)]
    links: Option<Value>,
    #[serde(borrow)]
    pub data: Option<Vec<&'a RawValue>>,
}

impl RawPage<'_> {
    /// The link to the next page; `true` stands for `links` of an unknown form.
    pub(super) fn next(&mut self) -> Option<Value> {
        match self.links.take() {
            None | Some(Value::Null) => None,
            Some(Value::Object(mut links)) => links.remove("next"),
            // PHP writes an empty object like this.
            Some(Value::Array(links)) if links.is_empty() => None,
            Some(_) => Some(Value::Bool(true)),
        }
    }
}

/// An item that could not be read, and why. Nothing of it is kept but its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the page, from 0.
    pub index: usize,
    /// Why.
    pub reason: &'static str,
}

/// When an answer arrived, and what its links need to know about the request.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Monotonic time of the answer.
    pub at: Duration,
    /// The lifetime requested for the links.
    pub ttl: Duration,
    /// The answer's `Date`.
    pub date: Option<DateTime<Utc>>,
}

/// The number of values in an answer that can't be read and count as unknown, by field.
#[derive(Debug, Default)]
pub struct Odd(BTreeMap<&'static str, u64>);

impl Odd {
    /// Logs them, once for the whole answer.
    pub(super) fn warn(&self) {
        for (field, count) in &self.0 {
            tracing::warn!("a {field} can't be read and counts as unknown ({count} in one answer)");
        }
    }

    fn note(&mut self, field: &'static str) {
        *self.0.entry(field).or_default() += 1;
    }
}

/// An item of a list.
pub trait Item: Sized {
    /// Reads it from SignalWire's object.
    ///
    /// # Errors
    /// Why it can't be used.
    fn read(
        object: Map<String, Value>,
        arrival: Arrival,
        odd: &mut Odd,
    ) -> Result<Self, &'static str>;
}

pub(super) fn read_item<T: Item>(
    raw: &RawValue,
    arrival: Arrival,
    odd: &mut Odd,
) -> Result<T, &'static str> {
    let value = serde_json::from_str(raw.get()).or_else(|error| {
        repaired(raw.get()).map_or(Err(error), |text| serde_json::from_str(&text))
    });
    match value {
        Ok(Value::Object(object)) => T::read(object, arrival, odd),
        Ok(_) => Err("not an object"),
        Err(_) => Err("not readable as JSON"),
    }
}

/// Reads the body of a single object's answer.
pub(super) fn read_single<T: Item>(body: &[u8], arrival: Arrival) -> Result<T, String> {
    let body = String::from_utf8_lossy(body);
    let unreadable = |_| "JSON that can't be read";
    let repaired = repaired(&body);
    let raw = match &repaired {
        None => serde_json::from_str(&body),
        Some(text) => serde_json::from_str(text),
    };
    let mut odd = Odd::default();
    let item = read_item(raw.map_err(unreadable)?, arrival, &mut odd)
        .map_err(|reason| format!("an object that can't be used: {reason}"))?;
    odd.warn();
    Ok(item)
}

/// Reads an object of SignalWire that was kept, such as in a sidecar.
///
/// # Errors
/// Why it can't be used.
pub fn stored<T: Item>(text: &str) -> Result<T, &'static str> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else {
        return Err("not a JSON object");
    };
    let arrival = Arrival {
        at: Duration::ZERO,
        ttl: Duration::ZERO,
        date: None,
    };
    T::read(object, arrival, &mut Odd::default())
}

impl Item for Session {
    fn read(
        object: Map<String, Value>,
        arrival: Arrival,
        odd: &mut Odd,
    ) -> Result<Self, &'static str> {
        // An end in the future counts as unknown: such a session would never settle.
        let past = |time: &DateTime<Utc>| {
            arrival
                .date
                .is_none_or(|now| *time <= now + TimeDelta::days(1))
        };
        Ok(Self {
            id: id(&object, "id").ok_or("its id is not a UUID")?,
            room_name: text(&object, "name").filter(|name| !name.is_empty()),
            status: SessionStatus::parse(text(&object, "status")),
            start_time: date(&object, "start_time", odd),
            end_time: date(&object, "end_time", odd).filter(past),
            created_at: date(&object, "created_at", odd),
            updated_at: date(&object, "updated_at", odd).filter(past),
            upstream: canonical(object),
        })
    }
}

impl Item for Listed {
    fn read(
        mut object: Map<String, Value>,
        arrival: Arrival,
        odd: &mut Odd,
    ) -> Result<Self, &'static str> {
        let uri = object.remove("uri");
        let id = id(&object, "id").ok_or("its id is not a UUID")?;
        let link = match uri {
            Some(Value::String(uri)) if !uri.is_empty() => {
                let date = arrival.date.map(|date| date.naive_utc());
                Some(UnreadLink::new(uri, arrival.at, arrival.ttl, date))
            }
            _ => None,
        };
        let recording = Recording {
            id,
            session_id: self::id(&object, "room_session_id"),
            status: UpstreamStatus::parse(text(&object, "status")),
            started_at: date(&object, "started_at", odd),
            finished_at: date(&object, "finished_at", odd),
            duration_seconds: seconds(&object, "duration", odd),
            size_bytes: size(&object, "size_in_bytes"),
            format: text(&object, "format").filter(|format| !format.is_empty()),
            cost_in_dollars: number(&object, "cost_in_dollars"),
            created_at: date(&object, "created_at", odd),
            updated_at: date(&object, "updated_at", odd),
            upstream: canonical(object),
        };
        Ok(Self { recording, link })
    }
}

fn text(object: &Map<String, Value>, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(str::to_owned)
}

fn id<T: std::str::FromStr>(object: &Map<String, Value>, key: &str) -> Option<T> {
    object.get(key)?.as_str()?.parse().ok()
}

fn date(object: &Map<String, Value>, key: &'static str, odd: &mut Odd) -> Option<DateTime<Utc>> {
    let value = object.get(key).filter(|value| !value.is_null())?;
    let date = value.as_str().and_then(time::parse);
    if date.is_none() {
        odd.note(key);
    }
    date
}

fn seconds(object: &Map<String, Value>, key: &'static str, odd: &mut Odd) -> Option<f64> {
    object.get(key).filter(|value| !value.is_null())?;
    let seconds = number(object, key).filter(|seconds| *seconds >= 0.0);
    if seconds.is_none() {
        odd.note(key);
    }
    seconds
}

/// Numbers come as integers, fractions and, from some gateways, as text.
fn number(object: &Map<String, Value>, key: &str) -> Option<f64> {
    match object.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number| number.is_finite())
}

/// The contract's int32 can't hold a size of 2 GiB or more. Zero, negative numbers, and the maximum of
/// int32, at which writers saturate, count as unknown.
fn size(object: &Map<String, Value>, key: &str) -> Option<u64> {
    object
        .get(key)?
        .as_i64()
        .filter(|size| *size > 0 && *size != i64::from(i32::MAX))
        .map(i64::cast_unsigned)
}

/// The object as text without its links. Its keys are sorted, so that the same object always gives the same
/// text.
fn canonical(object: Map<String, Value>) -> String {
    let mut object = Value::Object(object);
    remove_links(&mut object);
    // Faster than `Display`, which formats piece by piece.
    serde_json::to_string(&object).unwrap_or_else(|_| object.to_string())
}

/// Removes the documented links, which give access to the media, and everything that looks like one: a URL
/// with a query.
fn remove_links(value: &mut Value) {
    let is_link = |value: &Value| {
        value.as_str().is_some_and(|text| {
            let scheme = text.trim_start().get(..4);
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"))
                && text.contains("://")
                && text.contains('?')
        })
    };
    match value {
        Value::Object(object) => object.retain(|key, value| {
            remove_links(value);
            !matches!(key.as_str(), "uri" | "preview_url") && !is_link(value)
        }),
        Value::Array(items) => items.retain_mut(|value| {
            remove_links(value);
            !is_link(value)
        }),
        _ => {}
    }
}
