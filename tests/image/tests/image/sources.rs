//! `docs/sources.md` promises nothing without a test.

use std::{collections::BTreeSet, process::Command};

use image::{read, workspace_root};

/// The least number of inputs that the document lists.
const LEAST_ROWS: usize = 60;

/// The rows of the document's tables, as the last cell and the whole line.
fn promises(document: &str) -> Vec<(&str, &str)> {
    document
        .lines()
        .filter_map(|line| Some((line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | ")?.1, line)))
        .filter(|(held_by, _)| *held_by != "held by")
        .collect()
}

/// The names of all test functions in the project.
fn tests() -> BTreeSet<String> {
    let listed = Command::new("git")
        .args(["grep", "--untracked", "-ohE", r"\b(fn|def) [a-z0-9_]+\(", "--", "*.rs", "*.py"])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed.lines().map(|line| line[3..].trim_start().trim_end_matches('(').to_owned()).collect()
}

#[test]
fn every_promise_about_an_odd_input_is_held_by_a_test() {
    let document = read("docs/sources.md").unwrap();
    let (promises, tests) = (promises(&document), tests());
    assert!(promises.len() >= LEAST_ROWS, "{} rows", promises.len());
    for (held_by, line) in promises {
        let names: Vec<_> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test is named: {line}");
        for name in names {
            assert!(tests.contains(name), "there is no test {name}: {line}");
        }
    }
}
