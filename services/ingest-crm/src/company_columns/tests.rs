//! How records with good and bad fields are read.

use crate::{
    column_names::{ColumnNames, ColumnsOption, Preset},
    csv_records::Fault,
};

use super::*;
use crate::csv_format::CsvFormat;

fn record(fields: &[&str]) -> Record {
    let text = |field: &&str| Field { text: (*field).to_owned(), is_readable: !field.contains('\u{fffd}') };
    let fields: Vec<Field> = fields.iter().map(text).collect();
    Record { line: 7, last_line: 7, raw: "raw".to_owned(), fields, fault: None }
}

fn names() -> ColumnNames {
    ColumnNames::new(ColumnsOption::default(), Preset::None)
}

fn columns(names_in_file: &[&str]) -> Result<CompanyColumns, InvalidFile> {
    CompanyColumns::of(&record(names_in_file), &CsvFormat { columns: names(), ..CsvFormat::default() })
}

const ENCODING: Found = Found::Utf8 { perhaps: None };

fn row(header: &[&str], fields: &[&str]) -> SourceRow<CrmCompany> {
    columns(header).unwrap().row(&record(fields), ENCODING, fields.len())
}

fn accepted(row: SourceRow<CrmCompany>) -> CrmCompany {
    match row {
        SourceRow::Accepted { line: 7, row } => row,
        row => panic!("{row:?}"),
    }
}

const HEADER: [&str; 5] = ["company_id", "name", "country", "industry_tag", "last_contact_at"];

#[test]
fn columns_are_found_by_name_in_any_order_case_and_spacing() {
    let columns = columns(&["note", " Company_Name ", "COMPANY ID", "last_contact_at"]).unwrap();
    let row = columns.row(&record(&["x", " Acme, Inc ", "007", "2026-01-10"]), ENCODING, 5);
    let row = accepted(row);
    assert_eq!(row.company_id.as_str(), "007");
    assert_eq!(row.attributes.name.as_deref(), Some("Acme, Inc"));
    assert_eq!((row.attributes.country, row.attributes.industry_tag), (None, None));
    assert_eq!(row.attributes.last_contact_at.unwrap().to_rfc3339(), "2026-01-10T00:00:00+00:00");
    assert_eq!(columns.missing().collect::<Vec<_>>(), ["country", "industry_tag"]);
}

#[test]
fn names_and_identifiers_are_settled() {
    let row =
        accepted(row(&HEADER, &["\u{feff}ac\u{200b}me\u{a0}", "Cafe\u{301}\u{a0}", "\u{200b}", "", ""]));
    assert_eq!(row.company_id.as_str(), "acme");
    assert_eq!((row.attributes.name.as_deref(), row.attributes.country), (Some("Café"), None));
}

#[test]
fn missing_fields_at_the_end_are_empty() {
    for fields in [&["a", "Beta", "DE", "retail"][..], &["a", "Beta", "DE"], &["a"]] {
        let row = accepted(row(&HEADER, fields));
        assert_eq!((row.company_id.as_str(), row.attributes.last_contact_at), ("a", None));
        assert_eq!(row.unreadable, UnreadableFields::default());
    }
    let SourceRow::Rejected(rejection) = row(&["name", "x", "company_id"], &["Beta", "y"]) else { panic!() };
    assert_eq!(rejection.reason.to_string(), "has 2 fields, and company_id is column 3");
    assert_eq!(rejection.concerns, Concerns::Anyone);
}

#[test]
fn surplus_fields_that_are_empty_do_no_harm() {
    accepted(row(&["company_id", "name"], &["a", "x", "", " "]));
}

#[test]
fn a_header_that_leaves_doubt_is_refused_with_line_and_column() {
    for (names, message) in [
        (&["id", "name"][..], "line 7: there is no column company_id, only id, name; if \"id\" is meant"),
        (
            &["company_id", "name", "Name "][..],
            "line 7, columns 2 and 3: both are the name; remove or rename one",
        ),
        (&["name", "company_id", "company_name"][..], "line 7, columns 1 and 3: both are the name"),
        (
            &["company id", "COMPANY_ID ", "company_id"][..],
            "line 7, columns 2 and 3: both are the company_id",
        ),
    ] {
        let refused = columns(names).unwrap_err().to_string();
        assert!(refused.starts_with(message), "{refused}");
    }
}

#[test]
fn columns_that_nobody_reads_may_be_nameless_or_there_twice() {
    for names in [&["company_id", "", ""][..], &["company_id", "Notes", "notes"]] {
        assert!(columns(names).is_ok(), "{names:?}");
    }
}

#[test]
fn a_bad_field_leaves_the_others_readable() {
    for (fields, reason, unreadable) in [
        (
            &["a", "Acme", "US", "saas", "soon"][..],
            "last_contact_at: \"soon\" is no timestamp such as 2026-01-31T09:30:00Z",
            UnreadableFields { last_contact_at: true, ..UnreadableFields::default() },
        ),
        (
            &["a", &"x".repeat(1001), "US", "saas", ""],
            "name: is longer than 1000 bytes",
            UnreadableFields { name: true, ..UnreadableFields::default() },
        ),
        (
            &["a", "Acme", "\u{fffd}sterreich", "saas", "26-01-31"],
            "country: has bytes that are no UTF-8 text; if the file is written in another encoding, name it \
             with --crm-encoding, for example windows-1250; last_contact_at: \"26-01-31\" has a two-digit year; \
             write it as 2026-01-31",
            UnreadableFields { country: true, last_contact_at: true, ..UnreadableFields::default() },
        ),
    ] {
        let SourceRow::Partial { row, rejection } = row(&HEADER, fields) else { panic!("{fields:?}") };
        assert_eq!(row.unreadable, unreadable);
        assert_eq!(row.attributes.industry_tag.as_deref(), Some("saas"));
        assert_eq!(row.attributes.name.is_none(), unreadable.name);
        assert_eq!(rejection.reason.to_string(), reason);
        assert_eq!(rejection.concerns, Concerns::Company(row.company_id));
        assert_eq!((rejection.line, rejection.raw.as_str()), (7, "raw"));
    }
}

#[test]
fn a_row_without_a_readable_identifier_may_be_anyones() {
    for (fields, expected) in [
        (&["", "x", ""][..], "company_id is empty"),
        (&["\u{200b}", "x", ""], "company_id is empty"),
        (&["a\u{3164}b", "x", ""], "company_id has the invisible character U+3164"),
        (&["a\u{fffd}", "x", ""], "company_id: has bytes that are no UTF-8 text"),
    ] {
        let SourceRow::Rejected(rejection) = row(&HEADER, fields) else { panic!("{fields:?}") };
        assert!(rejection.reason.to_string().starts_with(expected), "{}", rejection.reason);
        assert_eq!(rejection.concerns, Concerns::Anyone);
    }
}

#[test]
fn a_torn_row_is_the_companys_only_where_its_identifier_is_safe() {
    let all = UnreadableFields { name: true, country: true, industry_tag: false, last_contact_at: false };
    let SourceRow::Partial { row, rejection } =
        row(&["company_id", "name", "country"], &["a", "Acme", " Inc", "US"])
    else {
        panic!()
    };
    assert_eq!((row.company_id.as_str(), row.unreadable), ("a", all));
    let reason = rejection.reason.to_string();
    assert_eq!(reason, "has 4 fields, the header has 3: quote values with a delimiter");

    let SourceRow::Rejected(rejection) =
        columns(&["name", "company_id"]).unwrap().row(&record(&["Acme", " Inc", "a"]), ENCODING, 5)
    else {
        panic!()
    };
    assert_eq!(rejection.concerns, Concerns::Anyone);
}

#[test]
fn a_broken_record_is_the_companys_if_its_identifier_came_before_the_fault() {
    let columns = columns(&["company_id", "name"]).unwrap();
    let broken =
        |fields: &[&str]| Record { fault: Some(Fault::OpenQuote { field: fields.len() }), ..record(fields) };
    let SourceRow::Partial { row, rejection } = columns.row(&broken(&["a"]), ENCODING, 5) else { panic!() };
    assert_eq!((row.company_id.as_str(), row.unreadable.name), ("a", true));
    assert_eq!(rejection.reason.to_string(), "column 2 opens a quote that is never closed");
    let SourceRow::Rejected(rejection) = columns.row(&broken(&[]), ENCODING, 5) else { panic!() };
    assert_eq!(rejection.concerns, Concerns::Anyone);
}

#[test]
fn sums_and_repeated_headers_concern_nobody() {
    for (fields, reason) in [
        (&["Total: 3"][..], "is a sum, a count or a rule, and no company"),
        (&["(3 rows affected)", "", "", "", ""], "is a sum"),
        (&["Company ID", "Name", "Country", "Industry_Tag", "last_contact_at"], ""),
        (&["COMPANY_ID", " name", "country", "industry_tag", "last_contact_at"], "repeats the header"),
        (&["----------", "----", "-------", "----", "-----"], "is a sum"),
    ] {
        match row(&HEADER, fields) {
            SourceRow::Rejected(rejection) => {
                assert!(rejection.reason.to_string().starts_with(reason), "{}", rejection.reason);
                assert_eq!(rejection.concerns, Concerns::NoOne, "{fields:?}");
            }
            other => assert!(reason.is_empty(), "{other:?}"),
        }
    }
}
