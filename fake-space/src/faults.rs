//! Faults by rule: which requests a rule matches, how often it acts, and what it does to them.

mod action;
mod apply;

use uuid::Uuid;

pub use action::{Action, Answer};
pub(crate) use apply::{Intercepted, intercept, modify, run_hooks};

use crate::http::Request;
use crate::journal::Origin;

/// Identifies an injected rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleId(u64);

/// A fault and the requests it acts on. Every rule that matches a request acts on it, in the order in
/// which the rules were injected, and without a limit until it is removed.
#[derive(Clone)]
pub struct Rule {
    origin: Option<Origin>,
    path: Option<String>,
    page: Option<u64>,
    object: Option<String>,
    ranged: Option<bool>,
    from: u64,
    times: u64,
    actions: Vec<Action>,
}

impl Rule {
    /// Every request to both origins.
    #[must_use]
    pub fn any(action: Action) -> Self {
        Self {
            origin: None,
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

    /// The list of the recordings of a session, of each session.
    #[must_use]
    pub fn session_recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_sessions/*/recordings")
    }

    /// The list of all recordings.
    #[must_use]
    pub fn recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_recordings")
    }

    /// Single recordings, which are requested for a fresh link.
    #[must_use]
    pub fn single_recordings(action: Action) -> Self {
        Self::api(action).path("/api/video/room_recordings/*")
    }

    /// Only paths that match this pattern; `*` stands for any text.
    #[must_use]
    pub fn path(mut self, pattern: &str) -> Self {
        self.path = Some(pattern.to_owned());
        self
    }

    /// Only this page of a list; the first is 0.
    #[must_use]
    pub fn page(mut self, number: u64) -> Self {
        self.page = Some(number);
        self
    }

    /// Only this recording or session: its id is in the path.
    #[must_use]
    pub fn of(mut self, id: Uuid) -> Self {
        self.object = Some(id.to_string());
        self
    }

    /// Only requests with a `Range` header, or only those without.
    #[must_use]
    pub fn ranged(mut self, ranged: bool) -> Self {
        self.ranged = Some(ranged);
        self
    }

    /// Only the `nth` matching request, counted from 1.
    #[must_use]
    pub fn nth(self, nth: u64) -> Self {
        self.from(nth).times(1)
    }

    /// Only from the `nth` matching request on, counted from 1.
    #[must_use]
    pub fn from(mut self, nth: u64) -> Self {
        self.from = nth;
        self
    }

    /// At most `count` times.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Only once.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Adds an action.
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

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            let mut ends = (0..=text.len()).filter(|at| text.is_char_boundary(*at));
            ends.any(|at| glob(rest, &text[at..]))
        }),
    }
}

struct Injected {
    id: RuleId,
    rule: Rule,
    matched: u64,
    fired: u64,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    next: u64,
    rules: Vec<Injected>,
}

impl Faults {
    pub(crate) fn inject(&mut self, rule: Rule) -> RuleId {
        self.next += 1;
        let id = RuleId(self.next);
        let (matched, fired) = (0, 0);
        self.rules.push(Injected {
            id,
            rule,
            matched,
            fired,
        });
        id
    }

    pub(crate) fn remove(&mut self, id: RuleId) {
        self.rules.retain(|injected| injected.id != id);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn fired(&self, id: RuleId) -> u64 {
        let injected = self.rules.iter().find(|injected| injected.id == id);
        injected.map_or(0, |injected| injected.fired)
    }

    /// The actions on a request, which is counted.
    pub(crate) fn take(&mut self, origin: Origin, request: &Request) -> Vec<Action> {
        let mut actions = Vec::new();
        for injected in &mut self.rules {
            if !injected.rule.matches(origin, request) {
                continue;
            }
            injected.matched += 1;
            if injected.matched >= injected.rule.from && injected.fired < injected.rule.times {
                injected.fired += 1;
                actions.extend(injected.rule.actions.iter().cloned());
            }
        }
        actions
    }
}
