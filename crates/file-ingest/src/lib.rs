//! A stage that loads every new file of a folder, the same for every kind of file.
//!
//! Every file is loaded in a transaction of its own, in the order of the paths,
//! unless exactly this content is already loaded. A file that must be refused is
//! refused as a whole and does not keep the others from being loaded; the stage
//! then fails and names it. A [`FileLoader`] says what one kind of file is and
//! how one is loaded.

mod error;
mod file_span;
mod loader;
mod stage;

pub use error::{Error, RefusedFiles};
pub use loader::{Delivery, FileKind, FileLoader};
pub use stage::FileStage;
