//! Why a row changed.
//!
//! What a row was made of is told by the published rows around it: a publish writes every
//! day that reads a change, so the row of the day whose record changed has changed by then
//! as well. Where that day was not published, the sums of the row tell what they can.

use chrono::NaiveDate;

use super::{
    changes::ChangeKind,
    past::{Moment, Past},
};
use crate::{
    fact::FactRow,
    provenance::Provenance,
    usage::{ROLLING_USERS_DAYS, UsageNumbers},
};

/// One cause of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What it is.
    pub kind: ReasonKind,
    /// The day whose record changed; of several that cannot be told apart, each. None for
    /// what the CRM says.
    pub days: Vec<NaiveDate>,
    /// The cause as a sentence.
    pub statement: String,
}

/// What made a row change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonKind {
    /// A day had no activity on record, and now has.
    LateRecord,
    /// The numbers of a day's record changed.
    Correction,
    /// A day had activity on record, and now has none.
    RecordGone,
    /// Records changed of days that were not published, so that nobody can tell which.
    UnpublishedDays,
    /// The CRM says something else about the company.
    CrmChange,
    /// The day was computed anew, whatever had changed.
    Rebuild,
}

/// What a change led from and to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Between<'a> {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) before: Option<&'a FactRow>,
    pub(super) after: Option<&'a FactRow>,
}

/// The causes of a change, as far as what is on record tells.
pub(super) fn reasons(
    provenance: &Provenance,
    past: &Past<'_>,
    kind: ChangeKind,
    between: &Between<'_>,
) -> Vec<Reason> {
    let inquiry = Inquiry { provenance, past, between };
    match (kind, between.before, between.after) {
        (ChangeKind::Changed | ChangeKind::BecameKnown | ChangeKind::Removed, ..) if inquiry.is_rebuild() => {
            inquiry.of_rebuild()
        }
        (ChangeKind::Changed | ChangeKind::PublishedAgain, Some(before), Some(after)) => {
            inquiry.of_values(before, after)
        }
        (ChangeKind::BecameKnown, None, Some(after)) => inquiry.of_coming(after),
        (ChangeKind::Removed, Some(before), None) => inquiry.of_going(before),
        _ => Vec::new(),
    }
}

struct Inquiry<'a> {
    provenance: &'a Provenance,
    past: &'a Past<'a>,
    between: &'a Between<'a>,
}

/// What was published of a day before and after; `None` is unknown.
struct DayChange {
    day: NaiveDate,
    /// Whether the day is one of those whose users are summed.
    is_summed: bool,
    before: Option<UsageNumbers>,
    after: Option<UsageNumbers>,
}

impl DayChange {
    /// Whether a row that reads the day may have changed with it.
    fn is_read(&self) -> bool {
        let (Some(before), Some(after)) = (self.before, self.after) else { return false };
        (self.is_summed && before.active_users != after.active_users)
            || (before.events > 0) != (after.events > 0)
    }

    const fn is_known(&self) -> bool {
        self.before.is_some() && self.after.is_some()
    }
}

impl Inquiry<'_> {
    fn of_values(&self, before: &FactRow, after: &FactRow) -> Vec<Reason> {
        let days = self.earlier_days();
        let mut reasons = self.of_records(before, after, &days);
        reasons.extend(of_unknown_days(&days, before, after));
        reasons.extend(self.crm_changed(before, after));
        reasons
    }

    /// The records that are known to have changed: the day's own, and those of `days` that the row
    /// reads.
    fn of_records(&self, before: &FactRow, after: &FactRow, days: &[DayChange]) -> Vec<Reason> {
        let (own_before, own_after) = (numbers_of(before), numbers_of(after));
        let own = (own_before != own_after)
            .then(|| self.record_changed(before.key.activity_date, own_before, own_after));
        own.into_iter().chain(self.of_read_days(days)).collect()
    }

    fn of_read_days(&self, days: &[DayChange]) -> Vec<Reason> {
        let read = days.iter().filter(|day| day.is_read());
        read.filter_map(|day| Some(self.record_changed(day.day, day.before?, day.after?))).collect()
    }

    /// Why a company came to belong to a published day.
    fn of_coming(&self, after: &FactRow) -> Vec<Reason> {
        let own = numbers_of(after);
        let mut days = self.earlier_days();
        days.push(DayChange {
            day: after.key.activity_date,
            is_summed: true,
            before: Some(UsageNumbers::default()),
            after: Some(own),
        });
        let nothing = UsageNumbers::default();
        let came = days.iter().filter_map(|day| {
            let (before, after) = (day.before.unwrap_or(nothing), day.after?);
            (before == nothing && after != nothing).then(|| self.record_changed(day.day, before, after))
        });
        let mut reasons: Vec<Reason> = came.collect();
        if reasons.is_empty() || self.is_member_now() {
            let is_named = has_crm_values(after) && self.is_member_now();
            let statement = if is_named {
                format!("the CRM named the company for this day{}", self.export_of(after))
            } else if reasons.is_empty() && self.is_newest() && !self.is_member_now() {
                "a record without activity came for one of the 14 days".to_owned()
            } else if reasons.is_empty() {
                "a record without activity came for one of the 14 days, or the CRM named the company"
                    .to_owned()
            } else {
                return reasons;
            };
            let kind = if is_named { ReasonKind::CrmChange } else { ReasonKind::LateRecord };
            reasons.push(Reason { kind, days: Vec::new(), statement });
        }
        reasons
    }

    /// Why a company no longer belongs to a published day.
    fn of_going(&self, before: &FactRow) -> Vec<Reason> {
        let nothing = UsageNumbers::default();
        let own = numbers_of(before);
        let own = (own != nothing).then(|| self.record_changed(before.key.activity_date, own, nothing));
        let days = self.earlier_days();
        let gone = days.iter().filter_map(|day| {
            let had = day.before.filter(|had| *had != nothing)?;
            // Its row may be gone for the same reason, or may never have been published.
            Some(self.record_changed(day.day, had, nothing))
        });
        let mut reasons: Vec<Reason> = own.into_iter().chain(gone).collect();
        if reasons.is_empty() {
            reasons.push(Reason {
                kind: if has_crm_values(before) { ReasonKind::CrmChange } else { ReasonKind::RecordGone },
                days: Vec::new(),
                statement: "the CRM no longer names the company for this day, and none of the 14 days has a \
                            record of it"
                    .to_owned(),
            });
        }
        reasons
    }

    /// Whether the publish computed the day anew: what its rows were before may be what something
    /// else made of them.
    fn is_rebuild(&self) -> bool {
        let publication = self.past.publication(self.provenance.key.activity_date, self.between.to);
        publication.is_some_and(|publication| {
            publication.is_rebuilt && self.between.to == Moment::At(publication.published_at)
        })
    }

    fn of_rebuild(&self) -> Vec<Reason> {
        let day = self.provenance.key.activity_date;
        let mut reasons = self.of_read_days(&self.earlier_days());
        // Of the row's own values nobody can tell whether a source has changed them.
        let own = self.between.before.zip(self.between.after).map_or_else(Vec::new, |(before, after)| {
            let (had, has) = (numbers_of(before), numbers_of(after));
            let record = (had != has).then(|| format!("had {}, and now has {}", told(had), told(has)));
            record.into_iter().chain(crm_differences(before, after)).collect()
        });
        let own = match own.as_slice() {
            [] => String::new(),
            own => {
                format!("; the row {}: the source may have changed it, or something else had", own.join("; "))
            }
        };
        reasons.push(Reason {
            kind: ReasonKind::Rebuild,
            days: vec![day],
            statement: format!(
                "rebuild: {day} was computed anew from what is staged, as is done where something other than a \
                 run has changed what was published{own}"
            ),
        });
        reasons
    }

    /// The days that the row reads before its own.
    fn earlier_days(&self) -> Vec<DayChange> {
        let Between { from, to, .. } = self.between;
        let window = self.provenance.window();
        let summed = window.len_days() - ROLLING_USERS_DAYS;
        let earlier = (0_u64..).zip(window.days()).filter(|(_, day)| *day < window.end());
        let changes = earlier.map(|(position, day)| DayChange {
            day,
            is_summed: position >= summed,
            before: self.past.numbers(day, *from),
            after: self.past.numbers(day, *to),
        });
        changes.collect()
    }

    fn record_changed(&self, day: NaiveDate, before: UsageNumbers, after: UsageNumbers) -> Reason {
        let nothing = UsageNumbers::default();
        let (kind, statement) = if before == nothing {
            (
                ReasonKind::LateRecord,
                format!("late record: {day} had no activity on record, and now has {}", told(after)),
            )
        } else if after == nothing && !self.is_staged(day) {
            (
                ReasonKind::RecordGone,
                format!("record gone: {day} had {}, and now has no activity on record", told(before)),
            )
        } else {
            (
                ReasonKind::Correction,
                format!("correction: {day} had {}, and now has {}", told(before), told(after)),
            )
        };
        Reason { kind, days: vec![day], statement }
    }

    /// Whether the change led to what is staged now, with a record of the day.
    fn is_staged(&self, day: NaiveDate) -> bool {
        self.is_newest()
            && self.provenance.usage.iter().any(|usage| usage.day == day && usage.record.is_some())
    }

    /// Whether the change led to the present row, and nothing has changed since.
    fn is_newest(&self) -> bool {
        self.between.after == self.provenance.row() && !self.provenance.is_waiting
    }

    fn is_member_now(&self) -> bool {
        self.is_newest() && self.provenance.crm.is_member()
    }

    fn crm_changed(&self, before: &FactRow, after: &FactRow) -> Option<Reason> {
        let told = crm_differences(before, after);
        (!told.is_empty()).then(|| Reason {
            kind: ReasonKind::CrmChange,
            days: Vec::new(),
            statement: format!("CRM change: {}{}", told.join("; "), self.export_of(after)),
        })
    }

    /// Names the export that a row's CRM values came from, if that is still known.
    fn export_of(&self, row: &FactRow) -> String {
        match &self.provenance.crm.version {
            Some(version) if self.is_newest() && self.provenance.row() == Some(row) => {
                format!(", by export {} of {}", version.export.path, version.from)
            }
            _ => String::new(),
        }
    }
}

/// What the sums of the row tell of days that were not published.
fn of_unknown_days(days: &[DayChange], before: &FactRow, after: &FactRow) -> Option<Reason> {
    let unknown = |day: &&DayChange| !day.is_known();
    // What is left of the sum without the days that are known, and without the day itself.
    let left = |row: &FactRow, users: fn(&DayChange) -> Option<UsageNumbers>| {
        let known = days.iter().filter(|day| day.is_summed && day.is_known()).filter_map(users);
        let known: i64 = known.map(|numbers| i64::from(numbers.active_users)).sum();
        row.active_users_7d - i64::from(row.active_users) - known
    };
    let (users_before, users_after) = (left(before, |day| day.before), left(after, |day| day.after));
    let told_by_events = before.events == 0
        && after.events == 0
        && before.is_churn_risk != after.is_churn_risk
        && !days.iter().any(|day| {
            let was_active =
                |numbers: Option<UsageNumbers>| numbers.is_some_and(|numbers| numbers.events > 0);
            day.is_known() && was_active(day.before) != was_active(day.after)
        });
    let named = |days: Vec<&DayChange>| days.iter().map(|day| day.day).collect::<Vec<_>>();
    let summed = named(days.iter().filter(unknown).filter(|day| day.is_summed).collect());
    // With every day known, the sums were changed by something other than records.
    if users_before != users_after && !summed.is_empty() {
        let days = summed;
        let statement = format!(
            "records changed of {}, not all of which were published, from {users_before} to {users_after} active \
             users in all",
            listed(&days)
        );
        return Some(Reason { kind: ReasonKind::UnpublishedDays, days, statement });
    }
    let unknown = named(days.iter().filter(unknown).collect());
    if told_by_events && !unknown.is_empty() {
        let days = unknown;
        let had = if after.is_churn_risk { "the last event went from" } else { "an event came to" };
        let statement = format!("{had} {}, not all of which were published", listed(&days));
        return Some(Reason { kind: ReasonKind::UnpublishedDays, days, statement });
    }
    None
}

const fn numbers_of(row: &FactRow) -> UsageNumbers {
    UsageNumbers { active_users: row.active_users, events: row.events }
}

fn crm_values(row: &FactRow) -> [(&'static str, Option<String>); 4] {
    let [_, _, name, country, industry_tag, last_contact_at, ..] = row.texts();
    [name, country, industry_tag, last_contact_at]
}

/// The CRM's values in which two rows differ, in words.
fn crm_differences(before: &FactRow, after: &FactRow) -> Vec<String> {
    let differing = crm_values(before).into_iter().zip(crm_values(after));
    let differing = differing.filter(|((_, before), (_, after))| before != after);
    differing
        .map(|((column, before), (_, after))| format!("{column} was {}, is {}", shown(before), shown(after)))
        .collect()
}

fn has_crm_values(row: &FactRow) -> bool {
    crm_values(row).iter().any(|(_, value)| value.is_some())
}

fn shown(value: Option<String>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:?}"))
}

/// Numbers in words.
pub(super) fn told(numbers: UsageNumbers) -> String {
    format!("active_users {}, events {}", numbers.active_users, numbers.events)
}

fn listed(days: &[NaiveDate]) -> String {
    match days {
        [first, .., last] if (*last - *first).num_days() + 1 == i64::try_from(days.len()).unwrap_or(0) => {
            format!("the days {first} to {last}")
        }
        days => days.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
