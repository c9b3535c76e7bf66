//! Whom a history is about, and how long it lasts.

/// The companies.
pub(super) const COMPANIES: [&str; 5] = ["007", "acme", "bolt", "ghost", "zed"];

/// The length of a history in days, from [`day`](crate::scene::day) 0.
pub(super) const SPAN: i64 = 32;
