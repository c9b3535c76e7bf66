//! What the build script finds out about the commit.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The build script, compiled, and a repository with its crate's folder.
struct Scene {
    folder: TempDir,
    script: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let script = folder.path().join("script");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let compiled =
            Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&script).arg(source).status().unwrap();
        assert!(compiled.success());
        let scene = Self { folder, script };
        fs::create_dir_all(scene.crate_folder()).unwrap();
        scene
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("sources")
    }

    fn crate_folder(&self) -> PathBuf {
        self.root().join("crates/runtime")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"])
            .args(arguments)
            .current_dir(self.root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self) -> String {
        self.git(&["init", "--quiet"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "Begin"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn run(&self, profile: &str, commit: &str) -> String {
        let output = Command::new(&self.script)
            .env("CARGO_MANIFEST_DIR", self.crate_folder())
            .env("PROFILE", profile)
            .env("COMMIT", commit)
            // A repository around the temporary folder must not count.
            .env("GIT_CEILING_DIRECTORIES", self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn named(output: &str) -> &str {
    output.lines().find_map(|line| line.strip_prefix("cargo:rustc-env=COMPANY_ACTIVITY_COMMIT=")).unwrap()
}

#[test]
fn a_release_build_names_the_commit_and_runs_again_when_head_moves() {
    let scene = Scene::new();
    let commit = scene.commit();
    let output = scene.run("release", "");
    assert_eq!(named(&output), &commit[..12]);
    let watched: Vec<_> =
        output.lines().filter_map(|line| line.strip_prefix("cargo:rerun-if-changed=/")).collect();
    assert!(watched.iter().any(|file| file.ends_with(".git/logs/HEAD")), "{watched:?}");
    for file in watched {
        assert!(Path::new("/").join(file).exists(), "{file} would make every build run the script");
    }
}

#[test]
fn a_build_outside_of_a_repository_names_what_it_is_given_or_nothing() {
    let scene = Scene::new();
    assert_eq!(named(&scene.run("release", "")), "unknown commit");
    assert_eq!(named(&scene.run("release", "1f2e3d4c5b6a7f8e9d0c")), "1f2e3d4c5b6a");
}

#[test]
fn a_repository_around_the_sources_is_not_taken_for_their_own() {
    let scene = Scene::new();
    let outer = scene.root();
    scene.commit();
    let inner = outer.join("vendored/crates/runtime");
    fs::create_dir_all(&inner).unwrap();
    let output = Command::new(&scene.script)
        .env("CARGO_MANIFEST_DIR", inner)
        .env("PROFILE", "release")
        .env_remove("COMMIT")
        .output()
        .unwrap();
    assert_eq!(named(&String::from_utf8(output.stdout).unwrap()), "unknown commit");
}

#[test]
fn a_debug_build_names_only_the_commit_that_it_is_given() {
    let scene = Scene::new();
    scene.commit();
    assert_eq!(named(&scene.run("debug", "")), "development build");
    assert_eq!(named(&scene.run("debug", "abc1234")), "abc1234");
}

#[test]
fn the_version_has_the_commit_behind_it() {
    let commit = runtime::VERSION.strip_prefix(concat!(env!("CARGO_PKG_VERSION"), " (")).unwrap();
    assert!(commit.len() > 1 && commit.ends_with(')'), "{}", runtime::VERSION);
}
