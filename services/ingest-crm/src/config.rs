//! Settings of the service.

use clap::Args as ClapArgs;
use runtime::WarehouseArgs;

use crate::csv_format::CsvOptions;
use crate::export_options::ExportOptions;

/// Where copies of CRM exports are kept.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct ArchiveArgs {
    /// Where an immutable copy of every export that is read is kept, below
    /// crm/archive/: file:///folder/ or az://container/folder/
    #[arg(long, env = "CRM_ARCHIVE_URL", value_name = "URL")]
    pub crm_archive_url: Option<String>,
}

/// How CRM exports are read.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
pub struct Options {
    /// Folder of the CRM's CSV exports: file:///folder/ or az://container/folder/.
    /// Every *.csv below it is read
    #[arg(long, env = "CRM_URL", value_name = "URL")]
    pub crm_url: Option<String>,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub archive: ArchiveArgs,

    /// Days from the date of an export to the day from which it
    /// counts, for example -1 if the export of the 2nd holds the state of the 1st
    #[arg(
        long,
        env = "CRM_EFFECTIVE_OFFSET_DAYS",
        value_name = "DAYS",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub crm_effective_offset_days: i32,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub exports: ExportOptions,

    /// Refuse an export bigger than this
    #[arg(
        long,
        env = "CRM_MAX_FILE_BYTES",
        value_name = "BYTES",
        default_value_t = 2 * 1024 * 1024 * 1024
    )]
    pub crm_max_file_bytes: u64,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub csv: CsvOptions,
}

/// The arguments of the service as a process of its own.
#[derive(Debug, Clone, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub options: Options,

    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would take it for the help's heading")]
    pub warehouse: WarehouseArgs,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        CommandLine::try_parse_from(["ingest-crm"].iter().chain(arguments)).map(|line| line.options)
    }

    #[test]
    fn a_negative_offset_needs_no_quoting() {
        assert_eq!(parse(&["--crm-effective-offset-days", "-1"]).unwrap().crm_effective_offset_days, -1);
    }
}
