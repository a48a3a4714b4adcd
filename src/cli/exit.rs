//! The exit codes, a public interface that scripts and the service's unit rely on.

use std::process::ExitCode;

use crate::config::{ConfigErrors, TokenError, WebhookSecretError};
use crate::instance::NotLocked;
use crate::owner::Foreign;
use crate::reconcile::SourceError;

/// Options that contradict each other in a way that clap can't see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub &'static str);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failure = 1,
    /// The command line or the configuration is wrong, or the archive belongs to another user.
    Usage = 2,
    CredentialsRefused = 3,
    /// Done, but recordings that are completed upstream are not archived.
    Incomplete = 4,
    Damage = 5,
    AnotherInstance = 6,
}

impl Exit {
    /// The exit code for an error that ended a command.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let configuration = error.chain().any(|cause| {
            cause.is::<ConfigErrors>()
                || cause.is::<TokenError>()
                || cause.is::<WebhookSecretError>()
                || cause.is::<Foreign>()
                || cause.is::<Usage>()
                || matches!(cause.downcast_ref(), Some(SourceError::Other(_)))
        });
        let busy = |cause: &(dyn std::error::Error + 'static)| {
            matches!(cause.downcast_ref(), Some(NotLocked::Busy(_)))
        };
        if configuration {
            Self::Usage
        } else if error.chain().any(busy) {
            Self::AnotherInstance
        } else {
            Self::Failure
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
