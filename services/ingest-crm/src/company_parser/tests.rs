//! Which rows a file yields, and which companies they are.

use proptest::prelude::*;

use super::*;

fn rows_of(file: &str, format: &CsvFormat) -> Vec<SourceRow<CrmCompany>> {
    let mut parser = CompanyParser::new(format);
    let mut rows = parser.push(file.as_bytes()).unwrap();
    rows.extend(parser.finish().unwrap());
    rows
}

fn reported(file: &str) -> Vec<String> {
    let rows = rows_of(file, &CsvFormat::default());
    let reported = |row: &SourceRow<CrmCompany>| match row {
        SourceRow::Accepted { line, row } => format!("{line} {}", row.company_id),
        SourceRow::Partial { row, rejection } => {
            format!("{} {} but {}", rejection.line, row.company_id, rejection.reason)
        }
        SourceRow::Rejected(rejection) => {
            format!("{} {:?}: {}", rejection.line, rejection.concerns, rejection.reason)
        }
    };
    rows.iter().map(reported).collect()
}

const HEADER: &str = "company_id,name,country,industry_tag,last_contact_at\n";

#[track_caller]
fn assert_reported(rows: &str, expected: &[&str]) {
    let reported = reported(&format!("{HEADER}{rows}"));
    assert_eq!(reported.len(), expected.len(), "{reported:#?}");
    for (reported, expected) in reported.iter().zip(expected) {
        assert!(reported.starts_with(expected), "{reported:?} instead of {expected:?}");
    }
}

#[test]
fn what_databases_write_for_no_value_is_none() {
    let file = format!("{HEADER}acme,\\N,NULL,saas,\\N\nbeta,\"\\N\",n/a,NULL,NULL\n");
    let companies = |nulls: &[&str]| -> Vec<_> {
        let mut format = CsvFormat::default();
        format.nulls.extend(nulls.iter().map(ToString::to_string));
        let fields = |row: &SourceRow<CrmCompany>| match row {
            SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } => {
                (row.attributes.name.clone(), row.attributes.country.clone(), row.unreadable.last_contact_at)
            }
            SourceRow::Rejected(rejection) => panic!("{rejection:?}"),
        };
        rows_of(&file, &format).iter().map(fields).collect()
    };
    // A word may be a name: only configured words mean no value.
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(companies(&[]), [(None, some("NULL"), false), (None, some("n/a"), true)]);
    assert_eq!(companies(&["NULL", "n/a"]), [(None, None, false), (None, None, false)]);
}

#[test]
fn what_is_written_below_the_rows_is_no_company() {
    for footer in [
        "Total: 3\n",
        "(3 rows affected)\n",
        "3 rows\n",
        "--- end ---",
        "Total,,,,3\n",
        "\nAcme Corp\nCopyright (c) 2000-2026 example.com\nConfidential Information\n",
        ",,,,3\n",
        "EOF\n",
    ] {
        let reported = reported(&format!("{HEADER}acme,Acme,US,saas,\nbeta,Beta\ngamma\n{footer}"));
        assert_eq!(reported[..3], ["2 acme", "3 beta", "4 gamma"], "{footer}");
        assert!(
            reported.len() > 3 && reported[3..].iter().all(|row| row.contains(" NoOne: ")),
            "{reported:?}"
        );
    }
}

#[test]
fn what_looks_like_a_footer_and_is_followed_by_rows_is_a_row() {
    assert_reported("acme,Acme\n\nbeta\ncity,City,US,x,\n", &["2 acme", "4 beta", "5 city"]);
    assert_reported(",,,,3\nacme,Acme,,,\n", &["2 Anyone: company_id is empty", "3 acme"]);
    assert_reported("acme,Acme,,,\n,Nobody,,,\n", &["2 acme", "3 Anyone: company_id is empty"]);
}

#[test]
fn empty_fields_behind_the_last_do_no_harm_where_all_rows_have_them() {
    assert_reported(
        "acme,Acme,US,saas,,\nbeta,Beta,DE,x,,\ncity,City,,,,\n",
        &["2 acme", "3 beta", "4 city"],
    );
    assert_reported("acme,Acme,US,saas,,\n\nTotal: 1\n", &["2 acme", "4 NoOne"]);
    // In other positions they show a surplus delimiter.
    let torn = "has 6 fields, the header has 5";
    assert_reported(
        "acme,Acme, Inc,US,saas,\nbeta,Beta,DE,x,\ncity,City, Inc,US,,\n",
        &[&format!("2 acme but {torn}"), "3 beta", &format!("4 city but {torn}")],
    );
}

#[test]
fn a_row_that_lost_a_delimiter_is_not_read_one_column_off() {
    assert_reported(
        "acme,Acme US,saas,2026-02-01\nbeta,Beta,DE,x,\n",
        &["2 Anyone: has 4 fields, the header has 5, and a date where industry_tag is", "3 beta"],
    );
}

#[test]
fn a_row_that_a_line_break_tears_apart_makes_no_second_company() {
    assert_reported(
        "acme,Acme\nInc,US,saas,2026-02-01\nbeta,Beta,DE\n",
        &[
            "2 acme but goes on in line 3: put values with a line break in quotes",
            "3 Company(CompanyId(\"acme\")): is the rest of line 2",
            "4 beta",
        ],
    );
    // Rows that merely lack their last cells, and would fit together.
    assert_reported("acme,Acme,US\nbeta,Beta,DE\n", &["2 acme", "3 beta"]);
}

#[test]
fn exports_joined_into_one_are_read_through_their_headers() {
    assert_reported(
        &format!("acme,Acme,US,saas,\n\u{feff}{HEADER}\u{feff}beta,Beta,DE,x,\n"),
        &["2 acme", "3 NoOne: repeats the header", "4 beta"],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_in_any_chunks_give_the_same_rows(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            &b"acme"[..], b"beta,Beta,DE,x,2026-02-01\n", b",", b"\"", b"\n", b"\r\n", b"2026-02-01", b"\xc3\xbc",
            b"\xfc", b"\0", b"\xef\xbb\xbf", b"Total: 3\n", b"company_id,name,country,industry_tag,last_contact_at\n",
            b"\\\"", b";",
        ]), 0..40),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let file = [HEADER.as_bytes(), &pieces.concat()].concat();
        let parse = |chunks: &[&[u8]]| {
            let mut parser = CompanyParser::new(&CsvFormat::default());
            let mut rows = Vec::new();
            for chunk in chunks {
                rows.extend(parser.push(chunk)?);
            }
            rows.extend(parser.finish()?);
            Ok::<_, InvalidFile>((rows, parser.notes()))
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.extend([0, file.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &file[cut[0]..cut[1]]).collect();
        let whole = parse(&[&file]);
        prop_assert_eq!(&parse(&chunks), &whole);
        let single: Vec<&[u8]> = file.chunks(1).collect();
        prop_assert_eq!(&parse(&single), &whole);
        // Identifiers always come out settled, whatever the bytes.
        for row in whole.into_iter().flat_map(|(rows, _)| rows) {
            if let SourceRow::Accepted { row, .. } | SourceRow::Partial { row, .. } = row {
                let id = row.company_id.as_str();
                prop_assert_eq!(&*domain::text::settled(id), id);
            }
        }
    }
}
