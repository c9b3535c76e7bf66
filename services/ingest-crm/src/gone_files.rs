//! Exports that are to be loaded again although their files are no longer in the folder:
//! they are read from their copies in the archive.

use std::collections::BTreeSet;

use domain::FailureKind;
use file_ingest::Unit;
use landing::FileInfo;
use warehouse::{CrmExport, CrmStaging, SourceError};

use crate::{
    archive::{Archive, original_path, source_failed},
    export_content::Part,
};

/// What to do about exports whose files are gone.
#[derive(Debug, Default)]
pub(crate) struct GoneFiles {
    /// Those that have a copy.
    pub(crate) units: Vec<Unit<CrmExport>>,
    /// What to say of the others.
    pub(crate) remarks: Vec<String>,
    /// The paths of all exports that are to be loaded again, gone or not.
    pub(crate) asked: BTreeSet<String>,
}

impl GoneFiles {
    /// The exports that are to be loaded again and are not among the listed files.
    pub(crate) async fn to_load_again(
        staging: &dyn CrmStaging,
        archive: &Archive,
        listed: &[FileInfo],
    ) -> warehouse::Result<Self> {
        let replays = staging.crm_replays().await?;
        let listed: BTreeSet<&str> = listed.iter().map(|file| file.path.as_str()).collect();
        let asked = replays.iter().map(|export| export.path.clone()).collect();
        let mut gone = Self { asked, ..Self::default() };
        for export in replays.into_iter().filter(|export| !listed.contains(export.path.as_str())) {
            let copies = export.archive_path.as_deref().unwrap_or_default();
            if let Some(parts) = archived_parts(archive, copies).await.map_err(source_failed)? {
                let files = parts.into_iter().map(|part| FileInfo { path: part.path, ..part.copy });
                gone.units.push(Unit { files: files.collect(), about: export });
            } else {
                gone.remarks.push(format!(
                    "{} is to be loaded again, but is neither in its folder nor in the archive: put it back there",
                    export.path
                ));
            }
        }
        Ok(gone)
    }
}

/// The parts of an export as the archive has them, one a line of `copies`; `None` if one
/// is missing, or there is none.
pub(crate) async fn archived_parts(
    archive: &Archive,
    copies: &str,
) -> Result<Option<Vec<Part>>, landing::Error> {
    let mut parts = Vec::new();
    for copy in copies.lines() {
        let (Some(path), Some(copy)) = (original_path(copy), archive.find(copy).await?) else {
            return Ok(None);
        };
        parts.push(Part { path: path.to_owned(), copy });
    }
    Ok(Some(parts).filter(|parts| !parts.is_empty()))
}

/// Copies were there when the stage planned, and are not any more.
pub(crate) fn copies_gone(unit: &Unit<CrmExport>) -> warehouse::Error {
    let message = format!("the archived copy of {} went away while it was to be loaded again", unit.name());
    SourceError { kind: FailureKind::Conflict, message }.into()
}
