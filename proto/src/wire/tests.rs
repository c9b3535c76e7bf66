//! Encoded requests, checked as they arrive.

use prost::{Message, Name};

use super::*;
use crate::{
    bounds::{MAX_REQUEST_BYTES, REQUESTS},
    notifier::v1::{Alert, NotifyRequest},
    pipeline::v1::{GetRunRequest, ListRunsRequest, TriggerRunRequest},
    reconciliation::v1::{PreviewRequest, ReconcileRequest},
    stage::v1::DateWindow,
};

fn check_bytes<T: Name>(bytes: &[u8]) -> Result<(), (String, String)> {
    let bounded = REQUESTS.iter().find(|one| one.package == T::PACKAGE && one.name == T::NAME).unwrap();
    check(bounded, bytes).map_err(|excess| (excess.field, excess.problem))
}

fn verdict<T: Name>(request: &T) -> Result<(), (String, String)> {
    check_bytes::<T>(&request.encode_to_vec())
}

fn refused(field: &str, problem: &str) -> Result<(), (String, String)> {
    Err((field.to_owned(), problem.to_owned()))
}

#[test]
fn lists_have_an_end_packed_or_not() {
    let list = |count| ListRunsRequest { states: vec![3; count], ..ListRunsRequest::default() };
    assert_eq!(verdict(&list(16)), Ok(()));
    assert_eq!(verdict(&list(17)), refused("states", "has more than 16 entries"));
    // Field 3 as single numbers, and in several packed pieces.
    assert_eq!(check_bytes::<ListRunsRequest>(&[0x18, 1].repeat(16)), Ok(()));
    for piece in [&[0x18, 1][..], &[0x1a, 1, 1], &[0x1a, 2, 0x81, 0]] {
        let bytes = piece.repeat(17);
        assert!(ListRunsRequest::decode(bytes.as_slice()).is_ok());
        assert_eq!(check_bytes::<ListRunsRequest>(&bytes), refused("states", "has more than 16 entries"));
    }
    // A number that needs several bytes is one entry.
    assert_eq!(verdict(&ListRunsRequest { states: vec![-1; 16], ..ListRunsRequest::default() }), Ok(()));
}

#[test]
fn texts_have_an_end_also_inside_lists_and_messages() {
    let get = |bytes| GetRunRequest { run_id: "x".repeat(bytes) };
    assert_eq!(verdict(&get(64)), Ok(()));
    assert_eq!(verdict(&get(65)), refused("run_id", "has 65 bytes, more than 64"));
    let companies = |count, bytes: usize| ReconcileRequest {
        company_ids: vec!["x".repeat(bytes); count],
        ..ReconcileRequest::default()
    };
    assert_eq!(verdict(&companies(1_000, 1_024)), Ok(()));
    assert_eq!(verdict(&companies(1_001, 1)), refused("company_ids", "has more than 1000 entries"));
    assert_eq!(verdict(&companies(1, 1_025)), refused("company_ids", "has 1025 bytes, more than 1024"));
    let long = DateWindow { end_date: "2026-01-01".repeat(4), ..DateWindow::default() };
    let trigger = TriggerRunRequest { window: Some(long.clone()), ..TriggerRunRequest::default() };
    assert_eq!(verdict(&trigger), refused("window.end_date", "has 40 bytes, more than 32"));
    let preview = PreviewRequest { windows: vec![long], sample_size: 0 };
    assert_eq!(verdict(&preview), refused("windows.end_date", "has 40 bytes, more than 32"));
    let alert = Alert { stage: "x".repeat(513), ..Alert::default() };
    let notify = NotifyRequest { alert: Some(alert) };
    assert_eq!(verdict(&notify), refused("alert.stage", "has 513 bytes, more than 512"));
}

#[test]
fn a_backfill_of_single_days_can_be_previewed() {
    let window = DateWindow { start_date: "2026-01-01".to_owned(), end_date: "2026-01-01".to_owned() };
    let preview = PreviewRequest { windows: vec![window; 10_000], sample_size: 1_000 };
    assert_eq!(verdict(&preview), Ok(()));
    assert!(preview.encoded_len() <= MAX_REQUEST_BYTES);
}

#[test]
fn unknown_fields_of_newer_callers_pass() {
    // Fields 100 to 103: a number, eight bytes, a text, four bytes.
    let bytes = [
        &[0xa0, 0x06, 7][..],
        &[0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0xb2, 0x06, 2, 65, 66],
        &[0xbd, 0x06, 1, 2, 3, 4],
    ]
    .concat();
    assert!(GetRunRequest::decode(bytes.as_slice()).is_ok());
    assert_eq!(check_bytes::<GetRunRequest>(&bytes), Ok(()));
}

#[test]
fn nothing_hides_behind_what_cannot_be_read() {
    // A group, which prost skips, before too many states.
    let group = [0xa3, 0x06, 0xa4, 0x06];
    let bytes = [&group[..], &[0x18, 1].repeat(1_000)].concat();
    assert!(ListRunsRequest::decode(bytes.as_slice()).is_ok());
    assert_eq!(check_bytes::<ListRunsRequest>(&bytes), refused("ListRunsRequest", "cannot be decoded"));
    for bytes in [&[0x0a, 5, 1][..], &[0x0a], &[0xff; 11], &[0x09, 1], &[0x0d, 1], &[0x0e]] {
        assert_eq!(check_bytes::<GetRunRequest>(bytes), refused("GetRunRequest", "cannot be decoded"));
    }
    // Inside a message the error has the field's path.
    let bytes = [0x12, 2, 0x0a, 9];
    assert_eq!(check_bytes::<TriggerRunRequest>(&bytes), refused("window", "cannot be decoded"));
}
