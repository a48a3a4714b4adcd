//! Syncs directories for several landings at once: a directory that many need at the same time is synced once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::durable;

/// A directory's device and inode.
type Key = (u64, u64);

/// Gathers requests to sync directories while a round of syncs runs; the next round serves all of them.
#[derive(Debug, Default)]
pub(super) struct Syncs {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    gathered: BTreeMap<Key, OwnedFd>,
    next: Arc<Round>,
}

/// The result for each directory, once the round is over.
type Round = OnceLock<BTreeMap<Key, rustix::io::Result<()>>>;

impl Syncs {
    /// Syncs directories in a round that begins after this call: everything created in them or renamed into
    /// them before is durable when this returns. Blocks.
    pub(super) fn sync<'a>(
        &self,
        directories: impl Iterator<Item = &'a OwnedFd>,
    ) -> rustix::io::Result<()> {
        let mut keys = Vec::new();
        let mut state = self.lock();
        let round = state.next.clone();
        for directory in directories {
            let stat = rustix::fs::fstat(directory)?;
            let key = (stat.st_dev, stat.st_ino);
            keys.push(key);
            if let Entry::Vacant(entry) = state.gathered.entry(key) {
                entry.insert(rustix::io::fcntl_dupfd_cloexec(directory, 0)?);
            }
        }
        loop {
            if let Some(result) = result_of(&round, &keys) {
                return result;
            }
            state = if state.running {
                self.ended
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.run(state)
            };
        }
    }

    /// Runs one round for all gathered requests, including this caller's.
    fn run<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.running = true;
        let gathered = std::mem::take(&mut state.gathered);
        let round = std::mem::take(&mut state.next);
        drop(state);
        let results = gathered
            .iter()
            .map(|(key, directory)| (*key, durable::sync_directory(directory)));
        _ = round.set(results.collect());
        let mut state = self.lock();
        state.running = false;
        self.ended.notify_all();
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of a round for these directories; `None`: it is not over.
fn result_of(round: &Round, keys: &[Key]) -> Option<rustix::io::Result<()>> {
    let results = round.get()?;
    Some(keys.iter().try_for_each(|key| results[key]))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::sync::Barrier;

    use super::*;

    fn open(path: &std::path::Path) -> OwnedFd {
        std::fs::File::open(path).unwrap().into()
    }

    #[test]
    fn everyone_who_waits_hears_of_the_directories_that_were_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let syncs = Syncs::default();
        let start = Barrier::new(8);
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (syncs, start, path) = (&syncs, &start, directory.path());
                scope.spawn(move || {
                    let own = path.join(number.to_string());
                    std::fs::create_dir(&own).unwrap();
                    start.wait();
                    for _ in 0..100 {
                        syncs.sync([open(&own), open(path)].iter()).unwrap();
                    }
                });
            }
        });
        assert!(syncs.lock().gathered.is_empty());
    }

    #[test]
    fn what_can_not_be_synced_fails_for_those_alone_who_need_it() {
        let directory = tempfile::tempdir().unwrap();
        let syncs = Syncs::default();
        let good = open(directory.path());
        let stat = rustix::fs::fstat(&good).unwrap();
        let key = (stat.st_dev, stat.st_ino);
        let bad = (0, 0);
        // A round that is over for another reason: one of its directories failed.
        let round = syncs.lock().next.clone();
        let results = [(key, Ok(())), (bad, Err(rustix::io::Errno::IO))];
        round.set(results.into_iter().collect()).unwrap();
        assert_eq!(syncs.sync([good].iter()), Ok(()));
        assert_eq!(
            result_of(&round, &[key, bad]),
            Some(Err(rustix::io::Errno::IO))
        );
        assert_eq!(result_of(&Round::new(), &[key]), None);
    }
}
