//! The programs' command lines, as the programs themselves parse them.

use std::{collections::BTreeMap, process::Command as Process};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Command, CommandFactory as _};
use runtime::RuntimeArgs;

use crate::workspace_root;

/// Every program's grammar, by program name.
#[must_use]
pub fn programs() -> BTreeMap<&'static str, Command> {
    BTreeMap::from([
        ("activity", service::<activity::Args>("activity")),
        ("activityctl", activityctl::Cli::command()),
        ("console", service::<console::Args>("console")),
        ("coordinator", service::<coordinator::Args>("coordinator")),
        ("ingest-api", service::<ingest_api::Args>("ingest-api")),
        ("ingest-crm", service::<ingest_crm::Args>("ingest-crm")),
        ("ingest-events", service::<ingest_events::Args>("ingest-events")),
        ("notifier", service::<notifier::Args>("notifier")),
        ("transform", service::<transform::Args>("transform")),
    ])
}

/// Assembled as in `runtime::main`.
fn service<A: Args>(name: &'static str) -> Command {
    A::augment_args(RuntimeArgs::augment_args(Command::new(name)))
}

/// The names of the binaries of the workspace's services.
///
/// # Errors
/// If cargo fails.
pub fn binaries_of_services() -> Result<Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Process::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(workspace_root())
        .output()?;
    ensure!(output.status.success(), "cargo metadata: {}", output.status);
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("no packages")?.iter();
    let services = packages
        .filter(|package| package["manifest_path"].as_str().is_some_and(|path| path.contains("/services/")));
    let targets = services.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let binaries = targets.filter(|target| target["kind"][0] == "bin");
    Ok(binaries.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect())
}

/// Parses a container's start as its program would: `line` is the program with
/// its arguments, and the environment becomes flags.
///
/// # Errors
/// If the program is unknown, or would refuse to start: for example because it
/// does not know a variable, or cannot parse a value.
pub fn check_start(line: &[String], environment: &[(String, String)]) -> Result<()> {
    let (program, arguments) = line.split_first().context("the container has no command")?;
    let known = programs();
    let command = known.get(program.as_str()).with_context(|| format!("{program} is no program"))?;
    let reader = match arguments.first().filter(|first| !first.starts_with('-')) {
        Some(first) if command.has_subcommands() => {
            command.find_subcommand(first).with_context(|| format!("{program} {first} is no command"))?
        }
        _ => command,
    };
    let mut line = line.to_vec();
    for (name, value) in environment.iter().filter(|(name, _)| !is_azures(name)) {
        let flag = reader.get_arguments().find(|arg| arg.get_env().is_some_and(|env| env == name.as_str()));
        let flag = flag.and_then(clap::Arg::get_long);
        let flag = flag.with_context(|| format!("{program} does not know the variable {name}"))?;
        line.push(format!("--{flag}={value}"));
    }
    match command.clone().try_get_matches_from(&line) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelp => Ok(()),
        Err(error) => bail!("{program}: {error}"),
    }
}

/// Whether object storage reads this variable itself.
fn is_azures(name: &str) -> bool {
    name.starts_with("AZURE_")
}
