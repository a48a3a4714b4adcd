//! Faults by rule: which requests a rule is for, how often, and what it does to them.

mod action;
mod apply;
mod chaos;

use uuid::Uuid;

pub use action::{Action, Answer};
pub(crate) use apply::{Before, after, before, bend};
pub use chaos::{Chaos, Dice};

use crate::http::Request;
use crate::journal::Origin;

/// The number of an injected rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(u64);

/// Which requests are treated how. Every rule that matches a request acts on it, in the order they
/// were injected. Without a limit it acts for ever.
#[derive(Clone)]
pub struct Rule {
    origin: Option<Origin>,
    method: Option<String>,
    path: Option<String>,
    page: Option<u64>,
    object: Option<String>,
    ranged: Option<bool>,
    from: u64,
    times: u64,
    actions: Vec<Action>,
}

impl Rule {
    /// Every request of both origins.
    #[must_use]
    pub fn any(action: Action) -> Self {
        Self {
            origin: None,
            method: None,
            path: None,
            page: None,
            object: None,
            ranged: None,
            from: 1,
            times: u64::MAX,
            actions: vec![action],
        }
    }

    /// Every request to the API.
    #[must_use]
    pub fn api(action: Action) -> Self {
        let mut rule = Self::any(action);
        rule.origin = Some(Origin::Api);
        rule
    }

    /// Every request to the media store.
    #[must_use]
    pub fn media(action: Action) -> Self {
        let mut rule = Self::any(action);
        rule.origin = Some(Origin::Media);
        rule
    }

    /// The list of sessions.
    #[must_use]
    pub fn sessions(action: Action) -> Self {
        Self::api(action).path("/api/video/room_sessions")
    }

    /// The lists of sessions' recordings.
    #[must_use]
    pub fn session_recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_sessions/*/recordings")
    }

    /// The list of all recordings.
    #[must_use]
    pub fn recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_recordings")
    }

    /// Single recordings, that is the minting of links.
    #[must_use]
    pub fn single_recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_recordings/*")
    }

    /// Only paths like this one; `*` stands for anything.
    #[must_use]
    pub fn path(mut self, pattern: &str) -> Self {
        self.path = Some(pattern.to_owned());
        self
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only this page of a list; the first is 0.
    #[must_use]
    pub fn page(mut self, number: u64) -> Self {
        self.page = Some(number);
        self
    }

    /// Only what concerns this recording (or session): its id is in the path.
    #[must_use]
    pub fn of(mut self, id: Uuid) -> Self {
        self.object = Some(id.to_string());
        self
    }

    /// Only requests with a Range header, or only those without.
    #[must_use]
    pub fn ranged(mut self, ranged: bool) -> Self {
        self.ranged = Some(ranged);
        self
    }

    /// Only the `nth` request that matches, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        self.from(nth).times(1)
    }

    /// Not before the `nth` request that matches, counted from 1.
    #[must_use]
    pub fn from(mut self, nth: u64) -> Self {
        self.from = nth;
        self
    }

    /// At most so many times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// A single time.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Does this as well.
    #[must_use]
    pub fn and(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }

    fn matches(&self, origin: Origin, request: &Request) -> bool {
        let page = || {
            request
                .param("page_number")
                .and_then(|text| text.parse().ok())
        };
        self.origin.is_none_or(|wanted| wanted == origin)
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == request.method)
            && self
                .path
                .as_ref()
                .is_none_or(|pattern| glob(pattern, &request.path))
            && self.page.is_none_or(|wanted| page().unwrap_or(0) == wanted)
            && self
                .object
                .as_ref()
                .is_none_or(|id| request.path.contains(id))
            && self
                .ranged
                .is_none_or(|ranged| request.header("range").is_some() == ranged)
    }
}

/// Whether `text` is like `pattern`, in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut ends = (0..=text.len()).filter(|at| text.is_char_boundary(*at));
            ends.any(|at| glob(rest, &text[at..]))
        }),
    }
}

struct Held {
    id: RuleId,
    rule: Rule,
    matched: u64,
    fired: u64,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    next: u64,
    held: Vec<Held>,
}

impl Faults {
    pub(crate) fn inject(&mut self, rule: Rule) -> RuleId {
        self.next += 1;
        let id = RuleId(self.next);
        let (matched, fired) = (0, 0);
        self.held.push(Held {
            id,
            rule,
            matched,
            fired,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.held.retain(|held| held.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.held.clear();
    }

    pub(crate) fn fired(&self, id: RuleId) -> u64 {
        let held = self.held.iter().find(|held| held.id == id);
        held.map_or(0, |held| held.fired)
    }

    /// What is to be done to a request; counts it.
    pub(crate) fn take(&mut self, origin: Origin, request: &Request) -> Vec<Action> {
        let mut actions = Vec::new();
        for held in &mut self.held {
            if !held.rule.matches(origin, request) {
                continue;
            }
            held.matched += 1;
            if held.matched >= held.rule.from && held.fired < held.rule.times {
                held.fired += 1;
                actions.extend(held.rule.actions.iter().cloned());
            }
        }
        actions
    }
}
