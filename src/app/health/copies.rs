//! Whether copies are made as they should be.

use chrono::{DateTime, TimeDelta, Utc};

use crate::human;
use crate::store::CopyFacts;

/// What is wrong with a target, and since when.
pub(super) fn problems(
    copies: &CopyFacts,
    stuck_after: Option<TimeDelta>,
    failing_after: TimeDelta,
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, String)> {
    let mut found = Vec::new();
    if !copies.configured {
        return found;
    }
    let name = &copies.target;
    let age = |since: DateTime<Utc>| human::duration((now - since).to_std().unwrap_or_default());
    let error = copies.error.as_deref().unwrap_or_default();
    let because = match error {
        "" => String::new(),
        error => format!(": {error}"),
    };
    let failing = copies.failing_since;
    let failing = failing.filter(|since| copies.needs_help || now - *since > failing_after);
    if let Some(since) = failing {
        found.push((
            since,
            format!("'{name}' has failed for {}{because}", age(since)),
        ));
    }
    let shown = if failing.is_some() { "" } else { &because };
    if let Some(since) = copies.oldest.filter(|_| copies.late > 0) {
        let what = human::count(copies.late, "recording");
        let text = format!(
            "{what} not copied to '{name}', the oldest for {}{shown}",
            age(since)
        );
        found.push((since, text));
    } else if let (true, Some(since), Some(most)) =
        (copies.pending > 0, copies.progress_at, stuck_after)
        && now - since > most
    {
        let what = human::count(copies.pending, "recording");
        let text = format!(
            "{what} not copied to '{name}', and none was for {}{shown}",
            age(since)
        );
        found.push((since, text));
    }
    if let (Some(since), Some(most)) = (copies.sidecars_since, stuck_after)
        && now - since > most
    {
        let text = format!(
            "copies without a sidecar in '{name}', the oldest for {}",
            age(since)
        );
        found.push((since, text));
    }
    if copies.differs > 0 {
        let what = human::count(copies.differs, "key");
        let since = copies.oldest.unwrap_or(now);
        let text = format!(
            "{what} in '{name}' with another object than the archive's (state 'differs' in the view 'copies')"
        );
        found.push((since, text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(copies: &CopyFacts) -> Vec<String> {
        let (day, hour) = (TimeDelta::days(1), TimeDelta::hours(1));
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let found = problems(copies, Some(day), hour, now);
        found.into_iter().map(|(_, text)| text).collect()
    }

    fn ago(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000) - TimeDelta::hours(hours)
    }

    #[test]
    fn a_target_that_is_filled_and_makes_progress_is_no_problem() {
        let mut copies = CopyFacts {
            target: "offsite".to_owned(),
            configured: true,
            pending: 1_000_000,
            progress_at: Some(ago(1)),
            ..CopyFacts::default()
        };
        assert_eq!(texts(&copies), [""; 0]);
        copies.progress_at = Some(ago(25));
        assert_eq!(
            texts(&copies),
            ["1000000 recordings not copied to 'offsite', and none was for 1 d 1 h"]
        );
        copies.pending = 0;
        copies.sidecars_since = Some(ago(24));
        assert_eq!(texts(&copies), [""; 0]);
        copies.sidecars_since = Some(ago(26));
        assert_eq!(
            texts(&copies),
            ["copies without a sidecar in 'offsite', the oldest for 1 d 2 h"]
        );
        copies.configured = false;
        assert_eq!(texts(&copies), [""; 0]);
    }

    #[test]
    fn failures_lateness_and_other_objects_are_named_each_once() {
        let mut copies = CopyFacts {
            target: "offsite".to_owned(),
            configured: true,
            pending: 2,
            late: 1,
            differs: 1,
            oldest: Some(ago(30)),
            progress_at: Some(ago(1)),
            failing_since: Some(ago(0)),
            error: Some("no".to_owned()),
            ..CopyFacts::default()
        };
        let late = "1 recording not copied to 'offsite', the oldest for 1 d 6 h";
        let differs = "1 key in 'offsite' with another object than the archive's (state 'differs' in the view 'copies')";
        assert_eq!(texts(&copies), [format!("{late}: no"), differs.to_owned()]);
        copies.needs_help = true;
        let failed = "'offsite' has failed for 0 s: no";
        assert_eq!(texts(&copies), [failed, late, differs]);
    }
}
