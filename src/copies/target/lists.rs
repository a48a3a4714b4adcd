//! Lists, and other questions about the bucket.

use bytes::Bytes;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpRequestBody, HttpService as _};
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};

use super::{Target, asked, failed};
use crate::copies::answer::Call;
use crate::copies::object::{Listed, UnfinishedUpload, plain};
use crate::copies::trouble::{StoreError, Trouble};
use crate::copies::xml;

impl Target {
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
        let (listed, next) = self.page(key, options).await?;
        if next.is_some() && next == token {
            let detail = "the list does not go on";
            return Err(StoreError::new(Trouble::Nonsense, "list objects", detail));
        }
        Ok((listed, next))
    }

    /// A page of the objects below the prefix from this key on, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list_from(&self, key: &str) -> Result<Vec<Listed>, StoreError> {
        // S3 begins after the key that is given.
        let mut before = self.full(key);
        before.pop();
        let options = PaginatedListOptions {
            offset: Some(before),
            ..PaginatedListOptions::default()
        };
        let (listed, _) = self.page("", options).await?;
        Ok(listed)
    }

    async fn page(
        &self,
        key: &str,
        options: PaginatedListOptions,
    ) -> Result<(Vec<Listed>, Option<String>), StoreError> {
        let prefix = self.full(key);
        let prefix = (!prefix.is_empty()).then_some(prefix.as_str());
        let page = self.store.list_paginated(prefix, options);
        let page = asked(page, "list objects").await?;
        let objects = page.result.objects.into_iter();
        let listed = objects.filter_map(|object| {
            Some(Listed {
                key: self.below(object.location.as_ref())?,
                bytes: object.size,
                etag: object.e_tag.map(plain),
            })
        });
        Ok((listed.collect(), page.page_token))
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
}
