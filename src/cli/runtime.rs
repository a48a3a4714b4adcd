//! The runtime of commands that do one thing after the other: a single thread is enough.

use anyhow::{Context as _, Result};

/// Runs a command's asynchronous part to its end.
///
/// # Errors
///
/// The system refuses what a runtime needs (file descriptors).
pub fn block_on<F: Future>(f: F) -> Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start the runtime")?;
    Ok(runtime.block_on(f))
}
