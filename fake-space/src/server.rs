//! The two servers: connections are taken, requests written down, answered, bent and sent.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::faults::{self, Before};
use crate::http::{self, Break, Response};
use crate::journal::Origin;
use crate::space::{Inner, Space};
use crate::{api, storage};

/// Serves an origin for ever; when this future is dropped, its connections are too.
pub(crate) async fn run(inner: Arc<Inner>, origin: Origin, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&inner), origin, stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(inner: Arc<Inner>, origin: Origin, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = http::read(&mut stream, &mut buffer).await {
        let number = inner.journal.push(origin, &request);
        let go_on = exchange(&inner, origin, request, number, &mut stream).await;
        inner.journal.update(number, |seen| seen.finished = true);
        if !go_on.unwrap_or(false) {
            return;
        }
    }
}

/// One request and its answer; `true` if the connection can go on.
async fn exchange(
    inner: &Arc<Inner>,
    origin: Origin,
    mut request: http::Request,
    number: u64,
    stream: &mut TcpStream,
) -> std::io::Result<bool> {
    let actions = inner.with_faults(|faults| faults.take(origin, &request));
    let response = match faults::before(&actions, &mut request).await {
        Before::Cut(Break::Reset) => return http::reset(stream).await.map(|()| false),
        Before::Cut(_) => return Ok(false),
        Before::Raw(bytes) => return stream.write_all(&bytes).await.map(|()| false),
        Before::Answered(response) => response,
        Before::GoOn => answer(inner, origin, &request),
    };
    let response = dated(response, inner);
    let response = faults::bend(&actions, inner, &request, response);
    faults::after(&actions, &Space::passing(inner));
    let close = request
        .header("connection")
        .is_some_and(|text| text.eq_ignore_ascii_case("close"));
    let status = response.status;
    inner.journal.update(number, |seen| seen.status = status);
    let with_body = request.method != "HEAD" && !matches!(status, 204 | 304);
    let go_on = http::deliver(stream, response, with_body, |bytes| {
        inner.journal.sent(number, origin, bytes);
    });
    Ok(go_on.await? && !close)
}

/// The answer with the space's time, if it tells none of its own.
fn dated(response: Response, inner: &Inner) -> Response {
    let is_date = |(name, _): &(String, String)| name.eq_ignore_ascii_case("date");
    if response.headers.iter().any(is_date) {
        return response;
    }
    response.header("date", storage::http_date(inner.clock.now()))
}

fn answer(inner: &Inner, origin: Origin, request: &http::Request) -> Response {
    // A redirect to the other origin finds the media there.
    if origin == Origin::Media || request.path.starts_with("/hop/") {
        storage::handle(inner, request)
    } else {
        api::handle(inner, request)
    }
}
