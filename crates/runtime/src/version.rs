//! Which build this is.

/// What `--version` says after the program's name: the version, and the commit
/// that it was built from as far as that is known, `0.1.0 (1f2e3d4c5b6a)`.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("COMPANY_ACTIVITY_COMMIT"), ")");
