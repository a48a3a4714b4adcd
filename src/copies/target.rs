//! One object store: requests for objects below a prefix, one at a time and never repeated.

mod lists;
mod parts;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload, RetryConfig,
};

use super::answer::{Answer, Call, Failed};
use super::http::{self, Connector, Patience};
use super::object::{Object, Receipt, attributes, object, plain};
use super::place::Place;
use super::trouble::{StoreError, Trouble};
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::model::{AccessKey, host_and_port};
use crate::throttle::Throttle;

/// One object store. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Target {
    place: Arc<Place>,
    /// SignalWire's project: part of what each object says.
    project: Arc<str>,
    host: String,
    store: Arc<AmazonS3>,
    /// The same, with a checksum of each object and part in a header of its own: a bucket with Object Lock demands it, and
    /// not every store knows it.
    checked: Arc<AmazonS3>,
    /// Whether the store demanded it.
    checks: Arc<AtomicBool>,
    connector: Connector,
    cooldowns: Cooldowns,
    clock: Clock,
}

impl Target {
    /// The store at `place`, for the recordings of a project of SignalWire. Nothing is sent yet.
    ///
    /// # Errors
    /// If no client can be made.
    pub fn new(
        place: Place,
        project: &str,
        key: &AccessKey,
        clock: Clock,
        cooldowns: Cooldowns,
        patience: Patience,
        throttle: Throttle,
    ) -> Result<Self, StoreError> {
        let unusable = |error: &dyn std::error::Error| {
            StoreError::new(
                Trouble::Rejected,
                "set up the object store's client",
                error.to_string(),
            )
        };
        let base = place.base();
        let host = host_and_port(&base);
        let connector = Connector {
            client: http::client().map_err(|error| unusable(&error))?,
            patience,
            throttle,
            clock: clock.clone(),
            cooldowns: cooldowns.clone(),
            host: host.clone(),
            key: key.clone(),
            skew: Arc::default(),
        };
        let (id, secret, token) = key.expose();
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_access_key_id(id)
            .with_secret_access_key(secret)
            .with_endpoint(base.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(!place.path_style)
            .with_allow_http(base.scheme() == "http")
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            // One request for one object: not every store knows the other.
            .with_disable_bulk_delete(true)
            .with_http_connector(connector.clone())
            // Repeating is the scheduler's business.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            });
        if let Some(token) = token {
            builder = builder.with_token(token);
        }
        let checked = builder.clone().with_checksum_algorithm(Checksum::SHA256);
        Ok(Self {
            store: Arc::new(builder.build().map_err(|error| unusable(&error))?),
            checked: Arc::new(checked.build().map_err(|error| unusable(&error))?),
            checks: Arc::default(),
            place: Arc::new(place),
            project: project.into(),
            host,
            connector,
            cooldowns,
            clock,
        })
    }

    /// Host and port of the store.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Until when the store is rate-limiting us.
    #[must_use]
    pub fn cools_until(&self) -> Option<DateTime<Utc>> {
        self.cooldowns.until(&self.host, self.clock.now())
    }

    /// How far the store's clock is ahead of this machine's, by its last answer; `None`: it did not say its time.
    #[must_use]
    pub fn skew(&self) -> Option<TimeDelta> {
        self.connector.skew()
    }

    /// An object's length and marks; `None`: there is none under the key.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn head(&self, key: &str) -> Result<Option<Object>, StoreError> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let key = self.key(key)?;
        match asked(self.store.get_opts(&key, options), "look for an object").await {
            Ok(found) => Ok(Some(object(&found))),
            // Without a body a missing bucket looks the same; the upload that follows says so.
            Err(error) if error.trouble == Trouble::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Uploads a small object in one request, unless there is one under the key.
    ///
    /// # Errors
    /// [`Trouble::Exists`], if there is one; [`StoreError`]
    pub async fn create(
        &self,
        key: &str,
        content: PutPayload,
        sha256: &str,
        token: &str,
    ) -> Result<Receipt, StoreError> {
        self.put(key, content, sha256, token, PutMode::Create).await
    }

    /// Uploads a small object in one request, in the place of any that is there.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn replace(
        &self,
        key: &str,
        content: PutPayload,
        sha256: &str,
        token: &str,
    ) -> Result<Receipt, StoreError> {
        self.put(key, content, sha256, token, PutMode::Overwrite)
            .await
    }

    async fn put(
        &self,
        key: &str,
        content: PutPayload,
        sha256: &str,
        token: &str,
        mode: PutMode,
    ) -> Result<Receipt, StoreError> {
        let options = PutOptions {
            mode,
            attributes: attributes(key, sha256, token, &self.project),
            ..PutOptions::default()
        };
        let key = self.key(key)?;
        let send = async || {
            let put = self
                .writing()
                .put_opts(&key, content.clone(), options.clone());
            self.written(put, "upload an object").await
        };
        let checked = self.checks.load(Ordering::Relaxed);
        let mut put = send().await;
        // It was refused without a checksum, and nothing was done.
        if put.is_err() && self.checks.load(Ordering::Relaxed) != checked {
            put = send().await;
        }
        let put = put?;
        Ok(Receipt {
            etag: put.e_tag.map(plain),
            version: put.version,
        })
    }

    /// Copies an object inside the store, in the place of any that is there.
    ///
    /// # Errors
    /// [`Trouble::Gone`], if there is none; [`StoreError`]
    pub async fn duplicate(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (self.key(from)?, self.key(to)?);
        let copied = self.store.copy_opts(&from, &to, CopyOptions::default());
        asked(copied, "copy an object").await
    }

    /// Deletes an object. One that is not there is deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let key = self.key(key)?;
        match asked(self.store.delete(&key), "delete an object").await {
            Err(error) if error.trouble == Trouble::Gone => Ok(()),
            deleted => deleted,
        }
    }

    /// What objects are written with.
    fn writing(&self) -> &AmazonS3 {
        if self.checks.load(Ordering::Relaxed) {
            &self.checked
        } else {
            &self.store
        }
    }

    /// The result of a request that writes. If it is refused for what it lacks, the next has a checksum.
    async fn written<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
        operation: &'static str,
    ) -> Result<T, StoreError> {
        let call = Call::new(false);
        let written = judged(call.run(request).await, &call, operation);
        if written.is_err() && call.answer().code.as_deref() == Some("InvalidRequest") {
            self.checks.store(true, Ordering::Relaxed);
        }
        written
    }

    fn full(&self, key: &str) -> String {
        match self.place.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        }
    }

    fn below(&self, full: &str) -> Option<String> {
        let key = match self.place.prefix.as_str() {
            "" => full,
            prefix => full.strip_prefix(prefix)?.strip_prefix('/')?,
        };
        Some(key.to_owned())
    }

    // Not `Path::from`, which would write `%` and others in a form of its own.
    fn key(&self, key: &str) -> Result<Path, StoreError> {
        let full = self.full(key);
        let rejected =
            |detail: &str| StoreError::new(Trouble::Rejected, "make a key of the path", detail);
        match Path::parse(&full) {
            Ok(path) if full.len() <= 1024 => Ok(path),
            Ok(_) => Err(rejected(
                "it is longer than the 1024 bytes that object stores allow",
            )),
            Err(error) => Err(rejected(&crate::escape::line(&error.to_string()))),
        }
    }
}

/// The result of a request whose answer is short, or how it failed.
async fn asked<T>(
    request: impl Future<Output = object_store::Result<T>>,
    operation: &'static str,
) -> Result<T, StoreError> {
    let call = Call::new(false);
    judged(call.run(request).await, &call, operation)
}

/// The result of a request, or how it failed.
fn judged<T>(
    result: object_store::Result<T>,
    call: &Call,
    operation: &'static str,
) -> Result<T, StoreError> {
    result.map_err(|error| {
        let answer = call.answer();
        // object_store refuses some requests before it sends them.
        if answer.status.is_none() && answer.failed.is_none() {
            let text = crate::escape::line(&error.to_string()).into_owned();
            return StoreError::new(Trouble::Rejected, operation, text);
        }
        failed(&answer, operation)
    })
}

fn failed(answer: &Answer, operation: &'static str) -> StoreError {
    match answer.failed {
        Some(Failed::Transport) => {
            StoreError::new(Trouble::Unavailable, operation, answer.describe())
        }
        Some(Failed::TooLong) => StoreError::new(Trouble::Nonsense, operation, answer.describe()),
        None => StoreError::of(answer, operation, Trouble::Nonsense),
    }
}
