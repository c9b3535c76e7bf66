//! Object storage with one interface for local folders and Azure Blob Storage.
//!
//! [`Storage`] is a root in a store; paths below it are relative and separated by `/`.
//! Reading detects a file that is replaced meanwhile, writing is atomic, and the memory
//! for either does not grow with the file. Inside a trace, every listing, look-up,
//! read, write and removal has a span.

mod atomic_writer;
mod azure;
mod error;
mod file_info;
pub mod json_record;
mod location;
mod numbered_lines;
mod operation;
mod reading;
mod removal;
mod root;
mod storage;

pub use atomic_writer::AtomicWriter;
pub use error::Error;
pub use file_info::FileInfo;
pub use numbered_lines::{LineError, NumberedLine, NumberedLines};
pub use removal::Temporary;
pub use storage::Storage;
