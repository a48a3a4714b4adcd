//! `[copies.NAME]`: an object store that archived recordings are copied to.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::values::{KeepLocal, Size, optional};

/// The smallest part that S3 accepts, except for the last one.
const LEAST_PART: u64 = 5 << 20;
/// Between the two verifications that a copy needs before its file is removed.
const DAY: std::time::Duration = std::time::Duration::from_hours(24);
/// The largest.
const MOST_PART: u64 = 5 << 30;

/// One object store.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct CopyTarget {
    /// `s3://bucket` or `s3://bucket/prefix`.
    pub url: String,
    /// The origin of an S3-compatible server; `None`: Amazon's for the region.
    #[serde(with = "optional")]
    pub endpoint: Option<String>,
    /// The region, which is part of each signature.
    pub region: String,
    /// Whether the bucket is in the path of a request instead of in the host.
    pub path_style: bool,
    /// A file with the access key.
    #[serde(with = "optional")]
    pub credentials_file: Option<std::path::PathBuf>,
    /// Uploads at the same time, each with one part in memory, 1 to 16; of small files four in the place of one.
    pub concurrency: usize,
    /// Bytes per second over all uploads to this target; 0: no limit.
    pub bandwidth_limit: Size,
    /// The most bytes of copies that a verification reads back; without, it only looks whether they are there.
    pub verify_bytes_per_run: Size,
    /// The length of the parts of an upload; longer for files that would have more than 10,000.
    pub part_size: Size,
    /// How long files stay on the disk after their copies were made here and verified.
    pub keep_local: KeepLocal,
}

impl Default for CopyTarget {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: None,
            region: "us-east-1".to_owned(),
            path_style: true,
            credentials_file: None,
            concurrency: 4,
            bandwidth_limit: Size(0),
            verify_bytes_per_run: Size(0),
            part_size: Size(8 << 20),
            keep_local: KeepLocal::Forever,
        }
    }
}

impl CopyTarget {
    /// Bucket and prefix of `url`; the prefix has no slash at its ends and may be empty.
    ///
    /// # Errors
    ///
    /// What is wrong with `url`; never for a configuration that was loaded.
    pub fn bucket_and_prefix(&self) -> Result<(&str, &str), &'static str> {
        const EXPECTED: &str =
            "must name a bucket and may name a prefix, such as \"s3://bucket/recordings\"";
        if self.url.is_empty() {
            return Err("not set; name the bucket, such as \"s3://bucket/recordings\"");
        }
        let rest = self.url.strip_prefix("s3://").ok_or(EXPECTED)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let named = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(named) {
            return Err(EXPECTED);
        }
        let segment =
            |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(|c| !c.is_control());
        if !prefix.is_empty() && !prefix.split('/').all(segment) {
            return Err("the prefix must be names separated by single slashes");
        }
        if prefix.len() > 512 {
            return Err("the prefix must not be longer than 512 bytes");
        }
        Ok((bucket, prefix))
    }

    /// The configured endpoint.
    ///
    /// # Errors
    ///
    /// What is wrong with `endpoint`; never for a configuration that was loaded.
    pub fn endpoint(&self) -> Result<Option<Url>, &'static str> {
        const EXPECTED: &str =
            "must be an origin without path and query, such as \"https://s3.example.com\"";
        let Some(text) = &self.endpoint else {
            return Ok(None);
        };
        let url = Url::parse(text).map_err(|_| EXPECTED)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "must not contain a user name or password; the access key is set elsewhere, for instance in credentials_file",
            );
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(EXPECTED);
        }
        match url.scheme() {
            "https" => Ok(Some(url)),
            "http" if is_loopback(&url) => Ok(Some(url)),
            "http" => Err(
                "must begin with https://; http would send the recordings unencrypted and is allowed only for loopback hosts",
            ),
            _ => Err(EXPECTED),
        }
    }

    /// Key and text of each problem.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if let Err(text) = self.bucket_and_prefix() {
            found.push(("url", text.to_owned()));
        }
        if let Err(text) = self.endpoint() {
            found.push(("endpoint", text.to_owned()));
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if self.region.is_empty() || !self.region.bytes().all(word) {
            let text = "must be the name of a region, such as \"eu-central-1\"";
            found.push(("region", text.to_owned()));
        }
        if let Some(file) = &self.credentials_file
            && !file.is_absolute()
        {
            let text = "must be an absolute path, one that begins with \"/\"";
            found.push(("credentials_file", text.to_owned()));
        }
        if !(1..=16).contains(&self.concurrency) {
            found.push(("concurrency", "must be between 1 and 16".to_owned()));
        }
        if (1..16 << 10).contains(&self.bandwidth_limit.0) {
            let text = "must be at least \"16KiB\" a second, or \"0\" for no limit";
            found.push(("bandwidth_limit", text.to_owned()));
        }
        if let KeepLocal::For(time) = self.keep_local
            && time < DAY
        {
            let text = "must be \"forever\" or at least \"1d\": a copy is verified twice, a day apart, before its file is removed";
            found.push(("keep_local", text.to_owned()));
        }
        // A server on this machine is a test: it need not have parts of megabytes.
        let local = matches!(self.endpoint(), Ok(Some(url)) if is_loopback(&url));
        let least = if local { 1 << 10 } else { LEAST_PART };
        if !(least..=MOST_PART).contains(&self.part_size.0) {
            let text = "must be between \"5MiB\" and \"5GiB\"";
            found.push(("part_size", text.to_owned()));
        }
        found
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
