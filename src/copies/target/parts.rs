//! Uploads in parts.

use object_store::multipart::{MultipartStore as _, PartId};
use object_store::{PutMultipartOptions, PutPayload};

use super::{Target, asked, judged};
use crate::copies::answer::Call;
use crate::copies::object::{Receipt, attributes, plain};
use crate::copies::trouble::{StoreError, Trouble};

impl Target {
    /// Begins an upload in parts; returns the store's id of it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn begin(&self, key: &str, sha256: &str, token: &str) -> Result<String, StoreError> {
        let options = PutMultipartOptions {
            attributes: attributes(key, sha256, token, &self.project),
            ..PutMultipartOptions::default()
        };
        let key = self.key(key)?;
        let begun = self.writing().create_multipart_opts(&key, options);
        let id = asked(begun, "begin an upload").await?;
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
        let upload = upload.to_owned();
        let put = self.writing();
        let put = put.put_part(&key, &upload, number as usize, content);
        Ok(self.written(put, "upload a part").await?.content_id)
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
        // Receipts with a checksum are XML.
        let checked = receipts.iter().any(|receipt| receipt.starts_with('<'));
        let store = if checked { &self.checked } else { &self.store };
        let parts = receipts.into_iter();
        let parts = parts.map(|content_id| PartId { content_id }).collect();
        let key = self.key(key)?;
        let (upload, call) = (upload.to_owned(), Call::new(false));
        let completed = store.complete_multipart(&key, &upload, parts);
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
        let upload = upload.to_owned();
        match asked(self.store.abort_multipart(&key, &upload), "abort an upload").await {
            Err(error) if error.is_gone() => Ok(()),
            aborted => aborted,
        }
    }
}
