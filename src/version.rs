//! Which version this is, for `--version` and bug reports.

/// The version with the commit and the build profile, such as `0.1.0 (17cee94ab012, release)`.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("ROOM_ARCHIVER_BUILD_COMMIT"),
    ", ",
    env!("ROOM_ARCHIVER_BUILD_PROFILE"),
    ")"
);
