//! Walks a list page by page along its `next` links, and knows when to stop.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::marker::PhantomData;

use url::Url;

use super::client::Client;
use super::error::{Error, Result};
use super::wire::{Item, RawPage, Rejected, read_item};

/// The most pages one walk follows: ten million rows at a thousand a page.
const MOST_PAGES: usize = 10_000;

/// One page: what could be read, and what could not.
#[derive(Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The items set aside.
    pub rejected: Vec<Rejected>,
}

/// A walk over the pages of a list.
#[derive(Debug)]
pub struct Pages<'a, T> {
    client: &'a Client,
    next: Option<Url>,
    followed: HashSet<u64>,
    kind: PhantomData<T>,
}

impl<'a, T: Item> Pages<'a, T> {
    pub(super) fn new(client: &'a Client, first: Url) -> Self {
        Self {
            client,
            next: Some(first),
            followed: HashSet::new(),
            kind: PhantomData,
        }
    }

    /// The next page, or `None` after the last. After an error the walk can't go on.
    ///
    /// # Errors
    /// [`Error`]: this page is lost, those before it are not.
    pub async fn next(&mut self) -> Result<Option<Page<T>>> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        let mut hasher = DefaultHasher::new();
        url.as_str().hash(&mut hasher);
        let request = url.path().to_owned();
        let endless = |what| Error::EndlessPages {
            request: request.clone(),
            what,
        };
        if !self.followed.insert(hasher.finish()) {
            return Err(endless("the link to the next page came a second time"));
        }
        if self.followed.len() > MOST_PAGES {
            return Err(endless("the pages do not end"));
        }
        let (page, next) = self
            .client
            .get(&url, |body, arrival| {
                let raw: RawPage<'_> = serde_json::from_slice(body).map_err(|error| {
                    format!(
                        "JSON that can't be read ({:?}, line {}, column {})",
                        error.classify(),
                        error.line(),
                        error.column()
                    )
                })?;
                let data = raw.data.ok_or("a page without its list")?;
                let mut page = Page {
                    items: Vec::with_capacity(data.len()),
                    rejected: Vec::new(),
                };
                for (index, item) in data.into_iter().enumerate() {
                    match read_item(item, arrival) {
                        Ok(item) => page.items.push(item),
                        Err(reason) => page.rejected.push(Rejected { index, reason }),
                    }
                }
                Ok((page, raw.links.next))
            })
            .await?;
        if let Some(next) = next.filter(|next| !next.is_empty()) {
            let next = url.join(&next).map_err(|_| Error::Answer {
                request: request.clone(),
                what: "a link to the next page that is no URL".to_owned(),
            })?;
            if next.origin() != url.origin()
                || !next.username().is_empty()
                || next.password().is_some()
            {
                return Err(Error::ForeignNext { request });
            }
            self.next = Some(self.client.with_ttl(next));
        }
        Ok(Some(page))
    }
}
