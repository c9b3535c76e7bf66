//! A stage that loads every new file of a folder, the same for every kind of file.
//!
//! Every file is loaded in its own transaction, in the order of the paths, unless
//! exactly this content is already loaded. A refused file is refused as a whole and
//! does not stop the others from loading; the stage then fails and names it. Other
//! programs' hidden files and empty files are skipped with a remark. A [`FileLoader`]
//! defines one kind of file, which files are loaded as one, and how.

mod error;
mod file_span;
mod loader;
mod stage;
mod strangers;

pub use error::{Error, RefusedFiles};
pub use loader::{Delivery, FileKind, FileLoader, Outcome, Plan, Refused, Unit};
pub use stage::FileStage;
pub use strangers::is_hidden;
