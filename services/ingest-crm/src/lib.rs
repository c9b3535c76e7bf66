//! `act_copy_crm_csv`: the CRM's CSV exports to `stg_crm_companies`.
//!
//! Every `*.csv` below the CRM's folder is a full state of the CRM that takes
//! effect on the day in its path, or if it has none, on the day its content is
//! first seen. Files are streamed, so memory does not grow with them.
//!
//! - A bad *row* is quarantined; the file is loaded without it. If only some
//!   fields of a row are bad, the others are loaded.
//! - A bad *file*, one whose every row is doubtful, is refused as a whole. The
//!   other files are loaded, then the stage fails and names each bad file, line
//!   and reason.
//! - The CRM overwrites its files. So each is first copied whole to a place
//!   where nothing changes it, and loaded from the copy.
//! - A file whose content is already loaded is not read again, unless an operator
//!   has asked for it; if it is gone by then, its copy is read. If no file is new,
//!   or there is none, the stage succeeds with a remark.

mod archive;
mod column_names;
mod company_columns;
mod company_parser;
mod company_rows;
mod config;
mod copy_crm_csv;
mod csv_format;
mod csv_header;
mod csv_records;
mod csv_scan;
mod effective_day;
mod encoding;
mod export_content;
mod export_options;
mod export_plan;
mod footer;
mod gone_files;
mod header_change;
mod inspect;
mod invalid_file;
mod lines;
mod missing_column;
mod quoting;

use std::sync::Arc;

use anyhow::Context as _;
use file_ingest::FileStage;
use landing::Storage;
use runtime::Service;
use warehouse::CrmStaging;

use archive::Archive;
pub use archive::{ARCHIVE_FOLDER, is_archived_copy};
pub use column_names::{ColumnsOption, Preset};
pub use config::{ArchiveArgs, Args, Options};
pub use csv_format::{CsvDelimiter, CsvEncoding, CsvOptions};
pub use export_options::{DateFrom, ExportOptions, SameDayChoice};
pub use inspect::{CrmInspection, InspectedColumn, InspectedExport, SampleCompany, inspect};
pub use quoting::Quoting;

/// Opens the warehouse and assembles the service.
///
/// # Errors
/// If the warehouse cannot be opened, or as [`assemble`].
pub async fn start(args: Args, context: runtime::Context) -> anyhow::Result<Service> {
    let warehouse =
        warehouse::open(&args.warehouse.warehouse_url).await.context("cannot open the warehouse")?;
    context.audit_in(warehouse.clone());
    assemble(args.options, warehouse, &context)
}

/// Assembles the service on an open warehouse.
///
/// # Errors
/// If there is no CRM or archive URL, or one cannot be used.
pub fn assemble(
    options: Options,
    staging: Arc<dyn CrmStaging>,
    context: &runtime::Context,
) -> anyhow::Result<Service> {
    let url =
        options.crm_url.context("it is not known where the CRM's exports are: set --crm-url or CRM_URL")?;
    let archive_url = options.archive.crm_archive_url.context(
        "it is not known where copies of the CRM's exports are to be kept: set --crm-archive-url or CRM_ARCHIVE_URL",
    )?;
    let storage = Storage::open(&url).context("--crm-url cannot be used")?;
    let archive = Storage::open(&archive_url)
        .map_err(anyhow::Error::from)
        .and_then(|archive| Archive::new(archive, &storage))
        .context("--crm-archive-url cannot be used")?;
    let stage = FileStage {
        storage,
        completion: staging.clone(),
        clock: Arc::clone(&context.clock),
        max_file_bytes: options.crm_max_file_bytes,
        loader: copy_crm_csv::CopyCrmCsv {
            staging,
            archive,
            format: options.csv.format(),
            effective_offset_days: options.crm_effective_offset_days,
            day_source: options.exports.day_source()?,
            same_day: options.exports.same_day()?,
            limits: options.exports.limits(),
        },
    };
    Ok(Service::new("ingest-crm").with_stages(stage, context))
}
