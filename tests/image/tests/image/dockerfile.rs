//! The image contains the workspace's programs, and runs them without privileges.

use std::collections::BTreeSet;

use image::{
    dockerfile::Dockerfile,
    programs::{binaries_of_services, check_start, programs},
    read,
};

fn dockerfile() -> Dockerfile {
    Dockerfile::parse(&read("docker/Dockerfile").unwrap()).unwrap()
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_program_of_the_services_is_built_and_copied_and_nothing_else() {
    let workspace = binaries_of_services().unwrap().into_iter().collect::<BTreeSet<_>>();
    assert_eq!(names(programs().into_keys()), workspace, "the tests' own list");
    let dockerfile = dockerfile();
    let listed = dockerfile.all("ENV").find_map(|line| line.strip_prefix("PROGRAMS=")).unwrap();
    assert_eq!(names(listed.trim_matches('"').split(' ')), workspace, "what the Dockerfile lists");
    let commands: Vec<&str> = dockerfile.all("RUN").flat_map(|run| run.split("&&")).map(str::trim).collect();
    let of_listed = "$(printf ' --package %s' $PROGRAMS)";
    for built in ["cargo chef cook ", "cargo build "] {
        let command = commands.iter().find(|command| command.contains(built)).unwrap();
        assert!(command.ends_with(of_listed), "what is built: {command}");
    }
    assert!(commands.contains(&"install --target-directory /out/bin $PROGRAMS"), "{commands:?}");
    let copied = dockerfile.in_image("COPY").filter(|line| line.ends_with(" /usr/local/bin/"));
    assert_eq!(copied.collect::<Vec<_>>(), ["--from=build /out/bin/ /usr/local/bin/"]);
}

#[test]
fn it_runs_as_nobody_in_particular_on_an_image_without_a_shell() {
    let dockerfile = dockerfile();
    assert_eq!(dockerfile.in_image("USER").collect::<Vec<_>>(), ["65532:65532"]);
    assert_eq!(dockerfile.in_image("RUN").count(), 0, "the base image has nothing that could run");
    let base = dockerfile.default_of("RUNTIME_IMAGE").unwrap();
    assert!(base.starts_with("gcr.io/distroless/") && base.ends_with(":nonroot"), "{base}");
    let label = format!("org.opencontainers.image.base.name=\"{base}\"");
    assert!(dockerfile.in_image("LABEL").any(|labels| labels.contains(&label)), "{label}");
}

#[test]
fn its_ports_are_those_that_its_environment_makes_the_programs_listen_on() {
    let dockerfile = dockerfile();
    let environment: Vec<(String, String)> =
        dockerfile.environment().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let standalone = ["activityctl", "standalone"].map(str::to_owned);
    check_start(&standalone, &environment).unwrap();
    let ports = environment.iter().filter(|(name, _)| name.ends_with("LISTEN"));
    let ports = ports.filter_map(|(_, address)| address.strip_prefix("0.0.0.0:"));
    let exposed = dockerfile.in_image("EXPOSE").flat_map(|ports| ports.split(' '));
    assert_eq!(names(ports), names(exposed));
    assert_eq!(
        names(dockerfile.in_image("EXPOSE").flat_map(|ports| ports.split(' '))),
        names(["50051", "50080", "9464"])
    );
}

#[test]
fn its_versions_are_the_workspaces() {
    let manifest = read("Cargo.toml").unwrap();
    let value = |key: &str| {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{key} = \""))).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    };
    let dockerfile = dockerfile();
    assert_eq!(dockerfile.default_of("VERSION").unwrap(), value("version"));
    let builder = dockerfile.default_of("BUILD_IMAGE").unwrap();
    let minor = |version: &str| version.split('.').nth(1).unwrap().parse::<u32>().unwrap();
    let rust = builder.rsplit_once(':').unwrap().1.trim_end_matches("-bookworm");
    assert!(minor(rust) >= minor(&value("rust-version")), "{builder} is too old");
}

#[test]
fn every_member_of_the_workspace_reaches_the_build() {
    let ignored = read(".dockerignore").unwrap();
    let admitted: Vec<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let manifest = read("Cargo.toml").unwrap();
    let members = manifest.split("members = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 20, "{members:?}");
    for member in members {
        let is_admitted = |folder: &&str| **folder == *member || member.starts_with(&format!("{folder}/"));
        assert!(admitted.iter().any(is_admitted), ".dockerignore keeps {member} from the build");
    }
    assert!(ignored.lines().any(|line| line == "*"), "everything else stays out");
}
