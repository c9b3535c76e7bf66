//! The contracts in the words of the domain: what a message, a status, a field violation
//! and a page size mean, in one place for servers and clients.

mod field_violations;
pub mod message;
mod page_size;
mod status;

pub use field_violations::FieldViolations;
pub use page_size::page_size;
pub use status::{code_name, is_transient, is_transport_failure, message_with_causes, status, undisclosed};
