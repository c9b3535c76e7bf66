//! A stage that loads every new file of a folder, the same for every kind of file.
//!
//! Every file is loaded in a transaction of its own, in the order of the paths,
//! unless exactly this content is already loaded. A file that must be refused is
//! refused as a whole and does not keep the others from being loaded; the stage
//! then fails and names it. What other programs hide in the folder, and files
//! without any byte, are passed over with a remark. A [`FileLoader`] says what one
//! kind of file is, which of them are loaded as one, and how.

mod error;
mod file_span;
mod loader;
mod stage;
mod strangers;

pub use error::{Error, RefusedFiles};
pub use loader::{Delivery, FileKind, FileLoader, Outcome, Plan, Refused, Unit};
pub use stage::FileStage;
pub use strangers::is_hidden;
