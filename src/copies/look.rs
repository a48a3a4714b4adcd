//! Looks at objects. A store may answer from a replica that lags, so what is odd is looked at once more before it is
//! believed.

use std::time::Duration;

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::source::hex;
use super::{Object, StoreError, Target};

/// Between two looks at what is odd.
const AGAIN: Duration = Duration::from_secs(1);

/// The object under a key; `None`: there is none. If it is not `right`, it is looked at again, and the second answer counts.
pub(super) async fn confirmed(
    target: &Target,
    key: &str,
    right: impl Fn(Option<&Object>) -> bool,
) -> Result<Option<Object>, StoreError> {
    let found = target.head(key).await?;
    if right(found.as_ref()) {
        return Ok(found);
    }
    tokio::time::sleep(AGAIN).await;
    target.head(key).await
}

/// The SHA-256 of an object of `bytes` bytes, read in full; `None`: it has another length.
pub(super) async fn read_back(
    target: &Target,
    key: &str,
    bytes: u64,
    beat: &(dyn Fn() + Send + Sync),
) -> Result<Option<String>, StoreError> {
    let (_, mut content) = target.read(key).await?;
    let (mut hash, mut length) = (Sha256::new(), 0);
    while let Some(chunk) = content.try_next().await? {
        length += chunk.len() as u64;
        // It may never end.
        if length > bytes {
            return Ok(None);
        }
        hash.update(&chunk);
        beat();
    }
    Ok((length == bytes).then(|| hex(hash)))
}
