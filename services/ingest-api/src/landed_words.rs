//! Where a company's record of a day stands, in words.

use domain::{
    RejectionReason, UsageNumbers,
    provenance::{Fetch, UsageProvenance},
};

use crate::landed_lines::{FileState, LandedFile, LandedLine, LineContent};

/// Where the record of a day stands, or why there is none.
pub(crate) fn statement(usage: &UsageProvenance, file: &LandedFile) -> String {
    let Some(fetch) = &usage.fetch else {
        return "the product API was never asked for the day".to_owned();
    };
    let Some(path) = &fetch.landing_path else { return "the answer had no records".to_owned() };
    match file.state {
        FileState::None => without_lines(usage, fetch, path),
        FileState::Present => present(usage, fetch, path, &file.lines),
        FileState::Gone => format!("{path}, which was removed since"),
        FileState::Unread => format!("{path} was not read, for no source ever named the company"),
        FileState::Unreadable => format!("{path}, which cannot be read now"),
        FileState::Replaced => format!(
            "{path} was landed again since, and that is not staged: a run is under way, or has failed{}",
            file.lines.last().map(|line| format!("; now {}", says(path, line))).unwrap_or_default()
        ),
    }
}

fn present(usage: &UsageProvenance, fetch: &Fetch, path: &str, lines: &[LandedLine]) -> String {
    let counts = lines.iter().rfind(|line| matches!(line.content, LineContent::Counts(_)));
    let others = lines.iter().filter(|line| !matches!(line.content, LineContent::Counts(_)));
    let others: Vec<String> = others.map(|line| says(path, line)).collect();
    let more = if others.is_empty() { String::new() } else { format!(" ({})", others.join("; ")) };
    match counts {
        Some(line @ LandedLine { content: LineContent::Counts(numbers), .. })
            if usage.record != Some(*numbers) =>
        {
            format!(
                "{}, which is not what is staged: something other than a run has changed that, or the rules by \
                 which records are read have changed{more}",
                says(path, line)
            )
        }
        Some(line) => format!("{path} {}{more}", place(line)),
        None if usage.record.is_some() && !lines.is_empty() => {
            format!("what was known before stayed, for the record in {path} could not be read{more}")
        }
        None => format!("{}{more}", without_lines(usage, fetch, path)),
    }
}

fn without_lines(usage: &UsageProvenance, fetch: &Fetch, path: &str) -> String {
    let unread = match fetch.quarantined {
        0 => String::new(),
        1 => "; 1 record of the answer is in quarantine".to_owned(),
        quarantined => format!("; {quarantined} records of the answer are in quarantine"),
    };
    if usage.record.is_some() {
        return format!(
            "what was known before stayed, for {path} has no readable line of the company{unread}"
        );
    }
    format!("no line of {path} is of the company{unread}")
}

/// What a line says, for lines that do not count.
fn says(path: &str, line: &LandedLine) -> String {
    let told = |numbers: &UsageNumbers| {
        format!("{} says active_users {}, events {}", place(line), numbers.active_users, numbers.events)
    };
    match &line.content {
        LineContent::Counts(numbers) => told(numbers),
        LineContent::Repeated(_) => format!("{} says the same", place(line)),
        LineContent::Superseded(numbers) => format!("{}, and a later line counts", told(numbers)),
        LineContent::Rejected(reason) => format!(
            "{} is in quarantine: {}; `activityctl quarantine show {path} {}` has its words",
            place(line),
            unread(reason),
            line.line
        ),
    }
}

/// Why a line could not be read, without what it says: readers may ask for explanations, and only
/// operators for rows in quarantine.
pub(crate) fn unread(reason: &RejectionReason) -> String {
    let kind = reason.kind().as_str();
    match reason {
        RejectionReason::Field { field, .. } | RejectionReason::NegativeCount { field, .. } => {
            format!("{kind} {field}")
        }
        _ => kind.to_owned(),
    }
}

fn place(line: &LandedLine) -> String {
    match line.page {
        Some(page) => format!("line {}, page {page}", line.line),
        None => format!("line {}", line.line),
    }
}

#[cfg(test)]
mod tests {
    use domain::date_window::parse_day;

    use super::*;

    const NUMBERS: UsageNumbers = UsageNumbers { active_users: 2, events: 9 };

    fn usage(record: Option<UsageNumbers>, landing_path: Option<&str>, quarantined: u64) -> UsageProvenance {
        let fetch = Fetch {
            run_id: "r1".to_owned(),
            fetched_at: "2026-01-06T06:00:00Z".parse().unwrap(),
            landing_path: landing_path.map(str::to_owned),
            bytes: 10,
            etag: None,
            page_ends: vec![],
            quarantined,
        };
        UsageProvenance { day: parse_day("2026-01-05").unwrap(), record, fetch: Some(fetch) }
    }

    fn file(state: FileState, lines: Vec<(u64, Option<u64>, LineContent)>) -> LandedFile {
        let lines = lines.into_iter().map(|(line, page, content)| LandedLine { line, page, content });
        LandedFile { state, lines: lines.collect() }
    }

    #[test]
    fn words_say_where_the_record_stands() {
        let counts = || (17, Some(2), LineContent::Counts(NUMBERS));
        let torn = RejectionReason::Field { field: "events", problem: "\"secret\" is no integer".to_owned() };
        let torn = || (3, Some(1), LineContent::Rejected(torn.clone()));
        let superseded = (4, None, LineContent::Superseded(UsageNumbers { active_users: 1, events: 1 }));
        let (some, none) = (Some(NUMBERS), None);
        for (usage, file, expected) in [
            (
                usage(some, Some("a.json"), 0),
                file(FileState::Present, vec![counts()]),
                "a.json line 17, page 2",
            ),
            (
                usage(some, Some("a.json"), 1),
                file(FileState::Present, vec![superseded, counts()]),
                "a.json line 17, page 2 (line 4 says active_users 1, events 1, and a later line counts)",
            ),
            (
                usage(some, Some("a.json"), 1),
                file(FileState::Present, vec![torn()]),
                "what was known before stayed, for the record in a.json could not be read (line 3, page 1 is in \
                     quarantine: FIELD events; `activityctl quarantine show a.json 3` has its words)",
            ),
            (
                usage(none, Some("a.json"), 2),
                file(FileState::Present, vec![]),
                "no line of a.json is of the company; 2 records of the answer are in quarantine",
            ),
            (
                usage(some, Some("a.json"), 0),
                file(FileState::Gone, vec![]),
                "a.json, which was removed since",
            ),
            (
                usage(some, Some("a.json"), 0),
                file(FileState::Replaced, vec![(2, None, LineContent::Counts(NUMBERS))]),
                "a.json was landed again since, and that is not staged: a run is under way, or has failed; now \
                     line 2 says active_users 2, events 9",
            ),
            (
                usage(some, Some("a.json"), 0),
                file(FileState::Present, vec![(2, None, LineContent::Counts(UsageNumbers::default()))]),
                "line 2 says active_users 0, events 0, which is not what is staged: something other than a run \
                     has changed that, or the rules by which records are read have changed",
            ),
            (
                usage(none, Some("a.json"), 0),
                LandedFile::UNREAD,
                "a.json was not read, for no source ever named the company",
            ),
            (usage(none, None, 0), LandedFile::default(), "the answer had no records"),
        ] {
            assert_eq!(statement(&usage, &file), expected);
        }
        let never = UsageProvenance { fetch: None, ..usage(none, None, 0) };
        assert_eq!(statement(&never, &LandedFile::default()), "the product API was never asked for the day");
    }
}
