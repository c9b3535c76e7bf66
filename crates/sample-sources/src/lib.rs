//! Sample sources: CRM exports and a product-usage API that speak the
//! pipeline's source contracts, for the demo and for tests.
//!
//! - [`World`] generates companies and their activity from one seed.
//! - [`UsageBook`] holds the records that the API serves.
//! - [`serve_api`] serves a book over HTTP, with [`Faults`] on request and a
//!   [`RequestLog`].

mod api;
mod company_name;
mod company_profile;
mod crm_export;
mod day_range;
mod defects;
mod faults;
mod random_stream;
mod request_log;
mod revision;
mod usage_book;
mod usage_curve;
mod usage_record;
mod world;

pub use api::{ApiOptions, DEFAULT_PAGE_SIZE, PRODUCT_USAGE_PATH, router, serve_api};
pub use crm_export::CrmExportFile;
pub use defects::{DefectRates, UsageDefect};
pub use faults::{Fault, Faults};
pub use request_log::RequestLog;
pub use usage_book::{UsageBook, UsageBookError};
pub use usage_record::SampleRecord;
pub use world::{SampleFiles, World, WorldOptions};
