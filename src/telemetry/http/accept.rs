//! Which format of the metrics a scraper wants.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// The content type of the text format of Prometheus, which everybody reads.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of `OpenMetrics`.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether `OpenMetrics` is asked for, and text is not preferred to it.
pub(super) fn open_metrics(headers: &HeaderMap) -> bool {
    let (mut open, mut text) = (0.0_f32, 0.0_f32);
    let fields = headers.get_all(ACCEPT).into_iter();
    for range in fields
        .filter_map(|field| field.to_str().ok()?.split(',').into())
        .flatten()
    {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter = |name: &str| {
            let mut all = parameters.iter();
            let found = all.find(|(key, _)| key.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim().trim_matches('"'))
        };
        let weight = match parameter("q") {
            None => 1.0,
            Some(text) => text.parse().unwrap_or(0.0),
        };
        match kind.as_str() {
            // A scraper names each version that it reads.
            "application/openmetrics-text"
                if parameter("version").is_none_or(|version| version == "1.0.0") =>
            {
                open = open.max(weight);
            }
            "text/plain" => text = text.max(weight),
            _ => {}
        }
    }
    open > 0.0 && open >= text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(accept: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().expect("a value"));
        }
        open_metrics(&headers)
    }

    #[test]
    fn text_is_the_answer_unless_open_metrics_is_asked_for() {
        // Prometheus 2.42, 3.4, and VictoriaMetrics' agent.
        assert!(asked(&[
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
        ]));
        assert!(asked(&[
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ]));
        assert!(!asked(&["text/plain;version=0.0.4;q=1,*/*;q=0.1"]));
        assert!(!asked(&[]));
        assert!(!asked(&["*/*"]));
        assert!(!asked(&["text/html,application/xhtml+xml,*/*;q=0.8"]));
        assert!(asked(&["application/openmetrics-text"]));
        assert!(asked(&[
            "text/plain;q=0.5",
            "Application/OpenMetrics-Text; version=\"1.0.0\""
        ]));
        assert!(!asked(&["application/openmetrics-text; version=0.0.1"]));
        assert!(!asked(&["application/openmetrics-text;q=0, text/plain"]));
        assert!(!asked(&[
            "application/openmetrics-text;q=0.2, text/plain;q=0.9"
        ]));
        assert!(!asked(&["application/openmetrics-text;q=much"]));
    }
}
