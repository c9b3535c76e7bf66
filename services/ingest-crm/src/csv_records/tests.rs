//! What the record reader promises, wherever chunks end.

use proptest::prelude::*;

use super::*;

const MAX_RECORD_BYTES: usize = 60;

fn read(chunks: &[&[u8]]) -> Result<Vec<Record>, InvalidFile> {
    let (mut reader, mut records) = (RecordReader::new(MAX_RECORD_BYTES), Vec::new());
    for chunk in chunks {
        reader.push(chunk, &mut records)?;
    }
    reader.finish(&mut records)?;
    Ok(records)
}

fn rows(file: &[u8]) -> Vec<(u64, Vec<String>)> {
    read(&[file]).unwrap().into_iter().map(|record| (record.line, record.fields)).collect()
}

fn row(line: u64, fields: &[&str]) -> (u64, Vec<String>) {
    (line, fields.iter().map(|field| (*field).to_owned()).collect())
}

#[test]
fn a_record_has_the_physical_line_it_begins_on() {
    let file = b"\xef\xbb\xbf\r\ncompany_id;name\r\na;\"two\r\nlines\"\r\n\r\nb;x\rc;y\n\nd;z";
    let expected = [
        row(2, &["company_id", "name"]),
        row(3, &["a", "two\r\nlines"]),
        row(6, &["b", "x"]),
        row(7, &["c", "y"]),
        row(9, &["d", "z"]),
    ];
    assert_eq!(rows(file), expected);
}

#[test]
fn raw_is_what_the_file_has() {
    let records = read(&[b"a,b\n\n\"q\"\"q\",  x \r\ny,z"]).unwrap();
    let raws: Vec<&str> = records.iter().map(|record| record.raw.as_str()).collect();
    assert_eq!(raws, ["a,b", "\"q\"\"q\",  x", "y,z"]);
}

#[test]
fn what_is_no_utf_8_is_windows_1252_record_by_record() {
    let file = b"company_id,name\n1,Z\xfcrich \x80\n2,Z\xc3\xbcrich\n";
    let expected = [
        row(1, &["company_id", "name"]),
        row(2, &["1", "Z\u{fc}rich \u{20ac}"]),
        row(3, &["2", "Z\u{fc}rich"]),
    ];
    assert_eq!(rows(file), expected);
}

#[test]
fn an_empty_file_has_no_records() {
    for file in [&b""[..], b"\xef\xbb\xbf", b"\r\n\n"] {
        assert_eq!(rows(file), []);
    }
}

#[test]
fn a_quote_that_is_never_closed_is_told_by_the_line_of_its_record() {
    for file in [&b"a,b\n1,2\n3,\"x\n4,5\n"[..], b"a,b\n1,2\n3,\""] {
        assert_eq!(read(&[file]), Err(InvalidFile::UnterminatedQuote { line: 3 }));
    }
    assert_eq!(rows(b"a,b\n1,\"x\"").len(), 2, "a closed quote at the end is fine");
}

#[test]
fn a_record_over_the_cap_is_told_by_its_line() {
    let long = format!("a,b\n1,2\n3,{}\n", "x".repeat(MAX_RECORD_BYTES));
    let expected = InvalidFile::RecordTooLong { line: 3, max_bytes: MAX_RECORD_BYTES };
    assert_eq!(read(&[long.as_bytes()]), Err(expected));
    let header = "x".repeat(MAX_RECORD_BYTES + 1);
    assert!(matches!(read(&[header.as_bytes()]), Err(InvalidFile::RecordTooLong { line: 1, .. })));
}

#[test]
fn a_binary_file_is_told_by_the_line_of_its_first_nul() {
    assert_eq!(read(&[b"a,b\n\"1\n\0\",2\n"]), Err(InvalidFile::NotText { line: 3 }));
}

/// Bytes that CSV gives a meaning, and some that it does not.
fn tricky_file() -> impl Strategy<Value = Vec<u8>> {
    let pieces = proptest::sample::select(vec![
        &b"company_id"[..],
        b",",
        b";",
        b"\"",
        b"\"\"",
        b"\r\n",
        b"\n",
        b"\r",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xc3\xbc",
        b"\xfc",
        b"\0",
        b"text that is a little longer",
    ]);
    // NUL bytes end the reading, so most files should have none.
    proptest::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat()).prop_flat_map(|file| {
        let clean: Vec<u8> = file.iter().copied().filter(|byte| *byte != 0).collect();
        prop_oneof![3 => Just(clean), 1 => Just(file)]
    })
}

proptest! {
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
        let mut oracle = csv::ReaderBuilder::new().has_headers(false).from_reader(&*file);
        let expected: Vec<Vec<String>> = oracle
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let records: Vec<Vec<String>> =
            read(&[&file]).unwrap().into_iter().map(|record| record.fields).collect();
        prop_assert_eq!(records, expected);
    }
}
