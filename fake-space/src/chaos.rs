//! Chaos: random faults, repeatable from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dice::Dice;
use crate::faults::{Action, Rule, RuleId};
use crate::gate::Gate;
use crate::journal::Origin;
use crate::options::Options;
use crate::space::Space;

/// The most faults that are in force at once.
const MOST: u64 = 4;
/// The most requests that one of them acts on.
const MOST_TIMES: u64 = 3;

/// A kind of fault: its name, and a function that makes its rule, given a byte of the body and a gate that
/// opens with the next step.
type Kind = (&'static str, fn(u64, Gate) -> Rule);

#[rustfmt::skip] // one line a fault
const KINDS: &[Kind] = &[
    ("API: 500", |_, _| Rule::api(Action::error(500))),
    ("API: 502 with HTML", |_, _| Rule::api(Action::html(502))),
    ("API: 200 with HTML", |_, _| Rule::api(Action::html(200))),
    ("API: 401", |_, _| Rule::api(Action::error(401))),
    ("API: 429 with Retry-After", |_, _| Rule::api(Action::retry_after(429, "1"))),
    ("API: 503 with Retry-After", |_, _| Rule::api(Action::retry_after(503, "2"))),
    ("API: JSON cut off", |_, _| Rule::api(Action::CutBody(300))),
    ("API: garbage", |_, _| Rule::api(Action::json_text("{\"data\": [nonsense"))),
    ("API: no data", |_, _| Rule::recordings(Action::data_missing())),
    ("API: rows twice", |_, _| Rule::session_recordings(Action::duplicate_rows())),
    ("API: next repeats", |_, _| Rule::sessions(Action::repeat_next())),
    ("API: endless pages", |_, _| Rule::recordings(Action::endless_pages())),
    ("API: connection reset", |_, _| Rule::api(Action::Reset)),
    ("API: connection closed", |_, _| Rule::api(Action::Close)),
    ("API: no answer for a while", |_, gate| Rule::api(Action::Hold(gate))),
    ("link: refused", |_, _| Rule::media(Action::s3_error(403, "AccessDenied"))),
    ("link: redirects without end", |_, _| Rule::media(Action::RedirectLoop(302))),
    ("link: redirected twice", |_, _| Rule::media(Action::Bounce(307, 2))),
    ("link: redirected to a file", |_, _| Rule::media(Action::Redirect(302, "file:///etc/passwd".to_owned()))),
    ("media: closed in mid-body", |at, _| Rule::media(Action::CloseAfter(at))),
    ("media: reset in mid-body", |at, _| Rule::media(Action::ResetAfter(at))),
    ("media: stalls in mid-body", |at, gate| Rule::media(Action::StallAfter(at, gate))),
    ("media: no answer for a while", |_, gate| Rule::media(Action::Hold(gate))),
    ("media: trickles", |_, _| Rule::media(Action::Trickle(16_384, Duration::from_millis(20)))),
    ("media: 500", |_, _| Rule::media(Action::s3_error(500, "InternalError"))),
    ("media: 503 with Retry-After", |_, _| Rule::media(Action::retry_after(503, "1"))),
    ("media: 429 with Retry-After", |_, _| Rule::media(Action::retry_after(429, "2"))),
    ("media: 200 with HTML", |_, _| Rule::media(Action::html(200))),
    ("media: Range ignored", |_, _| Rule::media(Action::IgnoreRange).ranged(true)),
    ("media: 206 unasked", |at, _| Rule::media(Action::UnaskedPartial(at)).ranged(false)),
    ("media: 206 of another range", |_, _| Rule::media(Action::ShiftRange(-7)).ranged(true)),
    ("media: 206 of another total", |_, _| Rule::media(Action::RangeTotal("99".to_owned())).ranged(true)),
    ("media: 206 in parts", |_, _| Rule::media(Action::Multipart).ranged(true)),
    ("media: 416", |_, _| Rule::media(Action::NotSatisfiable).ranged(true)),
    ("media: another ETag", |at, _| Rule::media(Action::header("etag", &format!("\"{at}\"")))),
    ("media: another ETag, then cut", |at, _| {
        Rule::media(Action::header("etag", "\"other\"")).and(Action::CloseAfter(at))
    }),
    ("media: no ETag, then cut", |at, _| Rule::media(Action::no_header("etag")).and(Action::CloseAfter(at))),
    ("media: longer than declared", |_, _| Rule::media(Action::LongerBy(5000))),
    ("media: declared too short", |at, _| Rule::media(Action::DeclareLength(at))),
    ("media: without a length", |_, _| Rule::media(Action::UntilClose)),
    ("media: without a length, then cut", |at, _| Rule::media(Action::UntilClose).and(Action::CloseAfter(at))),
    ("media: encoded", |_, _| Rule::media(Action::header("content-encoding", "gzip"))),
];

/// Random faults of a space that change with each step.
#[derive(Debug)]
pub struct Chaos {
    space: Space,
    dice: Dice,
    /// Bodies are interrupted before this byte.
    within: u64,
    in_force: Vec<(&'static str, RuleId)>,
    gate: Gate,
    fired: BTreeMap<&'static str, u64>,
}

impl Chaos {
    /// No faults yet; later ones interrupt bodies before the byte `within`.
    #[must_use]
    pub fn new(space: &Space, seed: u64, within: u64) -> Self {
        Self {
            space: space.clone(),
            dice: Dice::new(seed),
            within,
            in_force: Vec::new(),
            gate: Gate::new(),
            fired: BTreeMap::new(),
        }
    }

    /// Replaces the faults in force by others, sometimes none; sometimes also stops a server or revokes
    /// the links.
    ///
    /// # Errors
    /// When a server can't be restarted.
    pub async fn step(&mut self) -> std::io::Result<()> {
        self.calm().await?;
        for _ in 0..self.dice.roll(MOST + 1) {
            let kind = self.dice.roll(KINDS.len() as u64);
            let (name, rule) = KINDS[usize::try_from(kind).unwrap_or_default()];
            let rule = rule(1 + self.dice.roll(self.within), self.gate.clone());
            let rule = rule.times(1 + self.dice.roll(MOST_TIMES));
            self.in_force.push((name, self.space.inject(rule)));
        }
        match self.dice.roll(16) {
            0 => self.refuse("API: connections refused", Origin::Api).await,
            1 => {
                self.refuse("media: connections refused", Origin::Media)
                    .await;
            }
            2 => {
                self.space.kill_links();
                self.count("link: revoked early", 1);
            }
            3 => {
                self.set_link_life(Some(Duration::from_secs(1)));
                self.count("link: expires after a second", 1);
            }
            _ => {}
        }
        Ok(())
    }

    async fn refuse(&mut self, name: &'static str, origin: Origin) {
        self.space.refuse_connections(origin).await;
        self.count(name, 1);
    }

    fn set_link_life(&self, life: Option<Duration>) {
        let set = |options: &mut Options| options.real_link_life = life;
        self.space.configure(set);
    }

    fn count(&mut self, name: &'static str, times: u64) {
        *self.fired.entry(name).or_default() += times;
    }

    /// Removes every fault.
    ///
    /// # Errors
    /// When a server can't be restarted.
    pub async fn calm(&mut self) -> std::io::Result<()> {
        std::mem::take(&mut self.gate).open();
        for (name, id) in std::mem::take(&mut self.in_force) {
            let fired = self.space.fired(id);
            self.space.remove_fault(id);
            self.count(name, fired);
        }
        self.set_link_life(None);
        for origin in [Origin::Api, Origin::Media] {
            self.space.accept_connections(origin).await?;
        }
        Ok(())
    }

    /// How often each fault acted, up to the last step.
    #[must_use]
    pub fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }

    /// Makes a step every `period`, until it is dropped.
    ///
    /// # Errors
    /// When a server can't be restarted.
    pub async fn run(mut self, period: Duration) -> std::io::Result<()> {
        loop {
            self.step().await?;
            tokio::time::sleep(period).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chaos_follows_from_its_seed_and_calms_down() {
        let mut seen = Vec::new();
        for seed in [1, 1, 2] {
            let space = Space::start(Options::default()).await.unwrap();
            let mut chaos = Chaos::new(&space, seed, 1000);
            let mut names = Vec::new();
            for _ in 0..20 {
                chaos.step().await.unwrap();
                names.push(chaos.in_force.clone());
            }
            chaos.calm().await.unwrap();
            assert!(chaos.in_force.is_empty() && !chaos.fired().is_empty());
            seen.push(names);
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], seen[2]);
    }
}
