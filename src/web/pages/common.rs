//! What several pages need.

use axum::body::Body;
use axum::http::Response;

use crate::web::failure::Failure;

/// Characters of a room's name in a list. It is shown in full on the pages of its recordings.
pub(super) const NAME: usize = 48;

pub(super) const NO_RECORDING: Failure = Failure::NotFound("There is no recording with this id.");

pub(super) type Page = Result<Response<Body>, Failure>;
