//! Which encodings are detected, and what spoils a byte.

use encoding_rs::{SHIFT_JIS, WINDOWS_1250, WINDOWS_1251};
use proptest::prelude::*;

use super::*;

fn decoded(configured: Option<&'static Encoding>, chunks: &[&[u8]]) -> (Found, Vec<u8>) {
    let (mut decoder, mut text) = (TextDecoder::new(configured), Vec::new());
    for chunk in chunks {
        decoder.push(chunk, &mut text);
    }
    decoder.finish(&mut text);
    (decoder.found(), text)
}

fn found(file: &[u8]) -> Found {
    decoded(None, &[file]).0
}

#[test]
fn one_character_of_utf_8_makes_a_file_utf_8() {
    let file = b"a,Z\xfcrich\nb,Z\xc3\xbcrich\nc,Sk\xe5ne\n";
    assert_eq!(decoded(None, &[file]), (Found::Utf8 { perhaps: None }, file.to_vec()));
    assert_eq!(found(b"a,b\n"), Found::Ascii);
}

#[test]
fn a_file_is_windows_1252_only_when_it_plainly_is() {
    for text in [
        "a,Zürich\n",
        "a,Skärgård Bageri,Österreich\nb,L’Oréal,France\nc,Peña & Söhne,España\n",
        "a,“Café” – très bon…,€ 5\n",
        "a,Société Générale\nb,Crédit Agricole\nc,Hermès\n",
        "a,São Paulo Alimentação\nb,Construções\n",
    ] {
        let (bytes, _, lossy) = WINDOWS_1252.encode(text);
        assert!(!lossy, "{text}");
        let (found, decoded) = decoded(None, &[&bytes]);
        assert_eq!((found, decoded), (Found::Windows1252, text.as_bytes().to_vec()));
    }
}

#[test]
fn other_encodings_are_not_taken_for_windows_1252() {
    for (encoding, text) in [
        (WINDOWS_1250, "a,Łódź Sp.,PL\n"),
        (WINDOWS_1250, "a,Zażółć gęślą jaźń\nb,Spółka Wrocław\n"),
        (WINDOWS_1250, "a,Příliš žluťoučký kůň\nb,Dvořák\n"),
        (WINDOWS_1251, "a,Яндекс\nb,Сбербанк России\n"),
        (SHIFT_JIS, "a,株式会社日本\n"),
    ] {
        let bytes = encoding.encode(text).0;
        let found = found(&bytes);
        assert!(matches!(found, Found::Utf8 { .. }), "{text}: {found:?}");
        assert!(found.way_out().contains("--crm-encoding"), "{text}");
    }
}

#[test]
fn an_encoding_that_is_named_is_used() {
    for (encoding, text) in [
        (WINDOWS_1250, "a,Łódź Sp.,PL\n"),
        (SHIFT_JIS, "a,株式会社ソ\n"),
        (UTF_16LE, "a,é\n"),
        (UTF_8, "a,é\n"),
    ] {
        let bytes: Vec<u8> = if encoding == UTF_16LE {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        } else {
            encoding.encode(text).0.into_owned()
        };
        assert_eq!(decoded(Some(encoding), &[&bytes]), (Found::Reported(encoding), text.as_bytes().to_vec()));
    }
}

#[test]
fn utf_16_is_recognised_by_its_mark_or_by_its_zeros() {
    let text = "company_id,name\nacme,Łódź 🦀\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (mark, bytes, encoding) in [
        (&b"\xff\xfe"[..], &little, UTF_16LE),
        (b"", &little, UTF_16LE),
        (b"\xfe\xff", &big, UTF_16BE),
        (b"", &big, UTF_16BE),
    ] {
        let file = [mark, bytes].concat();
        assert_eq!(decoded(None, &[&file]), (Found::Reported(encoding), text.as_bytes().to_vec()));
        // A mark takes precedence over the configuration.
        if !mark.is_empty() {
            assert_eq!(decoded(Some(UTF_8), &[&file]).0, Found::Reported(encoding));
        }
    }
}

#[test]
fn what_an_encoding_does_not_define_is_spoiled_and_nothing_else() {
    assert_eq!(decoded(Some(WINDOWS_1252), &[b"a\x81b\xe9"]).1, b"a\xffb\xc3\xa9");
    assert_eq!(decoded(Some(UTF_16LE), &[b"a\0\x00\xd8b\0"]).1, b"a\xffb");
    assert_eq!(decoded(Some(SHIFT_JIS), &[b"a\x82"]).1, b"a\xff");
}

#[test]
fn utf_8_within_a_file_taken_for_windows_1252_is_not_believed() {
    let guess = Found::Windows1252;
    assert!(guess.trusts("Zürich") && guess.trusts("Zurich"));
    assert!(!guess.trusts("ZÃ¼rich"), "the UTF-8 of ü read as Windows-1252");
    assert!(Found::Reported(WINDOWS_1252).trusts("ZÃ¼rich"), "who names an encoding is believed");
}

proptest! {
    #[test]
    fn where_chunks_end_makes_no_difference(
        file in proptest::collection::vec(proptest::sample::select(vec![
            &b"a"[..], b",", b"\n", b"\xc3\xbc", b"\xfc", b"\xff\xfe", b"\0", b"\xef\xbb\xbf", b"\x81", b"\xb3",
        ]), 0..30).prop_map(|pieces| pieces.concat()),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (first, second) = file.split_at(cut.index(file.len() + 1));
        for configured in [None, Some(WINDOWS_1252), Some(SHIFT_JIS), Some(UTF_16LE)] {
            let whole = decoded(configured, &[&file]);
            prop_assert_eq!(&decoded(configured, &[first, second]), &whole);
            let single: Vec<&[u8]> = file.chunks(1).collect();
            prop_assert_eq!(&decoded(configured, &single), &whole);
        }
    }
}
