//! A database from a bucket alone: each object with its sidecar, or with what it says itself if it has none yet.

use std::time::Duration;

use futures::StreamExt as _;

use super::{RebuildError, Rebuilder, Rebuilt, Unusable, restored};
use crate::archive::part::{hash_bytes, hash_file};
use crate::archive::paths::{RelativePath, SIDECAR, recording_id_in};
use crate::copies::{Object, StoreError, Target, Trouble};
use crate::model::RecordingId;
use crate::sidecar::{BadSidecar, Document, MOST};
use crate::store::{Restored, RestoredCopy};

/// Sidecars read at the same time.
const AT_ONCE: usize = 8;
/// How often a request is tried again, and how long it waits at first.
const TRIES: u32 = 6;
const WAIT: Duration = Duration::from_secs(1);

impl Rebuilder {
    /// Takes all that the bucket of the target `name` holds and the database does not know as archived. Files that are
    /// not on the disk stay in the bucket.
    pub async fn from_bucket(&self, name: &str, target: &Target) -> Result<Rebuilt, RebuildError> {
        let mut rebuilt = Rebuilt::default();
        let (mut token, mut last) = (None, None);
        loop {
            let (listed, next) = self.patiently(|| target.list("", token.clone())).await?;
            let keys = listed.into_iter().filter_map(|object| {
                let key = object.key.strip_suffix(SIDECAR).unwrap_or(&object.key);
                let hidden = key.starts_with('.');
                let id = recording_id_in(key).filter(|_| !hidden)?;
                Some((key.to_owned(), id))
            });
            let mut keys: Vec<(String, RecordingId)> = keys.collect();
            // An object and its sidecar are beside each other, if not on the same page.
            keys.dedup();
            keys.retain(|key| last.as_ref() != Some(key));
            last = keys.last().cloned().or(last);
            for chunk in keys.chunks(super::BATCH) {
                if self.stop.is_cancelled() {
                    return Ok(rebuilt);
                }
                self.take_objects(name, target, chunk, &mut rebuilt).await?;
                (self.beat)();
            }
            match next {
                Some(next) => token = Some(next),
                None => return Ok(rebuilt),
            }
        }
    }

    async fn take_objects(
        &self,
        name: &str,
        target: &Target,
        keys: &[(String, RecordingId)],
        rebuilt: &mut Rebuilt,
    ) -> Result<(), RebuildError> {
        let ids: Vec<RecordingId> = keys.iter().map(|(_, id)| *id).collect();
        let wanted = self.store.restorable(&ids).await?;
        let keys = keys.iter().filter(|(_, id)| wanted.contains(id));
        let read = futures::stream::iter(keys).map(|(key, id)| async move {
            let read = self.read_object(name, target, key, *id).await;
            (key, read)
        });
        let read: Vec<_> = read.buffer_unordered(AT_ONCE).collect().await;
        let mut all = Vec::new();
        for (key, read) in read {
            match read {
                Ok(one) => all.push(one),
                Err(Unusable::Bucket(error)) if error.trouble.concerns_target() => {
                    return Err(error.into());
                }
                Err(_) if self.stop.is_cancelled() => return Ok(()),
                Err(why) => rebuilt.unusable(format!("{key}{SIDECAR}"), &why),
            }
        }
        if !all.is_empty() {
            let now = self.clock.now();
            rebuilt.restored += self.store.restore(&all, now).await?;
        }
        Ok(())
    }

    async fn read_object(
        &self,
        name: &str,
        target: &Target,
        key: &str,
        id: RecordingId,
    ) -> Result<Restored, Unusable> {
        let object = self.patiently(|| target.head(key)).await?;
        let object = object.ok_or(Unusable::NoObject)?;
        let (document, sidecar) = match self.sidecar(target, key).await {
            Ok((document, length, sha256)) => (document, Some((length, sha256))),
            // It was not written yet, was cut, or is another program's: what the object says is enough.
            Err(why @ (Unusable::NoSidecar | Unusable::Bad(BadSidecar::Unreadable))) => {
                let document = self.of_object(key, id, &object)?.ok_or(why)?;
                (document, None)
            }
            Err(why) => return Err(why),
        };
        if document.described.id != id {
            return Err(Unusable::OtherRecording);
        }
        // The path is a place on this disk: it is believed only if it is the key, which was checked as one.
        if document.path.as_str() != key {
            return Err(BadSidecar::Value("path").into());
        }
        let path = document.path.clone();
        let mut restored = restored(document, self.clock.now())?;
        let described = &restored.described;
        let other = |sha256: &String| *sha256 != described.sha256;
        if object.bytes != described.bytes || object.sha256.as_ref().is_some_and(other) {
            return Err(Unusable::OtherObject);
        }
        let here = self.is_here(&path, &restored).await;
        restored.copy = Some(RestoredCopy {
            target: name.to_owned(),
            key: key.to_owned(),
            etag: object.etag,
            version: object.version,
            sidecar,
            evicted: !here,
        });
        Ok(restored)
    }

    /// The sidecar of an object, its length and its SHA-256.
    async fn sidecar(
        &self,
        target: &Target,
        key: &str,
    ) -> Result<(Document, u64, String), Unusable> {
        let key = format!("{key}{SIDECAR}");
        let read = self.patiently(|| target.read_small(&key, MOST)).await;
        let bytes = match read {
            Err(error) if error.is_gone() => return Err(Unusable::NoSidecar),
            read => read?,
        };
        let document = Document::read(&bytes, &self.project_id)?;
        Ok((document, bytes.len() as u64, hash_bytes(&bytes)))
    }

    /// What an object says itself; `None`: not whose it is, or what it should be.
    fn of_object(
        &self,
        key: &str,
        id: RecordingId,
        object: &Object,
    ) -> Result<Option<Document>, BadSidecar> {
        let project = object.project.as_ref();
        let ours = project.is_some_and(|project| project.eq_ignore_ascii_case(&self.project_id));
        let sha256 = object.sha256.as_deref().filter(|_| ours);
        let document = sha256.map(|sha256| {
            let content = (object.bytes, sha256);
            Document::of_object(id, key, content, object.written_at)
        });
        document.transpose()
    }

    /// Whether the whole file is on the disk as well.
    async fn is_here(&self, path: &RelativePath, restored: &Restored) -> bool {
        let (root, path) = (self.root.clone(), path.clone());
        let (bytes, sha256) = (restored.described.bytes, restored.described.sha256.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let file = root.open_file(&path)?;
            let same = file.metadata()?.len() == bytes && hash_file(&file, |_| true)?.1 == sha256;
            if same {
                root.make_durable(&path)?;
            }
            Ok::<_, std::io::Error>(same)
        });
        looked.await.is_ok_and(|same| same.unwrap_or(false))
    }

    /// Sends a request again while the store can't answer it for now.
    async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, StoreError> {
        let mut wait = WAIT;
        for _ in 1..TRIES {
            match request().await {
                Err(error) => {
                    let pause = match error.trouble {
                        Trouble::Unavailable => wait,
                        Trouble::SlowDown { until } => {
                            let until = (until - self.clock.now()).to_std();
                            until
                                .unwrap_or_default()
                                .clamp(wait, Duration::from_mins(5))
                        }
                        _ => return Err(error),
                    };
                    let waited = tokio::time::sleep(pause);
                    if self.stop.run_until_cancelled(waited).await.is_none() {
                        return Err(error);
                    }
                    wait *= 2;
                }
                done => return done,
            }
        }
        request().await
    }
}
