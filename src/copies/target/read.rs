//! Reading objects.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, ObjectStore as _};

use super::{Target, judged};
use crate::copies::answer::Call;
use crate::copies::object::{Object, object};
use crate::copies::trouble::{StoreError, Trouble};

impl Target {
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

    /// Reads an object that has `most` bytes at most.
    ///
    /// # Errors
    /// [`Trouble::Rejected`], if it has more; [`Trouble::Gone`], if there is none; [`StoreError`]
    pub async fn read_small(&self, key: &str, most: u64) -> Result<Vec<u8>, StoreError> {
        let (_, mut chunks) = self.read(key).await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.try_next().await? {
            if (bytes.len() + chunk.len()) as u64 > most {
                let detail = "it is longer than such an object can be";
                return Err(StoreError::new(Trouble::Rejected, "read an object", detail));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}
