//! The filters and places in the query string of an address, read and written. Pure.

use chrono::{Days, NaiveDate};
use url::form_urlencoded;

use super::db::{Place, Wanted, WantedSessions};
use super::failure::Failure;
use crate::model::{ConcernKind, RecordingId, State};

/// No room has a longer name.
const LONGEST: usize = 1_000;

/// The fields of a query string, each of them at most once.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query string; fields without a value are left out, as forms send them.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let fields = form_urlencoded::parse(text.unwrap_or_default().as_bytes());
        let mut found: Vec<(String, String)> = Vec::new();
        for (name, value) in fields {
            if found.iter().any(|(other, _)| *other == name) {
                return Err(bad("A field is there twice in the address."));
            }
            if value.len() > LONGEST || name.len() > LONGEST || found.len() > 20 {
                return Err(bad("The address is too long."));
            }
            if !value.is_empty() {
                found.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Self(found))
    }

    /// The value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The same fields with another value for one of them, as a link of this page.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let mut link = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        let fields = self.0.iter().filter(|(field, _)| field != name);
        for (field, value) in fields {
            link.append_pair(field, value);
        }
        link.append_pair(name, value);
        link.finish()
    }

    pub(super) fn recordings(&self) -> Result<Wanted, Failure> {
        let state = self.get("state").map(str::parse::<State>).transpose();
        let concerns = match self.get("concern") {
            None => Vec::new(),
            Some("any") => ConcernKind::ALL.to_vec(),
            Some(kind) => vec![kind.parse().map_err(|_| bad("There is no such concern."))?],
        };
        Ok(Wanted {
            room: self.get("room").map(str::to_owned),
            from: self.day("from", 0)?,
            before: self.day("to", 1)?,
            state: state.map_err(|_| bad("There is no such state."))?,
            concerns,
        })
    }

    pub(super) fn sessions(&self) -> Result<WantedSessions, Failure> {
        Ok(WantedSessions {
            room: self.get("room").map(str::to_owned),
            from: self.day("from", 0)?,
            before: self.day("to", 1)?,
            gaps: self.get("gaps").is_some(),
        })
    }

    /// A day, and so many later.
    fn day(&self, name: &str, later: u64) -> Result<Option<String>, Failure> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let day = day.and_then(|day| day.checked_add_days(Days::new(later)));
        match day.map(|day| day.to_string()).filter(|day| day.len() == 10) {
            Some(day) => Ok(Some(day)),
            None => Err(bad("A date looks like 2026-11-23.")),
        }
    }

    /// Where the page begins.
    pub(super) fn place(&self) -> Result<Option<Place>, Failure> {
        self.get("after").map(place).transpose()
    }
}

fn place(text: &str) -> Result<Place, Failure> {
    let wrong = || bad("The address does not lead to a page of this list.");
    let mut parts = text.split('~');
    let (at, id, shown) = (parts.next(), parts.next(), parts.next());
    let at = at.filter(|at| !at.is_empty());
    if at.is_some_and(|at| crate::model::time::parse(at).is_none()) || parts.next().is_some() {
        return Err(wrong());
    }
    // Sessions and recordings have ids of the same form.
    let id = id
        .and_then(|id| id.parse::<RecordingId>().ok())
        .ok_or_else(wrong)?;
    let shown = shown.map(|shown| {
        shown
            .parse::<u32>()
            .ok()
            .filter(|shown| *shown < u32::MAX)
            .ok_or_else(wrong)
    });
    Ok(Place {
        at: at.map(str::to_owned),
        id: id.to_string(),
        shown: shown.transpose()?,
    })
}

impl Place {
    /// As a value of the field `after`.
    pub(super) fn text(&self) -> String {
        let at = self.at.as_deref().unwrap_or_default();
        match self.shown {
            Some(shown) => format!("{at}~{}~{shown}", self.id),
            None => format!("{at}~{}", self.id),
        }
    }
}

/// The address of a list for one field.
pub(super) fn link(path: &str, field: &str, value: &str) -> String {
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("{path}?{field}={value}")
}

fn bad(text: &str) -> Failure {
    Failure::BadRequest(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_text() {
        let id = "d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f".to_owned();
        for (at, shown) in [
            (Some("2026-11-23T20:02:27.123Z".to_owned()), None),
            (Some("2026-11-23T20:02:27.123Z".to_owned()), Some(7)),
            (None, None),
        ] {
            let one = Place {
                at,
                id: id.clone(),
                shown,
            };
            assert_eq!(place(&one.text()).expect("a place"), one);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for query in [
            "state=gone",
            "concern=smell",
            "from=yesterday",
            "to=2026-13-01",
            "from=-0001-01-01",
            "to=+10000-01-01",
            "to=9999-12-31",
            "room=a&room=b",
            "state=archived&state=lost",
        ] {
            let query = Query::parse(Some(query));
            assert!(query.and_then(|query| query.recordings()).is_err());
        }
        for after in [
            "x",
            "~",
            "~x",
            "2026~d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f",
            "~d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f~-1",
            "~d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f~1~2",
            "~d369a2a3-751a-4ffb-9ad5-a2002b9f0f3f~4294967295",
        ] {
            assert!(place(after).is_err(), "{after}");
        }
        assert!(Query::parse(Some(&format!("room={}", "x".repeat(2_000)))).is_err());
    }

    #[test]
    fn a_link_keeps_the_filter_and_replaces_the_place() {
        let query = Query::parse(Some("room=a%26b+c&state=&after=1~2")).expect("a query");
        assert_eq!(query.with("after", "3~4"), "?room=a%26b+c&after=3%7E4");
        assert_eq!(
            Query::parse(None).expect("a query").with("after", "3"),
            "?after=3"
        );
        assert_eq!(
            link("/recordings", "room", "a&b \"c\""),
            "/recordings?room=a%26b+%22c%22"
        );
    }
}
