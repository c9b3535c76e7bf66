//! Which files form an export, and from which day each takes effect.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domain::DateWindow;
use file_ingest::{Plan, Refused, Unit};
use landing::FileInfo;
use sha2::{Digest, Sha256};
use warehouse::{CrmDays, CrmExport, UndatedExport};

use crate::effective_day::{DaySource, EffectiveDay, first_seen_day};

/// How many files a message names.
const NAMED_FILES: usize = 5;

const WITHOUT_DATE: &str = "--crm-date-pattern finds dates of another spelling, --crm-date-from modified takes \
                            the day on which the file was last written";

/// How to treat several files of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SameDay {
    /// None of them is loaded.
    Refuse,
    /// Only the one whose path sorts last is loaded.
    Last,
    /// They are parts of one export.
    Parts,
}

/// Files of one export whose effective day is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    day: EffectiveDay,
    files: Vec<FileInfo>,
}

/// The exports of a folder.
#[derive(Debug)]
pub(crate) struct Exports {
    groups: Vec<Group>,
    refused: Vec<Refused>,
}

impl Exports {
    /// Groups the files of a folder, sorted by path, into exports.
    pub(crate) fn of(
        files: Vec<FileInfo>,
        day_source: &DaySource,
        offset_days: i32,
        same_day: SameDay,
    ) -> Self {
        let mut exports = Self { groups: vec![], refused: vec![] };
        // The position of a day's group, if several files form one export.
        let mut places: BTreeMap<Option<NaiveDate>, usize> = BTreeMap::new();
        for file in files {
            let day = match day_source.day_of(&file.path, file.modified, offset_days) {
                Ok(day) => day,
                Err(problem) => {
                    exports.refused.push(Refused {
                        files: 1,
                        problem: format!(
                            "{}: {problem}: rename it, or say where else its date is: {WITHOUT_DATE}",
                            file.path
                        ),
                    });
                    continue;
                }
            };
            let key = match day {
                EffectiveDay::Dated(day) => Some(day),
                EffectiveDay::Undated => None,
            };
            let place = places.get(&key).filter(|_| same_day == SameDay::Parts);
            if let Some(group) = place.and_then(|place| exports.groups.get_mut(*place)) {
                group.files.push(file);
            } else {
                places.insert(key, exports.groups.len());
                exports.groups.push(Group { day, files: vec![file] });
            }
        }
        exports
    }

    /// The exports whose day only the warehouse knows.
    pub(crate) fn undated(&self) -> Vec<UndatedExport> {
        let undated = self.groups.iter().filter(|group| group.day == EffectiveDay::Undated);
        undated.map(|group| UndatedExport { path: group.path(), etag: group.etag() }).collect()
    }

    /// Sets the day of every export.
    pub(crate) fn settle(self, days: &CrmDays, window: DateWindow) -> Settled {
        let mut decided = days.decided.iter();
        let first_seen = first_seen_day(window.end(), days.newest);
        let mut settled = Settled { units: vec![], first_seen, refused: self.refused };
        for group in self.groups {
            let (effective_on, is_decided_now) = match group.day {
                EffectiveDay::Dated(day) => (day, false),
                EffectiveDay::Undated => match decided.next().copied().flatten() {
                    Some(day) => (day, false),
                    None => (first_seen, true),
                },
            };
            let export = CrmExport {
                path: group.path(),
                etag: group.etag(),
                effective_on,
                bytes: group.files.iter().map(|file| file.size).sum(),
                archive_path: None,
            };
            settled.units.push((Unit { files: group.files, about: export }, is_decided_now));
        }
        settled
    }
}

impl Group {
    /// The path of the last part: a part that arrives later replaces what the
    /// others said, and a missing one does not.
    fn path(&self) -> String {
        self.files.last().map(|file| file.path.clone()).unwrap_or_default()
    }

    /// Another part, or a part with other content, makes another export.
    fn etag(&self) -> String {
        match self.files.as_slice() {
            [file] => file.etag.clone(),
            files => {
                let mut content = Sha256::new();
                for file in files {
                    for text in [&file.path, &file.etag] {
                        content.update((text.len() as u64).to_be_bytes());
                        content.update(text);
                    }
                }
                format!("parts-{}", hex::encode(content.finalize()))
            }
        }
    }
}

/// Exports with their days, and whether the day was decided just now.
#[derive(Debug)]
pub(crate) struct Settled {
    units: Vec<(Unit<CrmExport>, bool)>,
    first_seen: NaiveDate,
    refused: Vec<Refused>,
}

impl Settled {
    pub(crate) fn exports(&self) -> Vec<CrmExport> {
        self.units.iter().map(|(unit, _)| unit.about.clone()).collect()
    }

    /// The plan; `new` are the positions of the exports that are not loaded.
    pub(crate) fn plan(
        self,
        new: &[usize],
        first_snapshot: Option<NaiveDate>,
        window: DateWindow,
        same_day: SameDay,
    ) -> Plan<CrmExport> {
        let Self { units, first_seen, refused } = self;
        let mut plan = Plan { units: vec![], refused, passed_over: vec![], remarks: vec![] };
        let first = units.iter().map(|(unit, _)| unit.about.effective_on).chain(first_snapshot).min();
        let mut by_day: BTreeMap<NaiveDate, Vec<(usize, Unit<CrmExport>, bool)>> = BTreeMap::new();
        for (position, (unit, is_decided_now)) in units.into_iter().enumerate() {
            by_day.entry(unit.about.effective_on).or_default().push((position, unit, is_decided_now));
        }
        let mut undated = vec![];
        let mut chosen = vec![];
        for (day, mut units) in by_day {
            let is_new = |position: &usize| new.binary_search(position).is_ok();
            let count = units.len();
            if same_day == SameDay::Last {
                units.sort_by(|(_, a, _), (_, b, _)| a.about.path.cmp(&b.about.path));
                let overruled = units.drain(..count - 1).filter(|(position, ..)| is_new(position));
                plan.passed_over.extend(overruled.map(|(_, unit, _)| unit.about));
            }
            if !units.iter().any(|(position, ..)| is_new(position)) {
                continue;
            }
            if units.len() > 1 {
                plan.refused.push(several_of_one_day(day, &units));
                plan.passed_over.extend(units.into_iter().map(|(_, unit, _)| unit.about));
                continue;
            }
            if count > 1 {
                plan.remarks.extend(units.first().map(|(_, unit, _)| {
                    format!("of {count} exports for {day} {} counts: its path sorts last", unit.about.path)
                }));
            }
            for (position, unit, is_decided_now) in units.into_iter().filter(|(at, ..)| is_new(at)) {
                if is_decided_now {
                    undated.push(unit.name());
                }
                chosen.push((position, unit));
            }
        }
        chosen.sort_by_key(|(position, _)| *position);
        plan.units = chosen.into_iter().map(|(_, unit)| unit).collect();
        plan.remarks.extend(undated_remark(&undated, first_seen, first));
        plan.remarks.extend(first.and_then(|first| before_the_first_remark(first, window)));
        plan
    }
}

fn several_of_one_day(day: NaiveDate, units: &[(usize, Unit<CrmExport>, bool)]) -> Refused {
    let names: Vec<String> = units.iter().map(|(_, unit, _)| unit.name()).collect();
    let undated = units.iter().filter(|(.., is_decided_now)| *is_decided_now).count();
    let why = match undated {
        0 => String::new(),
        _ if undated == units.len() => format!(" (they have no date in their paths; {WITHOUT_DATE})"),
        _ => format!(" (some have no date in their paths; {WITHOUT_DATE})"),
    };
    Refused {
        files: units.iter().map(|(_, unit, _)| unit.files.len()).sum(),
        problem: format!(
            "{} would all take effect on {day}{why}: remove or rename all but one, or set --crm-parts if they \
             are parts of one export, or --crm-same-day last if the one whose path sorts last is to count",
            named(&names)
        ),
    }
}

fn undated_remark(undated: &[String], on: NaiveDate, first: Option<NaiveDate>) -> Option<String> {
    let what = match undated.len() {
        0 => return None,
        1 => "has no date in its path: it takes effect",
        _ => "have no date in their paths: they take effect",
    };
    let before = match first {
        Some(first) if first < on => "; days before it keep the companies of older exports",
        _ => "",
    };
    Some(format!(
        "{} {what} on {on}, the day on which this content was first seen{before} ({WITHOUT_DATE})",
        named(undated)
    ))
}

/// By the fact's definition, days before the first snapshot show that one.
fn before_the_first_remark(first: NaiveDate, window: DateWindow) -> Option<String> {
    (window.start() < first).then(|| {
        format!(
            "no CRM export takes effect before {first}: the days before it show the companies of that one"
        )
    })
}

fn named(names: &[String]) -> String {
    let reported = names.iter().take(NAMED_FILES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED_FILES) {
        0 => reported,
        more => format!("{reported} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
