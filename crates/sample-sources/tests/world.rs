//! What a generated world guarantees.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use chrono::{Datelike as _, Days, NaiveDate};
use domain::{CompanyId, timestamp::parse_timestamp};
use sample_sources::{DefectRates, SampleRecord, UsageBook, UsageDefect, World, WorldOptions};

type Row = csv::StringRecord;

/// A day after every late record and correction.
fn settled(world: &World) -> NaiveDate {
    world.end() + Days::new(30)
}

fn records(world: &World, as_of: NaiveDate) -> Vec<SampleRecord> {
    world.days().flat_map(|day| world.usage_as_of(day, as_of)).collect()
}

fn crm_rows(world: &World, day: NaiveDate) -> Vec<Row> {
    let export = world.crm_export(day);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(export.csv.as_slice());
    reader.records().map(Result::unwrap).collect()
}

fn is_sound(row: &Row) -> bool {
    let contact_is_sound = |text: &str| text.is_empty() || parse_timestamp(text).is_ok();
    row.len() == 5 && CompanyId::parse(&row[0]).is_ok() && contact_is_sound(&row[4])
}

fn ids_in_crm(world: &World, day: NaiveDate) -> BTreeSet<String> {
    crm_rows(world, day).iter().filter(|row| is_sound(row)).map(|row| row[0].to_owned()).collect()
}

fn folder_content(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut content = BTreeMap::new();
    for entry in fs::read_dir(folder.join("crm/daily"))? {
        let entry = entry?;
        content.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    content.insert("usage.ndjson".to_owned(), fs::read(folder.join("usage.ndjson"))?);
    Ok(content)
}

fn written(options: WorldOptions) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let world = World::generate(options);
    world.write_to(folder.path(), world.end()).unwrap();
    folder_content(folder.path()).unwrap()
}

#[test]
fn equal_options_give_byte_identical_files_and_another_seed_others() {
    let options = WorldOptions { companies: 60, days: 20, ..WorldOptions::default() };
    let files = written(options.clone());
    assert_eq!(files.len(), 21);
    assert_eq!(files, written(options.clone()));
    let other = written(WorldOptions { seed: 2, ..options });
    assert!(files.iter().all(|(name, content)| other.get(name).is_some_and(|other| other != content)));
}

#[test]
fn more_companies_leave_the_others_as_they_are() {
    let small = World::generate(WorldOptions { companies: 20, days: 10, ..WorldOptions::default() });
    let large = World::generate(WorldOptions { companies: 40, days: 10, ..WorldOptions::default() });
    let small_records = records(&small, small.end());
    let mut large_records = records(&large, large.end());
    large_records.retain(|record| record.company_id.as_str() <= "000020");
    assert!(!small_records.is_empty());
    assert_eq!(small_records, large_records);
}

#[test]
fn written_files_say_what_the_world_says() {
    let world = World::generate(WorldOptions { companies: 50, days: 9, ..WorldOptions::default() });
    let folder = tempfile::tempdir().unwrap();
    let as_of = world.end() - Days::new(2);
    let files = world.write_to(folder.path(), as_of).unwrap();
    assert_eq!(files.crm_exports, 7);
    for day in world.days().take_while(|day| *day < as_of) {
        let export = world.crm_export(day);
        assert_eq!(export.file_name, format!("companies_{day}.csv"));
        assert_eq!(fs::read(files.crm_folder.join(export.file_name)).unwrap(), export.csv);
    }
    let usage = fs::read_to_string(&files.usage_file).unwrap();
    let expected: Vec<String> = records(&world, as_of).iter().map(SampleRecord::to_json).collect();
    assert_eq!(usage.lines().collect::<Vec<_>>(), expected);
    assert_eq!(files.usage_records, expected.len());
}

#[test]
fn sizes_lie_far_apart_and_weekends_are_quiet() {
    let world = World::generate(WorldOptions::default());
    let mut by_company: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let (mut weekday, mut weekend) = ((0, 0), (0, 0));
    for day in world.days() {
        let is_weekend = day.weekday().number_from_monday() > 5;
        let total = if is_weekend { &mut weekend } else { &mut weekday };
        total.1 += 1;
        for record in world.usage_as_of(day, settled(&world)) {
            by_company.entry(record.company_id).or_default().push(u64::from(record.active_users));
            total.0 += record.events;
        }
    }
    let mut peaks: Vec<u64> = by_company.values().filter_map(|users| users.iter().max().copied()).collect();
    peaks.sort_unstable();
    let (median, largest) = (peaks[peaks.len() / 2], peaks[peaks.len() - 1]);
    assert!(largest >= 50 * median.max(1), "the largest has {largest} users, the median {median}");
    assert!(largest > 100 * peaks[0].max(1), "the largest has {largest} users, the smallest {}", peaks[0]);
    assert!(largest <= 10_000);
    let (per_weekday, per_weekend_day) = (weekday.0 / weekday.1, weekend.0 / weekend.1);
    assert!(2 * per_weekend_day < per_weekday, "{per_weekend_day} events against {per_weekday}");
}

#[test]
fn companies_come_and_go_in_both_sources() {
    let world = World::generate(WorldOptions::default());
    let (first_day, last_day) = (world.days().next().unwrap(), world.days().last().unwrap());
    let mut last_use: BTreeMap<String, NaiveDate> = BTreeMap::new();
    for record in records(&world, settled(&world)) {
        last_use.insert(record.company_id, record.date);
    }
    let (at_first, at_last) = (ids_in_crm(&world, first_day), ids_in_crm(&world, last_day));
    let silent_since = last_day - Days::new(14);
    let churned = last_use.iter().filter(|(id, day)| at_last.contains(*id) && **day < silent_since);
    assert!(churned.count() > 0, "somebody stops using the product");
    assert!(at_last.difference(&at_first).count() > 0, "somebody joins the CRM");
    assert!(at_first.difference(&at_last).count() > 0, "somebody leaves the CRM");
    let ever_in_crm: BTreeSet<String> = world.days().flat_map(|day| ids_in_crm(&world, day)).collect();
    assert!(last_use.keys().any(|id| !ever_in_crm.contains(id)), "somebody is never in the CRM");
    assert!(ever_in_crm.iter().any(|id| !last_use.contains_key(id)), "somebody never uses the product");
}

#[test]
fn crm_exports_need_quoting_and_have_contacts_that_move_on() {
    let world = World::generate(WorldOptions::default());
    let (first_day, last_day) = (world.days().next().unwrap(), world.days().last().unwrap());
    let rows = crm_rows(&world, last_day);
    for awkward in [",", "\"", "ü"] {
        assert!(rows.iter().any(|row| row[1].contains(awkward)), "no name has {awkward}");
    }
    let contacts = |day| -> BTreeMap<String, String> {
        let rows = crm_rows(&world, day).into_iter().filter(is_sound);
        rows.map(|row| (row[0].to_owned(), row[4].to_owned())).collect()
    };
    let (before, after) = (contacts(first_day), contacts(last_day));
    assert!(after.values().any(String::is_empty), "somebody is never contacted");
    let mut moved = 0;
    for (id, contact) in &after {
        let contact = parse_timestamp(contact).ok();
        assert!(contact.is_none_or(|at| at.date_naive() <= last_day), "{id} is contacted in the future");
        let earlier = before.get(id).and_then(|contact| parse_timestamp(contact).ok());
        assert!(earlier <= contact, "the contact of {id} moves back");
        moved += usize::from(earlier < contact);
    }
    assert!(moved > 0, "no contact moves on");
}

#[test]
fn some_companies_are_renamed() {
    let world = World::generate(WorldOptions::default());
    let names = |day| -> BTreeMap<String, String> {
        let rows = crm_rows(&world, day).into_iter().filter(is_sound);
        rows.map(|row| (row[0].to_owned(), row[1].to_owned())).collect()
    };
    let (before, after) = (names(world.days().next().unwrap()), names(world.days().last().unwrap()));
    let kept = after.iter().filter(|(id, name)| before.get(*id) == Some(*name)).count();
    let renamed = after.iter().filter(|(id, name)| before.get(*id).is_some_and(|old| old != *name)).count();
    assert!(0 < renamed && 10 * renamed < kept, "{renamed} renamed, {kept} not");
}

#[test]
fn crm_exports_have_a_few_bad_rows_of_every_kind() {
    let world = World::generate(WorldOptions::default());
    let rows: Vec<Row> = world.days().flat_map(|day| crm_rows(&world, day)).collect();
    let bad: Vec<&Row> = rows.iter().filter(|row| !is_sound(row)).collect();
    assert!(bad.iter().any(|row| row.len() < 5), "a ragged row");
    assert!(bad.iter().any(|row| row[0].is_empty()), "an empty company_id");
    assert!(bad.iter().any(|row| row.len() == 5 && !row[0].is_empty()), "a bad timestamp");
    assert!(bad.len() * 20 < rows.len(), "{} bad of {} rows", bad.len(), rows.len());
}

#[test]
fn late_records_corrections_and_withdrawals_show_up_on_later_days() {
    let world = World::generate(WorldOptions::default());
    let (mut late, mut corrected, mut withdrawn) = (0, 0, 0);
    let by_company = |day, as_of| -> BTreeMap<String, SampleRecord> {
        world.usage_as_of(day, as_of).map(|record| (record.company_id.clone(), record)).collect()
    };
    for day in world.days() {
        assert_eq!(world.usage_as_of(day, day).count(), 0, "{day} is not over");
        let (at_first, at_last) = (by_company(day, day + Days::new(1)), by_company(day, settled(&world)));
        late += at_last.keys().filter(|id| !at_first.contains_key(*id)).count();
        withdrawn += at_first.keys().filter(|id| !at_last.contains_key(*id)).count();
        corrected +=
            at_first.iter().filter(|(id, old)| at_last.get(*id).is_some_and(|new| new != *old)).count();
        assert_eq!(by_company(day, day + Days::new(4)), at_last, "{day} is final after four days");
    }
    assert!(late > 0 && corrected > 0 && withdrawn > 0, "{late}, {corrected}, {withdrawn}");
}

#[test]
fn usage_has_a_few_defects_of_every_kind_and_repetitions() {
    let world = World::generate(WorldOptions { companies: 500, ..WorldOptions::default() });
    let records = records(&world, world.end());
    for defect in [UsageDefect::NegativeCount, UsageDefect::DateOutsideWindow, UsageDefect::MissingField] {
        assert!(records.iter().any(|record| record.defect == Some(defect)), "{defect:?}");
    }
    assert!(records.windows(2).any(|pair| pair[0] == pair[1]), "a repeated record");
    let bad = records.iter().filter(|record| record.defect.is_some()).count();
    assert!(bad * 100 < records.len(), "{bad} bad of {} records", records.len());
}

#[test]
fn a_world_without_defects_is_final_and_valid_from_the_start() {
    let options = WorldOptions { defects: DefectRates::NONE, ..WorldOptions::default() };
    let world = World::generate(options);
    for day in world.days() {
        let at_first: Vec<_> = world.usage_as_of(day, day + Days::new(1)).collect();
        assert!(at_first.iter().all(|record| record.defect.is_none()));
        assert!(at_first.is_sorted_by(|one, next| one.company_id < next.company_id));
        assert_eq!(at_first, world.usage_as_of(day, settled(&world)).collect::<Vec<_>>());
        assert!(crm_rows(&world, day).iter().all(is_sound));
    }
}

#[test]
fn a_filled_book_holds_each_day_as_of_that_morning() {
    let world = World::generate(WorldOptions { companies: 80, days: 12, ..WorldOptions::default() });
    let book = UsageBook::new();
    for as_of in [world.end() - Days::new(5), world.end(), settled(&world)] {
        world.fill(&book, as_of).unwrap();
        for day in world.days() {
            let expected: Vec<String> =
                world.usage_as_of(day, as_of).map(|record| record.to_json()).collect();
            assert_eq!(book.records(day), expected, "{day} as of {as_of}");
        }
    }
}

#[test]
fn a_world_of_nothing_has_headers_only() {
    let world = World::generate(WorldOptions { companies: 0, days: 1, ..WorldOptions::default() });
    let files = written(WorldOptions { companies: 0, days: 1, ..WorldOptions::default() });
    assert_eq!(files["usage.ndjson"], b"");
    assert_eq!(crm_rows(&world, world.days().next().unwrap()).len(), 0);
    let empty = World::generate(WorldOptions { days: 0, ..WorldOptions::default() });
    assert_eq!(empty.days().count(), 0);
}
