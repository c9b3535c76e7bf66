//! The compose file starts every service with valid settings.

use std::collections::{BTreeMap, BTreeSet};

use image::{
    compose::{Compose, environment, line},
    programs::{binaries_of_services, check_start},
    read,
};

#[test]
fn every_container_starts_its_program_with_what_the_program_knows() {
    let compose = Compose::read().unwrap();
    for (name, container) in compose.ours() {
        check_start(&line(container), &environment(container))
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
    }
}

#[test]
fn a_variable_that_no_program_knows_is_found_out() {
    let start = |variable: &str, value: &str| {
        let line = ["activity", "--warehouse-url=sqlite::memory:"].map(str::to_owned);
        check_start(&line, &[(variable.to_owned(), value.to_owned())])
    };
    assert!(start("DRAIN_TIMEOUT", "5s").is_ok());
    let unknown = start("DRAIN_TIME", "5s").unwrap_err().to_string();
    assert_eq!(unknown, "activity does not know the variable DRAIN_TIME");
    assert!(start("DRAIN_TIMEOUT", "soon").unwrap_err().to_string().contains("--drain-timeout"));
}

#[test]
fn every_service_has_a_container_of_its_name() {
    let compose = Compose::read().unwrap();
    let running: BTreeSet<&str> = compose.ours().map(|(name, _)| name).collect();
    for program in binaries_of_services().unwrap() {
        assert!(running.contains(program.as_str()), "{program} is in no container");
    }
    for (name, container) in compose.ours().filter(|(name, _)| name.starts_with("ingest-")) {
        assert_eq!(line(container), [name]);
    }
}

#[test]
fn whom_a_service_is_told_to_talk_to_is_there() {
    let compose = Compose::read().unwrap();
    let names: BTreeSet<&str> = compose.all().map(|(name, _)| name).collect();
    let mut seen = BTreeSet::new();
    for (name, container) in compose.ours() {
        for (variable, value) in environment(container) {
            for host in hosts(&value).filter(|host| *host != "localhost") {
                assert!(names.contains(host), "{name}: {variable} names {host}, which no container is");
                seen.insert(host.to_owned());
            }
        }
    }
    for host in ["azurite", "collector", "notifier", "postgres", "sample-api", "transform"] {
        assert!(seen.contains(host), "nobody listens for {host}");
    }
}

#[test]
fn services_ask_for_tokens_that_their_callers_have() {
    let compose = Compose::read().unwrap();
    let services: BTreeSet<String> = binaries_of_services().unwrap().into_iter().collect();
    for (name, container) in compose.ours() {
        let environment: BTreeMap<_, _> = environment(container).into_iter().collect();
        assert!(!environment.contains_key("ALLOW_UNAUTHENTICATED"), "{name}");
        let volumes = container["volumes"].as_array().into_iter().flatten();
        let mounted: BTreeSet<_> = volumes.filter_map(|volume| volume["target"].as_str()).collect();
        // The console asks the services what its visitors may do.
        let serves = services.contains(name) && !["activityctl", "console"].contains(&name);
        let calls = ["coordinator", "activityctl"].contains(&name);
        for (variable, is_needed, folder, path) in [
            ("ACCESS_FILE", serves, "/etc/company-activity/access.yaml", "/etc/company-activity/access.yaml"),
            ("ACCESS_FILE", serves, "/access", "/etc/company-activity/access.yaml"),
            (
                "TOKEN_FILE",
                calls,
                "/tokens",
                if name == "coordinator" { "/tokens/coordinator" } else { "/tokens/person" },
            ),
        ] {
            assert_eq!(mounted.contains(folder), is_needed, "{name}: {folder}");
            let expected = is_needed.then_some(path);
            assert_eq!(environment.get(variable).map(String::as_str), expected, "{name}: {variable}");
        }
        if serves || calls {
            let before = &container["depends_on"]["tokens"]["condition"];
            assert_eq!(before, "service_completed_successfully", "{name}");
        }
    }
}

/// The hosts of the URLs in a text.
fn hosts(text: &str) -> impl Iterator<Item = &str> {
    text.split("://")
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| !pair[0].ends_with("az"))
        .map(|pair| {
            let authority = pair[1].split('/').next().unwrap_or_default();
            authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default()
        })
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn our_containers_have_no_privileges_and_nothing_listens_beyond_the_laptop() {
    let compose = Compose::read().unwrap();
    for (name, container) in compose.ours() {
        assert_eq!(container["user"], "65532:65532", "{name}");
        assert_eq!(container["read_only"], true, "{name}");
        assert_eq!(container["cap_drop"][0], "ALL", "{name}");
        assert_eq!(container["security_opt"][0], "no-new-privileges:true", "{name}");
    }
    let mut published = 0;
    for (name, container) in compose.all() {
        for port in container["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
            published += 1;
        }
    }
    assert!(published > 0);
}

#[test]
fn prometheus_scrapes_every_service() {
    let scraped = read("docker/prometheus.yaml").unwrap();
    let scraped: BTreeSet<&str> =
        scraped.lines().filter_map(|line| line.trim().strip_prefix("- ")?.strip_suffix(":9464")).collect();
    let compose = Compose::read().unwrap();
    let serving = |container: &serde_json::Value| {
        environment(container).contains(&("ADMIN_LISTEN".to_owned(), "0.0.0.0:9464".to_owned()))
    };
    let services: BTreeSet<&str> =
        compose.ours().filter(|(_, container)| serving(container)).map(|(name, _)| name).collect();
    assert_eq!(scraped, services);
    assert_eq!(services.len(), 8);
}
