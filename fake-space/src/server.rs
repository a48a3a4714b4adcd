//! Serving one origin: accepting connections, recording requests in the journal, applying faults, responding.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::faults::{self, Faults, Intercepted};
use crate::http::{self, Request, Response};
use crate::journal::{Journal, Origin};
use crate::lock::locked;
use crate::state::State;
use crate::{api, storage};

/// What both servers work on.
pub(crate) struct Shared {
    pub state: State,
    pub journal: Journal,
    pub faults: Mutex<Faults>,
}

/// Serves an origin until this future is dropped, and its connections with it.
pub(crate) async fn run(shared: Arc<Shared>, origin: Origin, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let _ = stream.set_nodelay(true);
                connections.spawn(serve(Arc::clone(&shared), origin, stream));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(shared: Arc<Shared>, origin: Origin, mut stream: TcpStream) {
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = http::read(&mut stream, &mut buffer).await {
        let number = shared.journal.push(origin, &request);
        let reusable = exchange(&shared, origin, request, number, &mut stream).await;
        shared.journal.update(number, |seen| seen.finished = true);
        if !reusable.unwrap_or(false) {
            return;
        }
    }
}

/// Responds to one request; returns whether the connection can be used again.
async fn exchange(
    shared: &Shared,
    origin: Origin,
    mut request: Request,
    number: u64,
    stream: &mut TcpStream,
) -> std::io::Result<bool> {
    let state = &shared.state;
    let actions = locked(&shared.faults, |faults| faults.take(origin, &request));
    let mut response = match faults::intercept(&actions, &mut request).await {
        Intercepted::Close => return Ok(false),
        Intercepted::Reset => return http::reset(stream).await.map(|()| false),
        Intercepted::Raw(bytes) => return stream.write_all(&bytes).await.map(|()| false),
        Intercepted::Answer(response) => response,
        Intercepted::Pass => handle(state, origin, &request),
    };
    if response.header("date").is_none() {
        response.set_header("date", http::date(state.now()));
    }
    let response = faults::modify(&actions, state, &request, response);
    // After the response is made, so that a hook which changes rows shifts those of the next page only.
    faults::run_hooks(&actions, state);
    let close = request
        .header("connection")
        .is_some_and(|text| text.eq_ignore_ascii_case("close"));
    let status = response.status;
    shared.journal.update(number, |seen| seen.status = status);
    let with_body = request.method != "HEAD" && !matches!(status, 204 | 304);
    let reusable = http::deliver(stream, response, with_body, |bytes| {
        shared.journal.sent(number, origin, bytes);
    });
    Ok(reusable.await? && !close)
}

fn handle(state: &State, origin: Origin, request: &Request) -> Response {
    // The API's server serves files to requests that a fault redirected to it.
    if origin == Origin::Media || storage::is_hop(request) {
        storage::handle(state, request)
    } else {
        api::handle(state, request)
    }
}
