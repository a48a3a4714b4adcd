//! The async runtime of a command.

use std::io;

/// Runs a command's future to its end.
///
/// # Errors
/// If the system can't start the threads.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(future))
}
