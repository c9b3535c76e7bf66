//! Rows of an export that are not companies: sums, counts, rules, and the
//! footers of report generators.

/// Words for rows in counts.
const ROW_WORDS: [&str; 18] = [
    "row",
    "rows",
    "record",
    "records",
    "line",
    "lines",
    "entry",
    "entries",
    "company",
    "companies",
    "account",
    "accounts",
    "result",
    "results",
    "organization",
    "organizations",
    "zeilen",
    "datensätze",
];

/// Words that start a sum.
const SUM_WORDS: [&str; 11] = [
    "total",
    "totals",
    "grand total",
    "subtotal",
    "sum",
    "count",
    "record count",
    "row count",
    "total rows",
    "total records",
    "number of rows",
];

/// Words that start a footer.
const CLOSING_WORDS: [&str; 14] = [
    "end",
    "eof",
    "<eof>",
    "end of",
    "generated",
    "report generated",
    "exported",
    "created by",
    "printed",
    "copyright",
    "©",
    "confidential",
    "filtered by",
    "page ",
];

/// Whether the cells of a row are a sum, a count of rows or a rule, in any
/// position: these do not look like identifiers. Cells beside the words may
/// hold numbers.
pub(crate) fn is_summary(cells: &[&str]) -> bool {
    let mut filled = cells.iter().copied().filter(|cell| !cell.is_empty());
    let Some(first) = filled.next() else { return false };
    let others: Vec<&str> = filled.collect();
    if is_rule(first) && others.iter().all(|cell| is_rule(cell)) {
        return true;
    }
    let is_alone = others.is_empty();
    let has_numbers = !is_alone && others.iter().all(|cell| is_number(cell));
    let text = first.trim_matches(|c: char| matches!(c, '(' | ')' | '[' | ']' | '.')).trim().to_lowercase();
    is_alone && (is_count(&text) || is_sum(&text) || has_drawn_ends(first))
        || has_numbers && is_bare_sum(&text)
}

/// Whether a single cell at the end of a file is part of a report's footer.
pub(crate) fn is_closing(cell: &str) -> bool {
    let text = cell.to_lowercase();
    CLOSING_WORDS.iter().any(|word| {
        text.strip_prefix(word).is_some_and(|rest| {
            rest.chars().next().is_none_or(|c| !c.is_alphanumeric()) || word.ends_with(' ')
        })
    })
}

/// `3 rows`, `1,234 rows affected`, `3 rows selected.`
fn is_count(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let (Some(number), Some(word)) = (words.next(), words.next()) else { return false };
    // Trimming above removed the last bracket of `(s)`.
    let word = word.trim_end_matches("(s").trim_end_matches(',');
    is_number(number) && ROW_WORDS.contains(&word)
}

/// `Total: 3`, `Record count = 1,234`
fn is_sum(text: &str) -> bool {
    let digits = text.find(|c: char| c.is_ascii_digit());
    let (words, number) = digits.map_or((text, ""), |at| text.split_at(at));
    let ends_in_sign = words.trim_end().ends_with([':', '=']);
    is_bare_sum(words) && (ends_in_sign || (!number.is_empty() && is_number(number)))
}

fn is_bare_sum(text: &str) -> bool {
    SUM_WORDS.contains(&text.trim_end_matches([':', '=', ' ']))
}

/// `--- end ---`, `*** 3 ***`
fn has_drawn_ends(text: &str) -> bool {
    let is_drawn = |c: char| matches!(c, '-' | '=' | '*' | '#' | '_' | '~');
    let (rest, text) = (text.trim_start_matches(is_drawn), text.trim());
    text.len() - rest.len() >= 2 && text.ends_with(is_drawn)
}

/// `-----`
fn is_rule(text: &str) -> bool {
    text.len() >= 3 && text.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'*' | b'_' | b'+' | b'~' | b'#'))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'\'' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_counts_and_rules_are_distinguished_from_companies() {
        for cells in [
            &["Total: 3"][..],
            &["total", "", "", "3"],
            &["Grand Total", "1,234"],
            &["(3 rows affected)"],
            &["(1 row)"],
            &["3 rows"],
            &["1,234 rows selected."],
            &["3 row(s)"],
            &["Record count = 1234"],
            &["--- end ---"],
            &["*** 3 ***"],
            &["-----", "----", "---"],
            &["", "Total:", "", "7"],
        ] {
            assert!(is_summary(cells), "{cells:?}");
        }
    }

    #[test]
    fn companies_are_distinguished_from_sums() {
        for cells in [
            &["total", "TotalEnergies", "FR", "energy"][..],
            &["total"],
            &["acme"],
            &["007"],
            &["3"],
            &["3 m", "Rows"],
            &["-"],
            &["--acme"],
            &["sum-it", "3"],
            &["count-on-us"],
            &["end", "End Corp"],
            &[],
        ] {
            assert!(!is_summary(cells), "{cells:?}");
        }
    }

    #[test]
    fn closing_words_are_whole_words() {
        for cell in
            ["EOF", "End of report", "Copyright (c) 2000-2026", "Page 1 of 3", "Generated By: me", "© 2026"]
        {
            assert!(is_closing(cell), "{cell}");
        }
        for cell in ["endeavour", "acme", "pages-inc", "eof1"] {
            assert!(!is_closing(cell), "{cell}");
        }
    }
}
