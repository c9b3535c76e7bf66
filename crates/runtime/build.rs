//! Finds the commit that the crate is built from, for `--version`.
//!
//! `COMMIT` names it where there is no repository, as in an image build. Without it, an
//! optimised build asks git. A debug build does not: its tree rarely matches the
//! commit, and every service would be recompiled after each commit.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Enough digits to distinguish the commits of a large repository.
const DIGITS: usize = 12;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=COMMIT");
    let given = env::var("COMMIT").ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let is_debug = env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let commit = match given {
        Some(commit) => commit.chars().take(DIGITS).collect(),
        None if is_debug => "development build".to_owned(),
        None => checked_out().unwrap_or_else(|| "unknown commit".to_owned()),
    };
    println!("cargo:rustc-env=COMPANY_ACTIVITY_COMMIT={commit}");
}

/// The commit that is checked out, if this is the repository's own work tree: sources
/// unpacked inside another repository are not at its commit.
fn checked_out() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != "crates/runtime/" {
        return None;
    }
    let head = git(&["rev-parse", &format!("--short={DIGITS}"), "HEAD"])?;
    rerun_when_head_moves();
    Some(head)
}

/// Moving HEAD writes to its log. Without a log, the move shows in HEAD itself, in the
/// branch's file, or in the file of packed branches.
fn rerun_when_head_moves() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    let names = ["HEAD", "logs/HEAD", "packed-refs", &branch];
    let files = names.into_iter().filter(|name| !name.is_empty()).filter_map(git_file);
    // A missing file would make every build run this script again.
    for file in files.filter(|file| fs::exists(file).unwrap_or_default()) {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}

fn git_file(name: &str) -> Option<PathBuf> {
    git(&["rev-parse", "--git-path", name]).map(|path| manifest_folder().join(path))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(manifest_folder()).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

fn manifest_folder() -> PathBuf {
    env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| Path::new(".").to_owned(), PathBuf::from)
}
