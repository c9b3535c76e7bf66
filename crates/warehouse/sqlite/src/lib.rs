//! The embedded engine: SQLite through sqlx.
