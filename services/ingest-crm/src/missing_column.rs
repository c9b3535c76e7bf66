//! The messages for a header that lacks a column.

use crate::{
    column_names::{Column, ColumnNames, ColumnsOption, Preset, canonical},
    invalid_file::InvalidFile,
};

/// The similarity from which a heading counts as a misspelling, from 0 to 1.
const ALIKE: f64 = 0.8;

/// How many headings to name, and how long one may be in characters.
const NAMED_HEADINGS: usize = 20;
const NAMED_CHARS: usize = 40;

/// The refusal of a header without a column, with the setting that would fix it.
pub(crate) fn missing_column(
    line: u64,
    column: Column,
    names: &ColumnNames,
    headings: &[String],
) -> InvalidFile {
    let wanted = match names.configured(column) {
        Some(heading) => format!("{heading:?}, which --crm-columns names for {}", column.name()),
        None => column.name().to_owned(),
    };
    InvalidFile::MissingColumn {
        line,
        wanted,
        found: listed(headings),
        way_out: way_out(column, names, headings),
    }
}

/// The refusal of an export that lacks a column, which the previous one had as `heading`.
pub(crate) fn lost_column(column: Column, heading: &str, names: &ColumnNames, headings: &[String]) -> String {
    let name = column.name();
    format!(
        "the column {heading:?}, the {name} of the export before, is gone; there are {}; {}; if it is gone for \
         good, --crm-columns {name}=\"\" empties it for every company",
        listed(headings),
        way_out(column, names, headings)
    )
}

/// Headings for people, spelled as in the file.
fn listed(headings: &[String]) -> String {
    let named: Vec<String> = headings
        .iter()
        .filter(|heading| !heading.is_empty())
        .take(NAMED_HEADINGS)
        .map(|heading| heading.chars().take(NAMED_CHARS).collect::<String>())
        .collect();
    match headings.len().checked_sub(NAMED_HEADINGS) {
        None | Some(0) => named.join(", "),
        Some(more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// The setting that would find the column.
fn way_out(column: Column, names: &ColumnNames, headings: &[String]) -> String {
    let name = column.name();
    let wanted = names.configured(column).unwrap_or(name);
    if names.configured(column).is_none()
        && let Some(preset) = fitting_preset(column, names, headings)
    {
        return format!(
            "these are the headings of another CRM: use --crm-columns-preset {}",
            preset.option()
        );
    }
    match closest(wanted, headings) {
        Some(heading) => format!("if {heading:?} is meant, use --crm-columns {name}={}", quoted(heading)),
        None => format!("name its heading with --crm-columns {name}=\"...\""),
    }
}

/// The preset that finds the most columns in the headings, including this one.
fn fitting_preset(column: Column, names: &ColumnNames, headings: &[String]) -> Option<Preset> {
    let own = ColumnNames::new(ColumnsOption::default(), names.preset()).rate(headings);
    let rate = |preset: Preset| {
        let names = ColumnNames::new(ColumnsOption::default(), preset);
        let has_column = matches!(names.place(column, headings), crate::column_names::Place::At(_));
        if has_column { names.rate(headings) } else { 0 }
    };
    // Two columns besides the identifier, or it could be any table with a column `ID`.
    let enough = Column::ALL.len() + 2;
    // `max_by_key` returns the last of equal elements.
    let best = Preset::KNOWN.into_iter().rev().max_by_key(|preset| rate(*preset))?;
    Some(best).filter(|best| rate(*best) >= enough && rate(*best) > own)
}

fn closest<'a>(wanted: &str, headings: &'a [String]) -> Option<&'a str> {
    let alike = |heading: &str| {
        let (wanted, heading) = (plain(wanted), plain(heading));
        strsim::normalized_damerau_levenshtein(&wanted, &heading).max(if heading.contains(&wanted) {
            ALIKE
        } else {
            0.0
        })
    };
    let best = headings
        .iter()
        .filter(|heading| !heading.is_empty())
        .map(|heading| (alike(heading), heading))
        .max_by(|(first, _), (second, _)| first.total_cmp(second))?;
    // However it is spelled, a heading `id` is the best guess.
    let id = || {
        headings.iter().find(|heading| {
            wanted == "company_id" && matches!(plain(heading).as_str(), "id" | "customerid" | "accountid")
        })
    };
    Some(best)
        .filter(|(alike, _)| *alike >= ALIKE)
        .map(|(_, heading)| heading)
        .or_else(id)
        .map(String::as_str)
}

/// Only the letters and digits.
fn plain(heading: &str) -> String {
    canonical(heading).chars().filter(|c| c.is_alphanumeric()).collect()
}

fn quoted(heading: &str) -> String {
    format!("\"{}\"", heading.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(headings: &[&str], mapping: &str, column: Column) -> String {
        let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
        let names = ColumnNames::new(mapping.parse().unwrap(), Preset::None);
        missing_column(1, column, &names, &headings).to_string()
    }

    #[test]
    fn a_missing_column_is_named_with_the_setting_that_mends_it() {
        for (headings, mapping, column, expected) in [
            (
                &["Record ID", "Company name", "Industry", "Phone"][..],
                "",
                Column::CompanyId,
                "line 1: there is no column company_id, only Record ID, Company name, Industry, Phone; \
                 these are the headings of another CRM: use --crm-columns-preset hubspot",
            ),
            (&["compny_id", "x"], "", Column::CompanyId, "use --crm-columns company_id=\"compny_id\""),
            (&["ID", "x"], "", Column::CompanyId, "if \"ID\" is meant, use --crm-columns company_id=\"ID\""),
            (&["x", "y"], "", Column::CompanyId, "name its heading with --crm-columns company_id=\"...\""),
            (
                &["company_id", "Account Nane"],
                "name=\"Account Name\"",
                Column::Name,
                "there is no column \"Account Name\", which --crm-columns names for name, only company_id, \
                 Account Nane; if \"Account Nane\" is meant, use --crm-columns name=\"Account Nane\"",
            ),
        ] {
            let said = said(headings, mapping, column);
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn the_setting_that_is_advised_works() {
        let headings = vec!["The \"old\" company_id, or so".to_owned()];
        let advised = quoted(closest("company_id", &headings).unwrap());
        let names = ColumnNames::new(format!("company_id={advised}").parse().unwrap(), Preset::None);
        assert_eq!(names.place(Column::CompanyId, &headings), crate::column_names::Place::At(0));
    }

    #[test]
    fn many_headings_are_not_all_named() {
        let headings: Vec<String> = (0..50).map(|number| format!("{number}{}", "x".repeat(100))).collect();
        let said = missing_column(
            1,
            Column::CompanyId,
            &ColumnNames::new(ColumnsOption::default(), Preset::None),
            &headings,
        );
        assert!(said.to_string().len() < 1200 && said.to_string().contains("and 30 more"), "{said}");
    }
}
