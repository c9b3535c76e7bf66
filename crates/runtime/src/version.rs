//! Which build this is.

/// What `--version` prints after the program's name: the version, and the commit of the
/// build if it is known, `0.1.0 (1f2e3d4c5b6a)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("COMPANY_ACTIVITY_COMMIT"), ")");
