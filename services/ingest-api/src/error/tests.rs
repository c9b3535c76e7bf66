//! What an error says, and what becomes of it.

use domain::date_window::parse_day;
use tonic::Code;

use super::*;

/// Every variant, the code it becomes, and what its message must contain.
fn variants() -> Vec<(Error, Code, &'static str)> {
    let day = parse_day("2026-01-05").unwrap();
    let at = PageRef { day, page: 3 };
    let status = StatusCode::IM_A_TEAPOT;
    let retry_after = Some(Duration::from_secs(9));
    let throttled = || Error::Throttled { at, status, retry_after };
    let changed = landing::Error::Changed { root: "file:///l/".into(), path: "p".into() };
    let lost = Imbalance(domain::Counters { rows_read: 1, ..Default::default() });
    vec![
        (Error::Token(SecretError::Empty("/token".into())), Code::FailedPrecondition, "/token is empty"),
        (Error::UnusableToken, Code::FailedPrecondition, "check how it was stored"),
        (Error::Unauthenticated { at, status }, Code::Unauthenticated, "--product-api-token-file"),
        (Error::RequestRefused { at, status }, Code::FailedPrecondition, "--product-api-url"),
        (
            Error::NotAllowed {
                at,
                refusal: Refusal::Private {
                    address: [10, 0, 0, 7].into(),
                    kind: "a private",
                    setting: "--product-api-allow-private",
                },
            },
            Code::FailedPrecondition,
            "its host is at 10.0.0.7, a private address; if that is right, set --product-api-allow-private",
        ),
        (throttled(), Code::ResourceExhausted, "throttling"),
        (Error::ServerFailed { at, status, retry_after: None }, Code::Unavailable, "failed (418"),
        (
            Error::Connection { at, cause: "reset".into() },
            Code::Unavailable,
            "no answer from the product API: reset",
        ),
        (Error::BrokenOff { at, received: 17 }, Code::Unavailable, "breaks off after 17 bytes"),
        (Error::TimedOut { at, limit: Duration::from_secs(30) }, Code::DeadlineExceeded, "within 30s"),
        (
            Error::Malformed { at, problem: "odd".into(), line: 2, column: 5, excerpt: "\"x\"".into() },
            Code::DataLoss,
            "odd at line 2 column 5: \"x\"",
        ),
        (Error::SaysItFailed { at, reported: "[1]".into() }, Code::DataLoss, "says that it failed: [1]"),
        (
            Error::UnknownEncoding { at, encoding: "br".into() },
            Code::DataLoss,
            "encoded as br; it must be UTF-8 JSON",
        ),
        (
            Error::FewerThanSaid { at, said: "that the day has 9 records".into(), came: 7 },
            Code::DataLoss,
            "said that the day has 9 records, and 7 came",
        ),
        (
            Error::OtherForms { day, records: 3, first: "{}".into() },
            Code::DataLoss,
            "--product-api-other-forms",
        ),
        (Error::PageTooLarge { at, limit: 9 }, Code::DataLoss, "--product-api-max-page-bytes"),
        (Error::RepeatedPage { at }, Code::DataLoss, "2026-01-05 page 3"),
        (Error::EndlessPaging { at }, Code::DataLoss, "--product-api-max-pages"),
        (Error::GaveUp { attempts: 5, last: Box::new(throttled()) }, Code::ResourceExhausted, "5 attempts"),
        (Error::Landing { day, source: changed }, Code::Aborted, "landing 2026-01-05: p in file:///l/"),
        (Error::Warehouse(warehouse::Error::Refused("no".into())), Code::DataLoss, "no"),
        (Error::Imbalance(lost), Code::Internal, "do not balance"),
        (Error::Abnormal { day }, Code::Internal, "2026-01-05"),
        (
            Error::InvalidRequest(FieldViolations::of("end_date", "odd")),
            Code::InvalidArgument,
            "end_date: odd",
        ),
    ]
}

#[test]
fn the_databases_own_words_stay_inside() {
    let secret = || "password=hunter2".into();
    for (cause, code) in [
        (warehouse::Error::Internal(secret()), Code::Internal),
        (warehouse::Error::Unavailable(secret()), Code::Unavailable),
    ] {
        let status = Status::from(Error::from(cause));
        assert_eq!(status.code(), code);
        assert!(!status.message().contains("hunter2"), "{status}");
    }
}

#[test]
fn every_variant_says_what_is_wrong_and_where() {
    for (error, code, part) in variants() {
        let retry_after = error.retry_after();
        let status = Status::from(error);
        assert_eq!(status.code(), code, "{}", status.message());
        assert!(status.message().contains(part), "{}", status.message());
        let reported = tonic_types::StatusExt::get_details_retry_info(&status);
        assert_eq!(reported.and_then(|info| info.retry_delay), retry_after);
    }
}

#[test]
fn a_stage_fails_with_the_same_words() {
    for (error, ..) in variants() {
        let (kind, message, retry_after) = (error.kind(), error.to_string(), error.retry_after());
        assert_eq!(StageError::from(error), StageError { kind, message, retry_after });
    }
}
