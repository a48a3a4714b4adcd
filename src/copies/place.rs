//! Where a target is.

use url::Url;

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

impl Place {
    /// Bucket and prefix as a URL, which distinguishes this place from others.
    #[must_use]
    pub fn url(&self) -> String {
        match self.prefix.as_str() {
            "" => format!("s3://{}", self.bucket),
            prefix => format!("s3://{}/{prefix}", self.bucket),
        }
    }

    /// The server, with the bucket in its host if it has its place there.
    pub(super) fn base(&self) -> Url {
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

    pub(super) fn bucket_url(&self) -> Url {
        let mut url = self.base();
        if self.path_style {
            url.set_path(&self.bucket);
        }
        url
    }
}
