//! The formats of answers: tables for people, CSV and JSON for programs.

pub mod bar;
pub mod explanation;
pub mod explanation_words;
pub mod json;
pub mod monitoring;
pub mod preview;
pub mod provenance;
pub mod published_days;
pub mod quarantine;
pub mod reconciliation;
#[cfg(test)]
mod row_tests;
pub mod table;
pub mod trend;

use clap::ValueEnum;
pub use presentation::{csv, fact, value};

/// How a single answer or a short list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// One JSON object a line (NDJSON)
    Json,
}

/// How a list is printed that programs may read as a table, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// For people
    Table,
    /// One JSON object a line (NDJSON)
    Json,
    /// Every field, with a header; times are RFC 3339 in UTC
    Csv,
}

/// How rows of the fact are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// For people: the most telling columns of the first rows
    Table,
    /// One JSON object a line (NDJSON), with every column
    Json,
    /// Every column with a header; an empty field is NULL, times are RFC 3339 in UTC
    Csv,
}
