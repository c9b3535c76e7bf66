//! What the record reader guarantees, wherever chunks end.

use proptest::prelude::*;

use super::*;

const MAX_RECORD_BYTES: usize = 80;

fn format(quoting: Quoting) -> RecordFormat {
    RecordFormat { encoding: None, delimiter: None, quoting, max_record_bytes: MAX_RECORD_BYTES }
}

fn read_as(quoting: Quoting, chunks: &[&[u8]]) -> Result<Vec<Record>, InvalidFile> {
    let mut reader = RecordReader::new(format(quoting));
    let mut records: Vec<Record> = Vec::new();
    for chunk in chunks.iter().map(Some).chain([None]) {
        match chunk {
            Some(chunk) => reader.push(chunk),
            None => reader.finish(),
        }
        if records.is_empty() {
            let rate =
                |headings: &[String]| headings.iter().filter(|heading| *heading == "company_id").count();
            records.extend(reader.header(rate)?);
        }
        if !records.is_empty() {
            let is_plausible = |fields: &[Field]| {
                fields.first().is_some_and(|id| !id.text.contains(['"', ' ', '\n']) && !id.text.is_empty())
            };
            records.extend(std::iter::from_fn(|| reader.next(is_plausible)));
        }
    }
    Ok(records)
}

fn read(chunks: &[&[u8]]) -> Result<Vec<Record>, InvalidFile> {
    read_as(Quoting::Auto, chunks)
}

/// The rows after the header: line, fields joined by `|`, or the fault.
fn rows(file: &str) -> Vec<String> {
    let records = read(&[file.as_bytes()]).unwrap();
    records.iter().skip(1).map(reported).collect()
}

fn reported(record: &Record) -> String {
    let fields: Vec<&str> = record.fields.iter().map(|field| field.text.as_str()).collect();
    match record.fault {
        None => format!("{} {}", record.line, fields.join("|")),
        Some(fault) => format!("{} [{}] {fault}", record.line, fields.join("|")),
    }
}

#[track_caller]
fn assert_rows(file: &str, expected: &[&str]) {
    let rows = rows(file);
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    for (row, expected) in rows.iter().zip(expected) {
        assert!(row.starts_with(expected), "{row:?} instead of {expected:?}");
    }
}

#[test]
fn a_record_has_the_physical_line_it_begins_on() {
    assert_rows(
        "\u{feff}\r\ncompany_id;name\r\na;\"two\r\nlines\"\r\n\r\nb;x\rc;y\n\n ; \nd;z",
        &["3 a|two\r\nlines", "6 b|x", "7 c|y", "10 d|z"],
    );
}

#[test]
fn raw_is_what_the_file_has() {
    let records = read(&[b"a,b\n\n\"q\"\"q\",  x \r\ny,z"]).unwrap();
    let raws: Vec<&str> = records.iter().map(|record| record.raw.as_str()).collect();
    assert_eq!(raws, ["a,b", "\"q\"\"q\",  x", "y,z"]);
}

#[test]
fn one_bad_byte_spoils_its_field_and_no_other() {
    let records = read(&[b"company_id,name\n1,Z\xc3\xbcr\xffich\n2,Z\xc3\xbcrich\n3,nul\0\n"]).unwrap();
    let readable: Vec<Vec<bool>> =
        records.iter().map(|record| record.fields.iter().map(|field| field.is_readable).collect()).collect();
    assert_eq!(readable, [[true, true], [true, false], [true, true], [true, false]]);
    assert_eq!(records[1].raw, "1,Zür\u{fffd}ich");
    assert_eq!(records[3].raw, "3,nul\u{fffd}");
}

#[test]
fn an_empty_file_has_no_header() {
    for file in [&b""[..], b"\xef\xbb\xbf", b"\r\n\n", b"sep=;\n", b",,,\n"] {
        assert_eq!(read(&[file]), Err(InvalidFile::NoHeader));
    }
}

#[test]
fn text_behind_a_closing_quote_breaks_its_record_and_no_other() {
    assert_rows(
        "company_id,name,country,tag\n\
         acme,\"Acme\",US,saas\n\
         delta,\"Delta,US,x\n\
         epsilon,Eps \"The\" Best,FR,y\n\
         zeta,\"Zet\"a,DE,z\n\
         eta,Eta,DE,z\n",
        &[
            "2 acme|Acme|US|saas",
            "3 [delta] column 2 has text behind its closing quote (line 4)",
            "4 epsilon|Eps \"The\" Best|FR|y",
            "5 [zeta] column 2 has text behind its closing quote (line 5)",
            "6 eta|Eta|DE|z",
        ],
    );
}

#[test]
fn the_lines_of_a_broken_text_are_not_taken_for_rows() {
    assert_rows(
        "company_id,name,note\n\
         a,\"said \"hello\", and, \"then\n\
         more, text\n\
         \",x\n\
         b,Bee,\n",
        &[
            "2 [a] column 2 has text behind its closing quote (line 2)",
            "3 [] follows the broken record of line 2",
            "4 [] follows the broken record of line 2",
            "5 b|Bee|",
        ],
    );
}

#[test]
fn a_quote_that_is_never_closed_costs_one_row() {
    assert_rows(
        "company_id,name\n1,\"x\n2,y\n3,z\n",
        &["2 [1] column 2 opens a quote that is never closed", "3 2|y", "4 3|z"],
    );
    assert_rows(
        "company_id,name\n1,x\n2,\"",
        &["2 1|x", "3 [2] column 2 opens a quote that is never closed"],
    );
    assert_rows("company_id,name\n1,\"x\"", &["2 1|x"]);
    // Beyond the limit, the end of the file makes no difference.
    let many: String = (2..40).map(|number| format!("{number},y\n")).collect();
    let rows = rows(&format!("company_id,name\n1,\"x\n{many}"));
    assert_eq!(rows.len(), 39);
    assert_eq!(rows[38], "40 39|y");
}

#[test]
fn the_torn_end_of_a_text_is_no_company() {
    assert_rows(
        "company_id,name,country\n1,x,US\n2,\"several\nlines, of",
        &["2 1|x|US", "3 [2] column 2 opens a quote", "4 [] follows the broken record of line 3"],
    );
}

#[test]
fn a_quote_that_two_rows_share_does_not_hide_one_of_them() {
    // Well-formed CSV in which each line is a row.
    assert_rows(
        "company_id,name,country,tag,at\n\
         delta,\"Delta,US,x,1\n\
         epsilon,Eps 24\",FR,y,2\n\
         zeta,Zeta,DE,z,3\n",
        &[
            "2 [delta] has quotes that make one row of the lines to 3",
            "3 epsilon|Eps 24\"|FR|y|2",
            "4 zeta|Zeta|DE|z|3",
        ],
    );
    // Well-formed CSV, but with too few fields for its lines.
    assert_rows(
        "company_id,name,country\n\
         delta,\"Delta,US\n\
         epsilon,Eps,FR\"\n\
         zeta,Zeta,DE\n",
        &[
            "2 [delta] makes a row of 2 fields together with the lines to 3",
            "3 epsilon|Eps|FR\"",
            "4 zeta|Zeta|DE",
        ],
    );
}

#[test]
fn quotes_escaped_by_backslashes_are_noticed_row_by_row() {
    let file = "company_id,name,country\n\
                a,\"Eps \\\"The\\\" Best\",FR\n\
                b,\"ends with \\\"\",US\n\
                c,\"C:\\\",DE\n\
                d,\"x \\\", \\\"y\",DE\n\
                e,Plain,IT\n";
    assert_rows(
        file,
        &[
            "2 a|Eps \"The\" Best|FR",
            "3 b|ends with \"|US",
            "4 c|C:\\|DE",
            "5 d|x \", \"y|DE",
            "6 e|Plain|IT",
        ],
    );
    let as_reported = |quoting| -> Vec<String> {
        read_as(quoting, &[file.as_bytes()]).unwrap().iter().skip(1).map(reported).collect()
    };
    assert!(as_reported(Quoting::Double)[0].starts_with("2 [a] column 2 has text behind"));
    assert_eq!(as_reported(Quoting::Backslash)[..2], ["2 a|Eps \"The\" Best|FR", "3 b|ends with \"|US"]);
}

#[test]
fn blanks_around_quotes_are_no_text() {
    assert_rows("company_id, name, country\na, \"Acme, Inc\" ,US\n", &["2 a|Acme, Inc|US"]);
}

#[test]
fn a_line_over_the_limit_costs_one_row() {
    let long = "x".repeat(MAX_RECORD_BYTES * 3);
    assert_rows(
        &format!("company_id,name\n1,{long}\n2,y\n3,\"{long}\"\n4,z"),
        &["2 [] is longer than 80 bytes", "3 2|y", "4 [3] column 2 opens a quote", "5 4|z"],
    );
    assert!(matches!(read(&[long.as_bytes()]), Err(InvalidFile::Header { line: 1, .. })));
}

#[test]
fn behind_a_fault_the_end_is_not_looked_for_in_the_whole_file() {
    let mut reader =
        RecordReader::new(RecordFormat { max_record_bytes: 1024 * 1024, ..format(Quoting::Auto) });
    let rows: String = (0..1000).map(|number| format!("{number},y\n")).collect();
    // Each line opens a quote after its fault, which the next one closes.
    let broken = "x,\"b\"c,\"d\n".repeat(3000);
    reader.push(format!("company_id,name\n{broken}{rows}").as_bytes());
    reader.finish();
    assert!(reader.header(|_| 0).unwrap().is_some());
    let records: Vec<Record> = std::iter::from_fn(|| reader.next(|_| true)).collect();
    assert_eq!(records.len(), 4000);
    let faults = records.iter().filter(|record| record.fault.is_some()).count();
    assert_eq!(faults, 3000);
}

#[test]
fn a_separator_line_names_the_delimiter() {
    assert_rows("sep=;\r\ncompany_id;name,x\r\na;b,c\r\n", &["3 a|b,c"]);
    assert_rows("company_id|name\na|b\n", &["2 a|b"]);
}

#[test]
fn a_binary_file_is_refused_for_its_header() {
    assert_eq!(read(&[b"PK\x03\x04\0\0,b\n\"1\n"]), Err(InvalidFile::NotText { line: 1 }));
}

/// Bytes with a meaning in CSV, and some without.
fn tricky_file() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::sample::select(vec![
        &b"company_id"[..],
        b",",
        b",",
        b"a,b",
        b";",
        b"\"",
        b"\"\"",
        b"\\\"",
        b"\r\n",
        b"\n",
        b"\n",
        b"\r",
        b" ",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3\xbc",
        b"\xfc",
        b"\0",
        b"text that is a little longer",
    ]);
    let file = proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat());
    (file, any::<bool>()).prop_map(
        |(file, has_header)| {
            if has_header { [b"company_id,name\n", &*file].concat() } else { file }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn where_chunks_end_makes_no_difference(
        file in tricky_file(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..8),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(file.len() + 1)).collect();
        cuts.extend([0, file.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &file[cut[0]..cut[1]]).collect();
        let whole = read(&[&file]);
        prop_assert_eq!(&read(&chunks), &whole);
        let single: Vec<&[u8]> = file.chunks(1).collect();
        prop_assert_eq!(&read(&single), &whole);
    }

    #[test]
    fn every_line_is_in_one_record_or_blank(file in tricky_file()) {
        let Ok(records) = read(&[&file]) else { return Ok(()) };
        // The lines of the decoded text, as an editor counts them.
        let (mut decoder, mut text) = (TextDecoder::new(None), Vec::new());
        decoder.push(&file, &mut text);
        decoder.finish(&mut text);
        let text = String::from_utf8_lossy(&text).replace("\r\n", "\n").replace('\r', "\n");
        let header = records[0].line;
        let mut covered = 0;
        for record in &records {
            prop_assert!(record.line > covered, "{:?} overlaps", record);
            prop_assert!(record.fault.is_none() || record.last_line == record.line);
            for (line, text) in text.lines().enumerate().map(|(at, text)| (at as u64 + 1, text)) {
                let is_between = line > covered && line < record.line && line > header;
                let is_blank = text.chars().all(|c| c.is_whitespace() || ",;|\t\"\u{feff}".contains(c));
                prop_assert!(!is_between || is_blank, "line {} of {:?} is gone", line, text);
            }
            covered = record.last_line;
        }
        for (line, text) in text.lines().enumerate().map(|(at, text)| (at as u64 + 1, text)) {
            let is_blank = text.chars().all(|c| c.is_whitespace() || ",;|\t\"\u{feff}".contains(c));
            prop_assert!(line <= covered || is_blank, "line {} at the end is gone: {:?}", line, text);
        }
    }

    #[test]
    fn well_formed_files_read_as_the_csv_crate_reads_them(
        rows in proptest::collection::vec(
            proptest::collection::vec("[a-z;\"\r\n\t ü]{0,4}", 3..=3), 0..6),
    ) {
        let mut file = csv::Writer::from_writer(Vec::new());
        file.write_record(["company_id", "name", "country"]).unwrap();
        for row in &rows {
            file.write_record(row).unwrap();
        }
        let file = file.into_inner().unwrap();
        let mut oracle = csv::ReaderBuilder::new().from_reader(&*file);
        // For us, a row of empty fields is a blank line.
        let expected: Vec<Vec<String>> = oracle
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
            .filter(|fields| fields.iter().any(|field| !field.trim().is_empty()))
            .collect();
        let records: Vec<Vec<String>> = read(&[&file])
            .unwrap()
            .into_iter()
            .skip(1)
            .map(|record| record.fields.into_iter().map(|field| field.text).collect())
            .collect();
        prop_assert_eq!(records, expected);
    }
}
