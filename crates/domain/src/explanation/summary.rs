//! What to know first.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    Agreement, Standing,
    past::{Moment, Past},
};
use crate::{
    company::UnreadableFields,
    provenance::{ExportOrigin, Provenance, Unread},
};

/// Whether the company-day is published, and whether that is what is staged.
pub(super) fn statements(
    provenance: &Provenance,
    standing: Standing,
    agreement: Option<Agreement>,
    written_by: Option<&str>,
) -> Vec<String> {
    let company = &provenance.key.company_id;
    let mut statements = vec![match standing {
        Standing::Published => published(provenance, written_by),
        Standing::NoRow => no_row(provenance),
        Standing::DayNotPublished => not_published(provenance),
    }];
    if !provenance.is_known {
        let quarantined: u64 = provenance
            .usage
            .iter()
            .filter_map(|usage| usage.fetch.as_ref())
            .map(|fetch| fetch.quarantined)
            .sum();
        let unless = match quarantined {
            0 => "",
            _ => " in a record that could be read, and some of these days are in quarantine (see the days)",
        };
        statements.push(format!(
            "No source ever named {company}{unless}: check the spelling, which has to be exact, upper and lower \
             case included."
        ));
    }
    statements.extend(agreement.and_then(|agreement| match agreement {
        Agreement::Equal => None,
        Agreement::Waiting => Some(
            "What is staged differs, and waits to be published: the next run that publishes writes it."
                .to_owned(),
        ),
        Agreement::Unexplained => Some(
            "What is published is not what is staged, and no change waits to be published: something other than \
             a run has changed one of them. `activityctl verify` tells whether it was what is published, and with \
             --repair publishes again what is staged."
                .to_owned(),
        ),
    }));
    statements
}

fn published(provenance: &Provenance, written_by: Option<&str>) -> String {
    let loaded_at = provenance.row().map(|row| at(row.loaded_at)).unwrap_or_default();
    let since = match written_by {
        Some(run_id) => format!("It says this since {loaded_at}, by run {run_id}"),
        None => format!("It says this since {loaded_at}; which run published it then is not on record"),
    };
    match provenance.publication() {
        Some(publication) if Some(publication.run_id.as_str()) != written_by => format!(
            "{since}. The day was last published at {}, by run {}.",
            at(publication.published_at),
            publication.run_id
        ),
        _ => format!("{since}."),
    }
}

fn no_row(provenance: &Provenance) -> String {
    let day = provenance.key.activity_date;
    let window = provenance.window();
    let snapshot = match &provenance.crm.snapshot {
        Some(snapshot) => format!("the CRM's snapshot of {} does not have the company", snapshot.on),
        None => "there is no CRM export".to_owned(),
    };
    let has_record = provenance.usage.iter().any(|usage| usage.record.is_some());
    if has_record || provenance.crm.is_member() {
        return format!("{day} is published without a row of {}.", provenance.key.company_id);
    }
    format!(
        "{day} is published without a row of {}: {snapshot}, and the product API reported no record of it on the \
         14 days {} to {}.",
        provenance.key.company_id,
        window.start(),
        window.end()
    )
}

fn not_published(provenance: &Provenance) -> String {
    let day = provenance.key.activity_date;
    let past = Past::of(provenance);
    let newest = past.publication(day, Moment::At(DateTime::<Utc>::MAX_UTC));
    if let Some(taken_back) = newest.filter(|publication| publication.row_count.is_none()) {
        return format!(
            "{day} is not published: run {} took it back at {}.",
            taken_back.run_id,
            at(taken_back.published_at)
        );
    }
    match provenance.published_range {
        Some((first, last)) if first <= day && day <= last => {
            format!(
                "{day} is not published, although days before and after it are: a run over it has not succeeded."
            )
        }
        Some((first, last)) => format!("{day} is not published: the published days are {first} to {last}."),
        None => format!("{day} is not published, and no other day is."),
    }
}

/// Which version describes the company, and which files that can be looked up in.
pub(super) fn crm_statements(provenance: &Provenance) -> Vec<String> {
    let crm = &provenance.crm;
    let Some(snapshot) = &crm.snapshot else { return vec!["No CRM export was ever loaded.".to_owned()] };
    let day = provenance.key.activity_date;
    let counts = if snapshot.on > day {
        format!("the first snapshot, of {}, counts for {day} as well", snapshot.on)
    } else {
        format!("the snapshot of {} counts on {day}", snapshot.on)
    };
    let Some(version) = &crm.version else {
        return vec![format!("The CRM never had the company; {counts}: {}.", origin(&snapshot.export))];
    };
    let until = match version.to {
        None => "all snapshots since".to_owned(),
        Some(to) if to == version.from => "no later snapshot".to_owned(),
        Some(to) => format!("the snapshots up to that of {to}"),
    };
    let mut statements = vec![format!(
        "The CRM's version of {} describes the company, and is also that of {until}: {}.",
        version.from,
        origin(&version.export)
    )];
    statements.extend(unread(version.unread, &format!("the export of {}", version.from)));
    if snapshot.on != version.from {
        let has = if crm.is_member() {
            "has the company with the same values"
        } else {
            "does not have the company"
        };
        statements.push(format!("The CRM: {counts}, and {has}: {}.", origin(&snapshot.export)));
        statements.extend(unread(snapshot.unread, &format!("the export of {}", snapshot.on)));
    }
    statements
}

fn origin(export: &ExportOrigin) -> String {
    let copy = match &export.archive_path {
        Some(paths) => format!(", kept as {}", paths.replace('\n', ", ")),
        None => String::new(),
    };
    match &export.loaded {
        Some((run_id, time)) => format!("{}{copy}, loaded by run {run_id} at {}", export.path, at(*time)),
        None => format!("{}{copy}", export.path),
    }
}

fn unread(unread: Unread, export: &str) -> Option<String> {
    let UnreadableFields { name, country, industry_tag, last_contact_at } = unread.fields;
    if unread.all {
        return Some(format!(
            "In {export} the company's row could not be read, or is missing beside rows that could not: what was \
             known before was kept."
        ));
    }
    let fields =
        [(name, "name"), (country, "country"), (industry_tag, "industry"), (last_contact_at, "last contact")];
    let fields: Vec<&str> =
        fields.iter().filter(|(is_unread, _)| *is_unread).map(|(_, name)| *name).collect();
    let verb = if fields.len() == 1 { "it was" } else { "they were" };
    (!fields.is_empty())
        .then(|| format!("In {export} {} could not be read, and stayed as {verb}.", fields.join(", ")))
}

/// A time in words: RFC 3339 in UTC, with the fraction that it has.
pub(super) fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
