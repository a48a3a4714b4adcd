//! Walks a list page by page along its `next` links, and ends walks that would never end.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::marker::PhantomData;

use serde_json::Value;
use url::Url;

use super::client::Client;
use super::error::{Error, Result};
use super::repair;
use super::wire::{Arrival, Item, Odd, RawPage, Rejected, read_item};

/// The most pages one walk follows: ten million rows at a thousand a page.
const MOST_PAGES: usize = 10_000;

/// The most empty pages in a row that are followed.
const MOST_EMPTY_PAGES: usize = 100;

/// One page: what could be read, and what could not.
#[derive(Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The items that could not be read.
    pub rejected: Vec<Rejected>,
}

/// A walk over the pages of a list.
#[derive(Debug)]
pub struct Pages<'a, T> {
    client: &'a Client,
    next: Option<Url>,
    followed: HashSet<u64>,
    empty_in_a_row: usize,
    /// Why the next page that the last one names can't be requested; the next call returns it.
    broken: Option<Error>,
    kind: PhantomData<T>,
}

impl<'a, T: Item> Pages<'a, T> {
    pub(super) fn new(client: &'a Client, first: Url) -> Self {
        Self {
            client,
            next: Some(first),
            followed: HashSet::new(),
            empty_in_a_row: 0,
            broken: None,
            kind: PhantomData,
        }
    }

    /// The next page, or `None` after the last. After an error the walk can't continue.
    ///
    /// # Errors
    /// [`Error`]: this page is lost, those before it are not.
    pub async fn next(&mut self) -> Result<Option<Page<T>>> {
        let Some(url) = self.next.take() else {
            return self.broken.take().map_or(Ok(None), Err);
        };
        if !self.follow(&url) {
            return Err(endless(
                &url,
                "the link to the next page repeats an earlier one",
            ));
        }
        if self.followed.len() > MOST_PAGES || self.empty_in_a_row >= MOST_EMPTY_PAGES {
            return Err(endless(&url, "the pages do not end"));
        }
        let ((page, next), answered) = self.client.get(url.clone(), read_page).await?;
        if answered != url {
            // The request was reduced: the walk may have started again.
            self.followed.clear();
            self.follow(&answered);
        }
        if page.items.is_empty() && page.rejected.is_empty() {
            self.empty_in_a_row += 1;
        } else {
            self.empty_in_a_row = 0;
        }
        match next_url(&answered, next.as_ref()) {
            Ok(next) => self.next = next.map(|next| self.client.with_parameters(next, &answered)),
            Err(error) => self.broken = Some(error),
        }
        Ok(Some(page))
    }

    /// Notes that a page is requested; `false`: it was requested before.
    fn follow(&mut self, url: &Url) -> bool {
        let mut hasher = DefaultHasher::new();
        url.as_str().hash(&mut hasher);
        self.followed.insert(hasher.finish())
    }
}

fn endless(url: &Url, what: &'static str) -> Error {
    Error::EndlessPages {
        request: url.path().to_owned(),
        what,
    }
}

/// Reads the body of a list's answer: the page, and its link to the next one.
///
/// # Errors
/// What the body is instead of a page, without quoting it.
pub fn read_page<T: Item>(
    body: &[u8],
    arrival: Arrival,
) -> std::result::Result<(Page<T>, Option<Value>), String> {
    // Invalid UTF-8 in one item must not make the others unreadable.
    let body =
        std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed);
    let unreadable = |error: serde_json::Error| {
        if body.trim_start().starts_with('<') {
            return "HTML or XML instead of JSON: check signalwire.space or base_url, and proxies on the way".to_owned();
        }
        format!(
            "JSON that can't be read ({:?}, line {}, column {})",
            error.classify(),
            error.line(),
            error.column()
        )
    };
    let repaired;
    let mut raw: RawPage<'_> = match serde_json::from_str(&body) {
        Ok(raw) => raw,
        Err(error) => {
            repaired = repair::repaired(&body).ok_or_else(|| unreadable(error))?;
            serde_json::from_str(&repaired).map_err(unreadable)?
        }
    };
    let next = raw.next();
    let data = raw.data.ok_or("a page without its list")?;
    let mut page = Page {
        items: Vec::with_capacity(data.len()),
        rejected: Vec::new(),
    };
    let mut odd = Odd::default();
    for (index, item) in data.into_iter().enumerate() {
        match read_item(item, arrival, &mut odd) {
            Ok(item) => page.items.push(item),
            Err(reason) => page.rejected.push(Rejected { index, reason }),
        }
    }
    odd.warn();
    Ok((page, next))
}

/// The next page's URL: the request's own, with only the query taken from `next`, as SignalWire's own client
/// does. So the credentials never go to another address.
///
/// # Errors
/// [`Error::Answer`], if `next` is not a URL with a query.
pub fn next_url(request: &Url, next: Option<&Value>) -> Result<Option<Url>> {
    let next = match next {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(next)) if next.is_empty() => return Ok(None),
        Some(Value::String(next)) => request.join(next).ok(),
        Some(_) => None,
    };
    let unusable = |what: &str| Error::Answer {
        request: request.path().to_owned(),
        what: format!("a link to the next page that {what}"),
    };
    let next = next.ok_or_else(|| unusable("is not a URL"))?;
    let query = next.query().filter(|query| !query.is_empty());
    let query = query.ok_or_else(|| unusable("has no query"))?;
    let mut url = request.clone();
    url.set_query(Some(query));
    Ok(Some(url))
}

#[cfg(test)]
mod tests;
