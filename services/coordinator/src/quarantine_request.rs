//! What callers ask of the quarantine.

use contract::{FieldViolations, message::window_from_proto};
use domain::RejectionKind;
use proto::quarantine::v1::{
    QuarantineFilter as FilterProto, QuarantineGrouping as GroupingProto, QuarantineState,
};
use warehouse::{Origin, QuarantineCursor, QuarantineFilter, QuarantineGrouping};

use crate::error::Error;

const DEFAULT_GROUPS: u32 = 20;
const MAX_GROUPS: u32 = 1_000;

/// The rows that are meant.
pub(crate) fn filter(asked: Option<&FilterProto>) -> Result<QuarantineFilter, Error> {
    let Some(asked) = asked else { return Ok(QuarantineFilter::default()) };
    let FilterProto { origin, origin_prefix, line, kind, stage, days, state } = asked;
    let origin = match (origin.as_str(), origin_prefix.as_str()) {
        ("", "") => None,
        ("", prefix) => Some(Origin::Below(prefix.to_owned())),
        (file, "") => Some(Origin::File(file.to_owned())),
        _ => {
            let problem = "says where rows come from beside `origin`: leave one of them out";
            return Err(FieldViolations::of("filter.origin_prefix", problem).into());
        }
    };
    if *line > 0 && asked.origin.is_empty() {
        return Err(FieldViolations::of("filter.line", "is a line of no file: say which in `origin`").into());
    }
    let days = days.as_ref().map(window_from_proto).transpose();
    Ok(QuarantineFilter {
        origin,
        line: Some(*line).filter(|line| *line > 0),
        kind: kind_of(kind)?,
        stage: Some(stage.clone()).filter(|stage| !stage.is_empty()),
        days: days.map_err(|problem| FieldViolations::of("filter.days", problem))?,
        accepted: accepted(*state)?,
    })
}

/// Checks that a filter without any condition is meant: accepting everything takes somebody
/// who has counted it.
pub(crate) fn check_meant(filter: &QuarantineFilter, expected_rows: Option<u64>) -> Result<(), Error> {
    let everything = QuarantineFilter { accepted: filter.accepted, ..QuarantineFilter::default() };
    if *filter == everything && expected_rows.is_none() {
        let problem = "leaves no row out: say which rows are meant, or how many in `expected_rows`";
        return Err(FieldViolations::of("filter", problem).into());
    }
    Ok(())
}

fn kind_of(name: &str) -> Result<Option<RejectionKind>, Error> {
    if name.is_empty() {
        return Ok(None);
    }
    let kind = RejectionKind::parse(name).ok_or_else(|| {
        let known = RejectionKind::ALL.map(RejectionKind::as_str).join(", ");
        FieldViolations::of("filter.kind", format!("{name:?} is no kind of reason; there are {known}"))
    });
    Ok(Some(kind?))
}

fn accepted(state: i32) -> Result<Option<bool>, Error> {
    match QuarantineState::try_from(state) {
        Ok(QuarantineState::Unspecified) => Ok(None),
        Ok(QuarantineState::Open) => Ok(Some(false)),
        Ok(QuarantineState::Accepted) => Ok(Some(true)),
        Err(_) => Err(FieldViolations::of("filter.state", format!("{state} is no state of a row")).into()),
    }
}

/// What rows are counted by.
pub(crate) fn grouping(asked: i32) -> Result<QuarantineGrouping, Error> {
    match GroupingProto::try_from(asked) {
        Ok(GroupingProto::Unspecified | GroupingProto::Kind) => Ok(QuarantineGrouping::Kind),
        Ok(GroupingProto::Origin) => Ok(QuarantineGrouping::Origin),
        Ok(GroupingProto::Day) => Ok(QuarantineGrouping::Day),
        Err(_) => {
            Err(FieldViolations::of("by", format!("{asked} is nothing that rows are counted by")).into())
        }
    }
}

pub(crate) fn max_groups(asked: i32) -> Result<u32, Error> {
    let limit = contract::page_size(asked, DEFAULT_GROUPS, MAX_GROUPS);
    Ok(limit.ok_or_else(|| FieldViolations::of("max_groups", format!("{asked} is negative")))?)
}

/// Why rows may stay as they are.
pub(crate) fn why(text: &str) -> Result<String, Error> {
    match text.trim() {
        "" => Err(FieldViolations::of("why", "is empty: say why the rows may stay as they are").into()),
        why => Ok(why.to_owned()),
    }
}

/// The token for the page after a row; opaque to callers.
pub(crate) fn page_token(QuarantineCursor { origin, line }: &QuarantineCursor) -> String {
    format!("{line:x}:{origin}")
}

/// Where a token's page starts; `None` for the first page.
pub(crate) fn page_cursor(token: &str) -> Result<Option<QuarantineCursor>, Error> {
    if token.is_empty() {
        return Ok(None);
    }
    let cursor = token.split_once(':').and_then(|(line, origin)| {
        let line = u64::from_str_radix(line, 16).ok()?;
        Some(QuarantineCursor { origin: origin.to_owned(), line })
    });
    // Other spellings of a line were never issued.
    let cursor = cursor.filter(|cursor| page_token(cursor) == token).ok_or_else(|| {
        FieldViolations::of("page_token", "is none that this service gave; leave it empty to start over")
    });
    Ok(Some(cursor?))
}

/// The filter in the words of the audit trail.
pub(crate) fn described(asked: Option<&FilterProto>) -> String {
    let FilterProto { origin, origin_prefix, line, kind, stage, days, state: _ } =
        asked.cloned().unwrap_or_default();
    let days = days.map(|days| format!("{}..{}", days.start_date, days.end_date)).unwrap_or_default();
    let line = if line == 0 { String::new() } else { line.to_string() };
    let said: Vec<String> = [
        ("file", origin),
        ("files below", origin_prefix),
        ("line", line),
        ("kind", kind),
        ("stage", stage),
        ("days", days),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(what, value)| format!("{what} {value}"))
    .collect();
    if said.is_empty() { "all rows".to_owned() } else { said.join(", ") }
}

#[cfg(test)]
mod tests {
    use domain::DateWindow;
    use proto::stage::v1::DateWindow as DateWindowProto;

    use super::*;

    fn violated<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Vec<&'static str> {
        match outcome.unwrap_err() {
            Error::InvalidRequest(violations) => violations.iter().map(|(field, _)| field).collect(),
            other => panic!("{other}"),
        }
    }

    fn asked() -> FilterProto {
        FilterProto {
            origin: "a.csv".into(),
            line: 7,
            kind: "FIELD".into(),
            stage: "act_copy_crm_csv".into(),
            days: Some(DateWindowProto { start_date: "2026-01-01".into(), end_date: "2026-01-02".into() }),
            state: QuarantineState::Open.into(),
            ..FilterProto::default()
        }
    }

    #[test]
    fn every_condition_is_taken_over_and_described() {
        let expected = QuarantineFilter {
            origin: Some(Origin::File("a.csv".into())),
            line: Some(7),
            kind: Some(RejectionKind::Field),
            stage: Some("act_copy_crm_csv".into()),
            days: Some(DateWindow::parse("2026-01-01", "2026-01-02").unwrap()),
            accepted: Some(false),
        };
        assert_eq!(filter(Some(&asked())).unwrap(), expected);
        assert_eq!(filter(None).unwrap(), QuarantineFilter::default());
        assert_eq!(
            described(Some(&asked())),
            "file a.csv, line 7, kind FIELD, stage act_copy_crm_csv, days 2026-01-01..2026-01-02"
        );
        assert_eq!(described(None), "all rows");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_by_field() {
        for (wrong, field) in [
            (FilterProto { origin_prefix: "a".into(), ..asked() }, "filter.origin_prefix"),
            (FilterProto { origin: String::new(), ..asked() }, "filter.line"),
            (FilterProto { kind: "field".into(), ..asked() }, "filter.kind"),
            (FilterProto { days: Some(DateWindowProto::default()), ..asked() }, "filter.days"),
            (FilterProto { state: 9, ..asked() }, "filter.state"),
        ] {
            assert_eq!(violated(filter(Some(&wrong))), [field]);
        }
        let open = QuarantineFilter { accepted: Some(false), ..QuarantineFilter::default() };
        assert_eq!(violated(check_meant(&open, None)), ["filter"]);
        check_meant(&open, Some(3)).unwrap();
        check_meant(&filter(Some(&asked())).unwrap(), None).unwrap();
        assert_eq!(violated(grouping(9)), ["by"]);
        assert_eq!(violated(max_groups(-1)), ["max_groups"]);
        assert_eq!(violated(why(" \n")), ["why"]);
        for token in ["next", "A:a.csv", "0a:a.csv"] {
            assert_eq!(violated(page_cursor(token)), ["page_token"], "{token}");
        }
    }

    #[test]
    fn a_page_token_leads_back_to_its_row() {
        let cursor = QuarantineCursor { origin: "crm/a:b.csv".into(), line: 255 };
        assert_eq!(page_cursor(&page_token(&cursor)).unwrap(), Some(cursor));
    }
}
