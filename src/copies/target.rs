//! One object store: requests for objects below a prefix, one at a time and never repeated.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::aws::{
    AmazonS3, AmazonS3Builder, AwsAuthorizer, AwsCredential, S3ConditionalPut,
};
use object_store::client::{HttpRequestBody, HttpService as _};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStore as _, ObjectStoreExt as _, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
};
use url::Url;

use super::answer::{Answer, Call, Failed};
use super::http::{self, Connector, Patience};
use super::trouble::{StoreError, Trouble};
use super::xml;
use crate::clock::Clock;
use crate::cooldown::Cooldowns;
use crate::model::{AccessKey, host_and_port};
use crate::throttle::Throttle;

/// Metadata of an object: the SHA-256 of its content, hexadecimal.
const SHA256: &str = "sha256";
/// Metadata of an object: which upload made it.
const TOKEN: &str = "upload";

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bucket.
    pub bucket: String,
    /// All keys begin with this and a slash; may be empty.
    pub prefix: String,
    /// The server; `None`: Amazon's for the region.
    pub endpoint: Option<Url>,
    /// Part of each signature.
    pub region: String,
    /// Whether the bucket is in the path of a request instead of in the host.
    pub path_style: bool,
}

/// An object as `HEAD` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its length.
    pub bytes: u64,
    /// The store's checksum of it, in a form of its own.
    pub etag: Option<String>,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// The SHA-256 that it was uploaded with.
    pub sha256: Option<String>,
    /// The upload that made it.
    pub token: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Below the prefix.
    pub key: String,
    /// Its length.
    pub bytes: u64,
    /// As in [`Object`].
    pub etag: Option<String>,
}

/// What the store answered to an object that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// As in [`Object`].
    pub etag: Option<String>,
    /// As in [`Object`].
    pub version: Option<String>,
}

/// An upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedUpload {
    /// Below the prefix.
    pub key: String,
    /// The store's id.
    pub id: String,
    /// When it began, by the store's clock.
    pub begun_at: Option<DateTime<Utc>>,
}

/// One object store. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Target {
    place: Arc<Place>,
    host: String,
    store: Arc<AmazonS3>,
    connector: Connector,
    cooldowns: Cooldowns,
    clock: Clock,
}

impl Target {
    /// The store at `place`. Nothing is sent yet.
    ///
    /// # Errors
    /// If no client can be made.
    pub fn new(
        place: Place,
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
            .with_http_connector(connector.clone())
            // Repeating is the scheduler's business.
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            });
        if let Some(token) = token {
            builder = builder.with_token(token);
        }
        Ok(Self {
            store: Arc::new(builder.build().map_err(|error| unusable(&error))?),
            place: Arc::new(place),
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
        let call = Call::new(false);
        let found = call.run(self.store.get_opts(&key, options)).await;
        match judged(found, &call, "look for an object") {
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
            attributes: attributes(key, sha256, token),
            ..PutOptions::default()
        };
        let key = self.key(key)?;
        let call = Call::new(false);
        let put = call.run(self.store.put_opts(&key, content, options)).await;
        let put = judged(put, &call, "upload an object")?;
        Ok(Receipt {
            etag: put.e_tag.map(plain),
            version: put.version,
        })
    }

    /// Begins an upload in parts; returns the store's id of it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin(&self, key: &str, sha256: &str, token: &str) -> Result<String, StoreError> {
        let options = PutMultipartOptions {
            attributes: attributes(key, sha256, token),
            ..PutMultipartOptions::default()
        };
        let key = self.key(key)?;
        let call = Call::new(false);
        let begun = call
            .run(self.store.create_multipart_opts(&key, options))
            .await;
        let id = judged(begun, &call, "begin an upload")?;
        if id.is_empty() || id.len() > 4096 {
            let detail = "the id of the upload is empty or too long";
            return Err(StoreError::new(
                Trouble::Nonsense,
                "begin an upload",
                detail,
            ));
        }
        Ok(id)
    }

    /// Uploads a part, the first of which is number 0; returns its receipt.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn part(
        &self,
        key: &str,
        upload: &str,
        number: u32,
        content: PutPayload,
    ) -> Result<String, StoreError> {
        let key = self.key(key)?;
        let (upload, call) = (upload.to_owned(), Call::new(false));
        let put = self.store.put_part(&key, &upload, number as usize, content);
        let put = call.run(put).await;
        Ok(judged(put, &call, "upload a part")?.content_id)
    }

    /// Makes an object of the parts with these receipts, in their order. An object under the key is replaced.
    ///
    /// # Errors
    /// [`StoreError`]; the object may be complete all the same.
    pub async fn complete(
        &self,
        key: &str,
        upload: &str,
        receipts: Vec<String>,
    ) -> Result<Receipt, StoreError> {
        let parts = receipts.into_iter();
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        let key = self.key(key)?;
        let (upload, call) = (upload.to_owned(), Call::new(false));
        let completed = self.store.complete_multipart(&key, &upload, parts);
        let completed = call.run(completed).await;
        // An error document with status 200.
        if call.answer().code.is_some() {
            let error = StoreError::of(&call.answer(), "complete an upload", Trouble::Rejected);
            return Err(error);
        }
        let completed = judged(completed, &call, "complete an upload")?;
        Ok(Receipt {
            etag: completed.e_tag.map(plain),
            version: completed.version,
        })
    }

    /// Aborts an upload. One that the store no longer knows is aborted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn abort(&self, key: &str, upload: &str) -> Result<(), StoreError> {
        let key = self.key(key)?;
        let (upload, call) = (upload.to_owned(), Call::new(false));
        let aborted = call.run(self.store.abort_multipart(&key, &upload)).await;
        match judged(aborted, &call, "abort an upload") {
            Err(error) if error.is_gone() => Ok(()),
            aborted => aborted,
        }
    }

    /// Unfinished uploads whose keys, below the prefix, begin with `key`; not more than `most`.
    ///
    /// # Errors
    /// [`Trouble::Unsupported`], if the store has no such list; [`StoreError`]
    pub async fn unfinished(
        &self,
        key: &str,
        most: usize,
    ) -> Result<Vec<UnfinishedUpload>, StoreError> {
        const OPERATION: &str = "list unfinished uploads";
        let mut found = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let mut query = vec![("uploads", String::new()), ("prefix", self.full(key))];
            if let Some((key, id)) = &after {
                query.push(("key-marker", key.clone()));
                query.push(("upload-id-marker", id.clone()));
            }
            let body = self.query(&query, OPERATION).await?;
            let nonsense = || StoreError::new(Trouble::Nonsense, OPERATION, "it is no such list");
            let page = xml::uploads(&body).ok_or_else(nonsense)?;
            for entry in page.upload {
                // A store that does not know about prefixes shows others, too.
                if let Some(key) = self.below(&entry.key) {
                    found.push(UnfinishedUpload {
                        key,
                        id: entry.upload_id,
                        begun_at: entry.initiated,
                    });
                }
            }
            let next = page.next_key_marker.zip(page.next_upload_id_marker);
            if !page.is_truncated || next.is_none() || next == after || found.len() >= most {
                found.truncate(most);
                return Ok(found);
            }
            after = next;
        }
    }

    /// The answer to a request about the bucket, such as `?versioning`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn query(
        &self,
        query: &[(&str, String)],
        operation: &'static str,
    ) -> Result<Bytes, StoreError> {
        let mut url = self.place.bucket_url();
        url.query_pairs_mut().extend_pairs(query);
        let request = ::http::Request::get(url.as_str()).body(HttpRequestBody::empty());
        let unusable = |error: String| StoreError::new(Trouble::Rejected, operation, error);
        let mut request = request.map_err(|error| unusable(error.to_string()))?;
        let (id, secret, token) = self.connector.key.expose();
        let credential = AwsCredential {
            key_id: id.to_owned(),
            secret_key: secret.to_owned(),
            token: token.map(ToOwned::to_owned),
        };
        AwsAuthorizer::new(&credential, "s3", &self.place.region)
            .try_authorize(&mut request, None)
            .map_err(|error| unusable(error.to_string()))?;
        let call = Call::new(false);
        let answered = call.run(self.connector.call(request)).await;
        let answer = call.answer();
        match answered {
            Ok(response) if response.status().is_success() && answer.code.is_none() => {
                let body = response.into_body().bytes().await;
                body.map_err(|error| unusable(error.to_string()))
            }
            _ => Err(failed(&answer, operation)),
        }
    }

    /// A page of the objects whose keys, below the prefix, begin with `key`, in the order of their keys; `token` is
    /// from the page before. Returns the token of the next page.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list(
        &self,
        key: &str,
        token: Option<String>,
    ) -> Result<(Vec<Listed>, Option<String>), StoreError> {
        let options = PaginatedListOptions {
            page_token: token.clone(),
            ..PaginatedListOptions::default()
        };
        let prefix = self.full(key);
        let prefix = (!prefix.is_empty()).then_some(prefix.as_str());
        let call = Call::new(false);
        let page = call.run(self.store.list_paginated(prefix, options)).await;
        let page = judged(page, &call, "list objects")?;
        let objects = page.result.objects.into_iter();
        let listed = objects.filter_map(|object| {
            Some(Listed {
                key: self.below(object.location.as_ref())?,
                bytes: object.size,
                etag: object.e_tag.map(plain),
            })
        });
        if page.page_token.is_some() && page.page_token == token {
            let detail = "the list does not go on";
            return Err(StoreError::new(Trouble::Nonsense, "list objects", detail));
        }
        Ok((listed.collect(), page.page_token))
    }

    /// Reads an object. The store decides how many bytes arrive: stop when there are too many.
    ///
    /// # Errors
    /// [`Trouble::Gone`], if there is none; [`StoreError`]
    pub async fn read(
        &self,
        key: &str,
    ) -> Result<(Object, BoxStream<'static, Result<Bytes, StoreError>>), StoreError> {
        const OPERATION: &str = "read an object";
        let key = self.key(key)?;
        let call = Call::new(true);
        let found = call
            .run(self.store.get_opts(&key, GetOptions::default()))
            .await;
        let found = judged(found, &call, OPERATION)?;
        let about = object(&found);
        let stream = found.into_stream().map_err(|error| {
            let text = crate::escape::line(&error.to_string()).into_owned();
            StoreError::new(Trouble::Unavailable, OPERATION, text)
        });
        Ok((about, stream.boxed()))
    }

    /// Deletes an object. One that is not there is deleted.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let key = self.key(key)?;
        let call = Call::new(false);
        let deleted = call.run(self.store.delete(&key)).await;
        match judged(deleted, &call, "delete an object") {
            Err(error) if error.trouble == Trouble::Gone => Ok(()),
            deleted => deleted,
        }
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
        match Path::parse(&full) {
            Ok(path) if full.len() <= 1024 => Ok(path),
            Ok(_) => {
                let detail = "it is longer than the 1024 bytes that object stores allow";
                Err(StoreError::new(
                    Trouble::Rejected,
                    "make a key of the path",
                    detail,
                ))
            }
            Err(error) => Err(StoreError::new(
                Trouble::Rejected,
                "make a key of the path",
                crate::escape::line(&error.to_string()),
            )),
        }
    }
}

impl Place {
    /// Bucket and prefix as a URL, which tells this place from others.
    #[must_use]
    pub fn url(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.bucket),
            prefix => format!("s3://{}/{prefix}", self.bucket),
        }
    }

    /// The server, with the bucket in its host if it has its place there.
    fn base(&self) -> Url {
        let Self { bucket, region, .. } = self;
        let mut url = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&format!("https://s3.{region}.amazonaws.com"))
                .expect("regions have no special characters"),
        };
        if !self.path_style
            && let Some(host) = url.host_str().map(|host| format!("{bucket}.{host}"))
        {
            // An address has no subdomains: then the bucket stays out, and the store says so.
            _ = url.set_host(Some(&host));
        }
        url
    }

    fn bucket_url(&self) -> Url {
        let mut url = self.base();
        if self.path_style {
            url.set_path(&self.bucket);
        }
        url
    }
}

fn attributes(key: &str, sha256: &str, token: &str) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(SHA256.into()), sha256.to_owned().into());
    attributes.insert(Attribute::Metadata(TOKEN.into()), token.to_owned().into());
    let extension = key.rsplit_once('.').map(|(_, extension)| extension);
    let kind = match extension {
        Some("mp4" | "m4v") => "video/mp4",
        Some("webm") => "video/webm",
        Some("mkv") => "video/x-matroska",
        Some("mov") => "video/quicktime",
        Some("mp3") => "audio/mpeg",
        Some("m4a") => "audio/mp4",
        Some("ogg" | "opus") => "audio/ogg",
        Some("wav") => "audio/wav",
        Some("flac") => "audio/flac",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    };
    attributes.insert(Attribute::ContentType, kind.into());
    attributes
}

fn object(found: &object_store::GetResult) -> Object {
    let metadata = |name: &str| {
        let value = found
            .attributes
            .get(&Attribute::Metadata(name.to_owned().into()))?;
        Some(value.to_string())
    };
    Object {
        bytes: found.meta.size,
        etag: found.meta.e_tag.clone().map(plain),
        version: found.meta.version.clone(),
        sha256: metadata(SHA256),
        token: metadata(TOKEN),
    }
}

/// An `ETag` without its quotes: some stores leave them out of lists.
fn plain(etag: String) -> String {
    match etag
        .strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'))
    {
        Some(inner) => inner.to_owned(),
        None => etag,
    }
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
