//! The metrics in a Prometheus query.

use std::collections::BTreeSet;

/// Keywords of the language, which appear in the same places as metric names.
const KEYWORDS: [&str; 11] =
    ["and", "bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "or", "unless", "without"];

/// Operators that may have labels between their name and their argument.
const AGGREGATIONS: [&str; 7] = ["avg", "bottomk", "count", "max", "min", "sum", "topk"];

/// The names of the metrics in an expression.
#[must_use]
pub fn metric_names(expression: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut rest = expression;
    let mut is_label_list = false;
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c: char| !is_part_of_name(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(length.max(first.len_utf8()));
        rest = after;
        match first {
            '{' => rest = after_closing(rest, '}'),
            '[' => rest = after_closing(rest, ']'),
            '"' => rest = after_closing(rest, '"'),
            '(' if is_label_list => (rest, is_label_list) = (after_closing(rest, ')'), false),
            _ if first.is_alphabetic() || first == '_' => {
                is_label_list = KEYWORDS.contains(&token) && rest.trim_start().starts_with('(');
                let is_function = rest.starts_with('(') || AGGREGATIONS.contains(&token);
                if !KEYWORDS.contains(&token) && !is_function {
                    names.insert(token);
                }
            }
            _ => {}
        }
        if is_label_list {
            rest = rest.trim_start();
        }
    }
    names
}

fn is_part_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

fn after_closing(text: &str, closing: char) -> &str {
    text.split_once(closing).map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinguished_from_functions_labels_strings_and_ranges() {
        let expression = r#"
            sum by (stage, le) (increase(a_total{kind="read", b!~"x.."}[1h])) / (sum by (stage) (c_sum[5m]) > 0)
              and on(instance) max(d) > 0.01 * 3600 or absent(e_seconds)"#;
        let names: Vec<&str> = metric_names(expression).into_iter().collect();
        assert_eq!(names, ["a_total", "c_sum", "d", "e_seconds"]);
    }
}
