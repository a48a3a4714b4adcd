//! Paging as documented: `page_size`, `page_number`, `page_token`, the links between pages, and the 422s.
//! A page is cut by its offset at the time of the request, so rows shift when others are added or deleted.

use std::collections::HashSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::http::{Request, Response, encode};
use crate::options::{ErrorFormat, NextLinks, Options};

const PARAMETERS: [&str; 3] = ["page_number", "page_size", "page_token"];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub number: u64,
    pub size: u64,
    pub token: Uuid,
}

/// A 422 about this parameter.
pub(crate) fn invalid(format: ErrorFormat, code: &str, message: &str, attribute: &str) -> Response {
    let error = json!({
        "type": "validation_error",
        "code": code,
        "message": message,
        "attribute": attribute,
        "url": format!("https://developer.signalwire.com/rest/overview/error-codes/#{code}"),
    });
    let body = match format {
        ErrorFormat::Listed => json!({ "errors": [error] }),
        ErrorFormat::Bare => error,
        ErrorFormat::Unnamed => json!({ "error": "Unprocessable Entity" }),
    };
    Response::json(422, &body)
}

/// A parameter that must be a whole number, if it is there.
pub(crate) fn number(
    format: ErrorFormat,
    request: &Request,
    name: &str,
) -> Result<Option<u64>, Box<Response>> {
    let Some(text) = request.param(name) else {
        return Ok(None);
    };
    let number = text.parse::<u64>().ok();
    let number = number.filter(|number| i32::try_from(*number).is_ok());
    number.map(Some).ok_or_else(|| {
        let message = format!("{name} must be a whole number");
        Box::new(invalid(format, "invalid_parameter", &message, name))
    })
}

impl Paging {
    /// Reads the parameters of a request; `fresh` becomes the token if this is the first page.
    pub(crate) fn read(
        request: &Request,
        options: &Options,
        known: &mut HashSet<Uuid>,
        fresh: Uuid,
    ) -> Result<Self, Box<Response>> {
        let format = options.error_format;
        let size = number(format, request, "page_size")?.unwrap_or(50.min(options.page_size_max));
        if !(1..=options.page_size_max).contains(&size) {
            let message = format!("page_size must be between 1 and {}", options.page_size_max);
            return Err(Box::new(invalid(
                format,
                "invalid_parameter",
                &message,
                "page_size",
            )));
        }
        let number = number(format, request, "page_number")?.unwrap_or(0);
        let refuse = |code, message| Err(Box::new(invalid(format, code, message, "page_token")));
        let token = match request.param("page_token") {
            None if number > 0 => {
                let message = "page_token is required when page_number is above 0";
                return refuse("page_token_required", message);
            }
            Some("") if number > 0 => {
                let message = "page_token is required for the next page";
                return refuse("page_token_required_for_next_page", message);
            }
            None | Some("") => fresh,
            Some(text) => {
                let token = text
                    .strip_prefix("PA")
                    .and_then(|id| Uuid::try_parse(id).ok());
                match token.filter(|token| known.contains(token)) {
                    Some(token) => token,
                    None => return refuse("page_token_is_invalid", "page_token is invalid"),
                }
            }
        };
        known.insert(token);
        let size = size.min(options.page_size_cap.max(1));
        Ok(Self {
            number,
            size,
            token,
        })
    }

    pub(crate) fn offset(&self) -> u64 {
        self.number.saturating_mul(self.size)
    }

    /// The `links` of the page.
    pub(crate) fn links(
        &self,
        request: &Request,
        options: &Options,
        base: &str,
        more: bool,
    ) -> Value {
        let mut links = json!({
            "self": self.link(request, options, base, self.number),
            "first": self.link(request, options, base, 0),
        });
        if more {
            links["next"] = json!(self.link(request, options, base, self.number + 1));
        }
        if self.number > 0 {
            links["prev"] = json!(self.link(request, options, base, self.number - 1));
        }
        links
    }

    fn link(&self, request: &Request, options: &Options, base: &str, number: u64) -> String {
        let base = match options.next_links {
            NextLinks::Absolute => base,
            NextLinks::Relative => "",
        };
        let mut query = String::new();
        for (key, value) in &request.query {
            let dropped = key == "media_ttl" && !options.next_keeps_media_ttl;
            if !dropped && !PARAMETERS.contains(&key.as_str()) {
                query.extend([&encode(key), "=", &encode(value), "&"]);
            }
        }
        let (path, size, token) = (&request.path, self.size, self.token);
        format!("{base}{path}?{query}page_number={number}&page_size={size}&page_token=PA{token}")
    }
}
