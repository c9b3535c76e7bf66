use domain::date_window::parse_day;
use proptest::prelude::*;

use super::*;
use crate::page_signs::PageSigns;

const LIMITS: PagingLimits =
    PagingLimits { page_size: 100, max_pages: 10, pages_ahead: 8, is_unpaged: false };

/// A page of records with these numbers, without signs about its list.
fn page(numbers: impl IntoIterator<Item = u64>) -> Page {
    let keys: Vec<u64> = numbers.into_iter().collect();
    let ndjson = keys.iter().map(|key| format!("{key}\n")).collect::<String>().into();
    Page { records: keys.len(), ndjson, keys: keys.into(), signs: PageSigns::default(), body_bytes: 0 }
}

fn saying(page: Page, total: Option<u64>, more: Option<bool>) -> Page {
    Page { signs: PageSigns { total, more, total_pages: None }, ..page }
}

/// The outcome of a day's paging.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    asked: u32,
    records: usize,
}

/// Requests pages from a server with these answers until the paging ends.
fn take_all(limits: PagingLimits, answer: impl Fn(u32) -> Page) -> Result<Taken, Error> {
    let mut paging = Paging::new(parse_day("2026-01-05").unwrap(), limits);
    let mut taken = Taken { asked: 0, records: 0 };
    while let Some(at) = paging.next {
        taken.asked += 1;
        taken.records += paging.take(at, answer(at.page))?.map_or(0, |page| page.records);
    }
    Ok(taken)
}

/// A server whose pages have these lengths, and no records after them.
fn lengths(lengths: &[u64]) -> impl Fn(u32) -> Page {
    move |at| {
        let before: u64 = lengths.iter().take(at as usize - 1).sum();
        let length = lengths.get(at as usize - 1).copied().unwrap_or(0);
        page(before..before + length)
    }
}

/// A server with this many records that sends `size` per page, whatever is requested.
fn holding(records: u64, size: u64) -> impl Fn(u32) -> Page {
    move |at| {
        let start = u64::from(at - 1) * size;
        page(start.min(records)..(start + size).min(records))
    }
}

#[test]
fn pages_are_taken_until_the_last_one() {
    for (page_size, sizes, expected) in [
        // No records.
        (100, &[0][..], 1),
        // A short page after full ones is the last.
        (100, &[100, 100, 7], 3),
        // An exact multiple ends with an empty page.
        (100, &[100, 100, 0], 3),
        // After a short first page, one more is requested.
        (100, &[7, 0], 2),
        // A server that sends at most 30: 30 is a full page.
        (100, &[30, 30, 30, 5], 4),
        (100, &[30, 30, 0], 3),
        (100, &[30, 5], 2),
        // A server that sends more than requested.
        (10, &[25, 25, 3], 3),
    ] {
        let taken = take_all(PagingLimits { page_size, ..LIMITS }, lengths(sizes)).unwrap();
        let records = usize::try_from(sizes.iter().sum::<u64>()).unwrap();
        assert_eq!(taken, Taken { asked: expected, records }, "{page_size} {sizes:?}");
    }
}

#[test]
fn what_an_answer_says_of_its_list_counts_before_its_length() {
    let short_in_the_middle = |total, says| {
        move |at: u32| {
            let page = lengths(&[100, 99, 50])(at);
            saying(page, total, if says { Some(at < 3) } else { None })
        }
    };
    for (total, says) in [(Some(249), true), (None, true), (Some(249), false)] {
        let taken = take_all(LIMITS, short_in_the_middle(total, says)).unwrap();
        assert_eq!(taken, Taken { asked: 3, records: 249 }, "{total:?} {says}");
    }
    // With a sign, neither a full last page nor a short first one needs another request.
    let full = take_all(LIMITS, |at| saying(lengths(&[100, 100])(at), None, Some(at < 2))).unwrap();
    assert_eq!(full, Taken { asked: 2, records: 200 });
    let by_total = take_all(LIMITS, |at| saying(lengths(&[100, 100])(at), Some(200), None)).unwrap();
    assert_eq!(by_total, Taken { asked: 2, records: 200 });
    let short = take_all(LIMITS, |at| saying(lengths(&[7])(at), Some(7), None)).unwrap();
    assert_eq!(short, Taken { asked: 1, records: 7 });
    // The number on a full first page may be the page's own.
    let own = take_all(LIMITS, |at| saying(lengths(&[100, 100, 30])(at), Some(100), None)).unwrap();
    assert_eq!(own.records, 230);
    // An empty page in the middle that announces more is not the last.
    let gap = take_all(LIMITS, |at| saying(lengths(&[100, 0, 50])(at), None, Some(at < 3))).unwrap();
    assert_eq!(gap, Taken { asked: 3, records: 150 });
}

#[test]
fn an_answer_that_ends_before_what_it_said_is_refused() {
    let reported = |outcome: Result<Taken, Error>| outcome.unwrap_err().to_string();
    let too_few = reported(take_all(LIMITS, |at| saying(lengths(&[100, 99])(at), Some(249), None)));
    assert!(too_few.contains("said that the day has 249 records, and 199 came"), "{too_few}");
    let claims_end = reported(take_all(LIMITS, |at| saying(lengths(&[100])(at), Some(249), Some(false))));
    assert!(claims_end.contains("249 records, and 100 came"), "{claims_end}");
    let promised =
        reported(take_all(LIMITS, |at| saying(lengths(&[100, 99])(at), None, (at < 3).then_some(true))));
    assert!(promised.contains("said on page 2 that more follow, and 199 came"), "{promised}");
    assert!(promised.contains("more="), "{promised}");
    let empty = reported(take_all(LIMITS, |at| saying(lengths(&[])(at), Some(9), None)));
    assert!(empty.contains("9 records, and 0 came"), "{empty}");
    // On a full page many servers guess, so nothing is reported.
    take_all(LIMITS, |at| saying(lengths(&[100])(at), None, (at < 2).then_some(true))).unwrap();
}

#[test]
fn the_last_page_once_more_ends_the_day() {
    let clamping = |at: u32| lengths(&[100, 100])(at.min(2));
    assert_eq!(take_all(LIMITS, clamping).unwrap(), Taken { asked: 4, records: 200 });
}

#[test]
fn a_server_that_does_not_page_is_noticed_by_its_companies() {
    let ignores_page =
        |records: u64| move |at: u32| Page { ndjson: format!("{at}").into(), ..page(0..records) };
    for records in [1, 3, 100, 250] {
        let error = take_all(LIMITS, ignores_page(records)).unwrap_err();
        assert!(matches!(error, Error::RepeatedPage { at } if at.page == 2), "{records}: {error}");
        let unpaged = PagingLimits { is_unpaged: true, ..LIMITS };
        let records = usize::try_from(records).unwrap();
        assert_eq!(take_all(unpaged, ignores_page(records as u64)).unwrap(), Taken { asked: 1, records });
    }
    let one_a_page = PagingLimits { page_size: 1, ..LIMITS };
    let error = take_all(one_a_page, ignores_page(1)).unwrap_err();
    assert!(matches!(error, Error::RepeatedPage { at } if at.page == 4), "{error}");
}

#[test]
fn a_server_that_is_stuck_for_a_page_is_noticed_by_the_next() {
    let stuck = |at: u32| lengths(&[100, 100, 100, 50])(if at == 3 { 2 } else { at });
    let error = take_all(LIMITS, stuck).unwrap_err();
    assert!(matches!(error, Error::RepeatedPage { at } if at.page == 3), "{error}");
}

#[test]
fn equal_neighbours_on_pages_of_one_record_are_no_repeated_page() {
    let one_a_page = PagingLimits { page_size: 1, ..LIMITS };
    let numbers = [7, 7, 7, 8, 8, 9];
    let taken = take_all(one_a_page, |at| page(numbers.get(at as usize - 1).copied())).unwrap();
    assert_eq!(taken, Taken { asked: 7, records: 6 });
}

#[test]
fn a_server_that_never_ends_is_stopped() {
    let error = take_all(PagingLimits { page_size: 2, ..LIMITS }, holding(u64::MAX, 2)).unwrap_err();
    assert!(matches!(error, Error::EndlessPaging { at } if at.page == 10), "{error}");
    let hollow = take_all(LIMITS, |_| saying(page(0..0), None, Some(true))).unwrap();
    assert_eq!(hollow, Taken { asked: 3, records: 0 });
}

proptest! {
    /// Whatever page size a server uses, wherever records are filtered out of a
    /// page behind the paging, and whichever sign it gives, all its records
    /// arrive; a server without signs has full pages.
    #[test]
    fn every_record_arrives_or_the_day_fails(
        page_size in 1_usize..20,
        records in 0_u64..80,
        filtered in proptest::collection::vec(0_u64..80, 0..6),
        gives_total in any::<bool>(),
        gives_more in any::<bool>(),
    ) {
        let filtered = if gives_total || gives_more { filtered } else { Vec::new() };
        let size = page_size as u64;
        let has = |number: &u64| !filtered.contains(number);
        let total = (0..records).filter(has).count();
        let answer = |at: u32| {
            let start = (u64::from(at - 1) * size).min(records);
            let end = (start + size).min(records);
            saying(
                page((start..end).filter(has)),
                gives_total.then_some(total as u64),
                gives_more.then_some(end < records),
            )
        };
        let limits = PagingLimits { page_size, max_pages: 1_000, pages_ahead: 8, is_unpaged: false };
        match take_all(limits, answer) {
            Ok(taken) => {
                let is_gap = |at: u32| answer(at).records == 0 && u64::from(at) * size < records;
                // An empty page that does not announce more is the end, unless there is a total.
                let gaps = (1..=80).filter(|at| is_gap(*at)).count();
                prop_assert!(taken.records == total || gaps >= 3, "{taken:?} of {total}");
                let asked_at_most = records.div_ceil(size).max(1) + 1;
                prop_assert!(u64::from(taken.asked) <= asked_at_most, "{taken:?}");
            }
            Err(Error::FewerThanSaid { .. }) => {
                prop_assert!(gives_total || gives_more);
                prop_assert!((1..=80).any(|at| answer(at).records == 0));
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
