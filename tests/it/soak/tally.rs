//! What a soak came to, in a few lines, and whether memory and descriptors stayed flat.

use fake_space::Chaos;
use uuid::Uuid;

use super::service::Sample;
use crate::harness::Setting;

/// Lives shorter than this tell nothing about memory.
const WARM: usize = 8;

/// Counts and measurements of a soak.
#[derive(Default)]
pub struct Tally {
    pub killed: u64,
    pub terminated: u64,
    pub full_disks: u64,
    /// The samples of each life that was ended by a kill.
    pub lives: Vec<Vec<Sample>>,
    /// Those of the last, which nobody ended before its time.
    pub long: Vec<Sample>,
}

/// Least, median and most.
#[derive(Debug, Clone, Copy)]
struct Spread([u64; 3]);

impl Spread {
    fn of(values: impl Iterator<Item = u64>) -> Self {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        let at = |at: usize| values.get(at).copied().unwrap_or_default();
        Self([at(0), at(values.len() / 2), at(values.len().max(1) - 1)])
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [least, median, most] = self.0;
        write!(f, "{least} / {median} / {most}")
    }
}

fn thirds<T>(all: &[T]) -> [&[T]; 3] {
    let third = all.len() / 3;
    [
        &all[..third],
        &all[third..all.len() - third],
        &all[all.len() - third..],
    ]
}

impl Tally {
    /// The peak of each life that lasted long enough, in KiB.
    fn peaks(&self) -> Vec<u64> {
        let lives = self.lives.iter().filter(|life| life.len() >= WARM);
        lives
            .map(|life| life.iter().map(|sample| sample.rss_kib).max().unwrap_or(0))
            .collect()
    }

    /// The long life after its first fifth, in which it warms up.
    fn warm(&self) -> &[Sample] {
        &self.long[self.long.len() / 5..]
    }

    pub fn print(&self, setting: &Setting, made: &[Uuid], chaos: &Chaos) {
        let spread = |of: fn(&Sample) -> u64, samples: &[Sample]| {
            Spread::of(samples.iter().map(of)).to_string()
        };
        let archived =
            setting.sql("SELECT count(*) || ' with ' || sum(size_bytes) || ' bytes' FROM archive");
        let attempts =
            setting.sql("SELECT outcome || ' ' || count(*) FROM attempts GROUP BY outcome");
        let passes = setting.sql(
            "SELECT kind || ' ' || outcome || ' ' || count(*) FROM passes GROUP BY kind, outcome",
        );
        println!("recordings: {} completed, {archived} archived", made.len());
        println!(
            "sent by the media store: {} bytes",
            setting.space.counters().media_bytes
        );
        println!("attempts: {}", attempts.replace('\n', ", "));
        println!("passes: {}", passes.replace('\n', ", "));
        println!(
            "ends: {} SIGKILL, {} SIGTERM; full disks: {}",
            self.killed, self.terminated, self.full_disks
        );
        let faults = chaos.fired();
        println!("faults: {} in all", faults.values().sum::<u64>());
        for (name, count) in faults {
            println!("  {count:5} {name}");
        }
        println!("least / median / most, in thirds of the time:");
        for (number, peaks) in thirds(&self.peaks()).into_iter().enumerate() {
            let spread = Spread::of(peaks.iter().copied());
            println!(
                "  peak RSS of {} lives, {number}: {spread} KiB",
                peaks.len()
            );
        }
        for (number, samples) in thirds(self.warm()).into_iter().enumerate() {
            let from = samples.first().map_or(0, |sample| sample.at.as_secs());
            let rss = spread(|sample| sample.rss_kib, samples);
            let descriptors = spread(|sample| sample.descriptors, samples);
            println!(
                "  the long life from {from} s on, {number}: RSS {rss} KiB, descriptors {descriptors}"
            );
        }
    }

    /// Flat: between the first and the last third the median peak of the lives grows by no more than a
    /// quarter and 8 MiB (SQLite's caches fill with the database), the median of the long life by no
    /// more than a tenth and 4 MiB, and its most descriptors by no more than 8.
    pub fn check(&self) {
        let median = |values: Vec<u64>| Spread::of(values.into_iter()).0[1];
        let peaks = self.peaks();
        let [first, _, last] = thirds(&peaks);
        let (first, last) = (median(first.to_vec()), median(last.to_vec()));
        assert!(
            last <= first * 5 / 4 + 8192,
            "peaks grow: {first} to {last}"
        );
        let [first, _, last] = thirds(self.warm());
        let rss = |samples: &[Sample]| median(samples.iter().map(|s| s.rss_kib).collect());
        let (from, to) = (rss(first), rss(last));
        assert!(to <= from * 11 / 10 + 4096, "memory grows: {from} to {to}");
        let most = |samples: &[Sample]| samples.iter().map(|s| s.descriptors).max();
        let (from, to) = (most(first).unwrap_or(0), most(last).unwrap_or(0));
        assert!(to <= from + 8, "descriptors grow: {from} to {to}");
    }
}
