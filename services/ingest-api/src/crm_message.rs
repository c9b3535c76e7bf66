//! What messages say of an export of the CRM.

use domain::{
    UnreadableFields,
    provenance::{ExportOrigin, Unread},
};

/// The paths of an export's copies in the archive, one per part.
pub(crate) fn archive_paths(export: &ExportOrigin) -> Vec<String> {
    export.archive_path.iter().flat_map(|paths| paths.lines()).map(str::to_owned).collect()
}

/// The columns of the fact that could not be read.
pub(crate) fn unreadable_columns(unread: Unread) -> Vec<String> {
    let UnreadableFields { name, country, industry_tag, last_contact_at } = unread.fields;
    let columns = [
        (name, "company_name"),
        (country, "country"),
        (industry_tag, "industry_tag"),
        (last_contact_at, "last_contact_at"),
    ];
    let unreadable = columns.into_iter().filter(|(is_unread, _)| *is_unread || unread.all);
    unreadable.map(|(_, column)| column.to_owned()).collect()
}
