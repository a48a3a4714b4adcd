//! Makes HTML of the templates. All text from outside passes `shown` and the template's own escaping.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use minijinja::{Environment, Value, context};

use super::failure::Failure;
use crate::escape;
use crate::human;

const STYLE: &str = include_str!("templates/style.css");
const ICON: &str = include_str!("templates/icon.svg");
/// The style and the icon change with a release only.
const DAY: &str = "public, max-age=86400";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    for (name, text) in [
        ("layout.html", include_str!("templates/layout.html")),
        ("status.html", include_str!("templates/status.html")),
        ("recordings.html", include_str!("templates/recordings.html")),
        ("recording.html", include_str!("templates/recording.html")),
        ("sessions.html", include_str!("templates/sessions.html")),
        ("session.html", include_str!("templates/session.html")),
        ("rooms.html", include_str!("templates/rooms.html")),
        ("failure.html", include_str!("templates/failure.html")),
    ] {
        templates
            .add_template(name, text)
            .expect("a test renders each template");
    }
    templates
});

/// A page of a template, inside the layout.
pub(super) fn page(template: &str, title: &str, content: Value) -> Result<Response<Body>, Failure> {
    let html = TEMPLATES
        .get_template(template)
        .and_then(|found| found.render(content))
        .and_then(|content| layout(template, title, content))
        .map_err(|error| Failure::internal(&error))?;
    Ok(html_response(StatusCode::OK, html))
}

/// The page that says why there is no page.
pub(super) fn failure(failure: &Failure) -> Response<Body> {
    let (title, text) = (failure.title(), escape::line(failure.text()));
    let html = TEMPLATES
        .get_template("failure.html")
        .and_then(|found| found.render(context! { title, text }))
        .and_then(|content| layout("", title, content));
    html_response(failure.status(), html.unwrap_or_else(|_| title.to_owned()))
}

fn layout(template: &str, title: &str, content: String) -> Result<String, minijinja::Error> {
    let pages = [
        ("/", "Status", "status.html"),
        ("/recordings", "Recordings", "recordings.html"),
        ("/sessions", "Sessions", "sessions.html"),
        ("/rooms", "Rooms", "rooms.html"),
    ];
    let pages: Vec<_> = pages
        .into_iter()
        .map(|(address, name, page)| context! { address, name, here => page == template })
        .collect();
    let content = Value::from_safe_string(content);
    TEMPLATES
        .get_template("layout.html")?
        .render(context! { title, pages, content })
}

fn html_response(status: StatusCode, html: String) -> Response<Body> {
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

/// The style of all pages.
pub(super) async fn style() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/css; charset=utf-8"),
            (CACHE_CONTROL, DAY),
        ],
        STYLE,
    )
}

/// The icon of the browser's tab.
pub(super) async fn icon() -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "image/svg+xml"), (CACHE_CONTROL, DAY)],
        ICON,
    )
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        failure(&self)
    }
}

/// Text from outside on one line, cut to so many characters.
pub(super) fn shown(text: &str, most: usize) -> String {
    // A character may become eight when it is escaped.
    let cut = text
        .char_indices()
        .nth(most)
        .map_or(text, |(at, _)| &text[..at]);
    let mut line: String = escape::line(cut).chars().take(most).collect();
    if cut.len() < text.len() {
        line.push('…');
    }
    line
}

/// A size in bytes for people.
pub(super) fn size(bytes: Option<i64>) -> String {
    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok());
    bytes.map(human::size).unwrap_or_default()
}

/// A time of the database for people, to the minute.
pub(super) fn minute(time: Option<&str>) -> String {
    time.map(|time| {
        shown(&human::time(time), 16)
            .trim_end_matches('…')
            .to_owned()
    })
    .unwrap_or_default()
}
