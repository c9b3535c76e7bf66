"""Which pods may connect to which, as a network plugin reads the policies."""

import re

import pytest
from rendered import SERVICES, VALUE_SETS, containers, includes, objects, parse, template
from test_objects import ADMIN, GRPC, HTTP, SITES, labels_of, selects

WITH_POLICIES = pytest.mark.parametrize("value_set", [name for name in VALUE_SETS if name != "folders"])
PORTS = {"grpc": GRPC, "http": HTTP, "admin": ADMIN}
API_SERVER = {443, 6443}
# Ports to which each component may connect outside the release, besides DNS and, for services, the API server.
OUTSIDE = {
    **{row["name"]: {5432, 443} if row.get("storage") else {5432} for row in SERVICES},
    **{site: set() for site in SITES},
    "migration": {5432},
    "maintenance": {5432, 443},
    "trigger": set(),
    "reconciliation": set(),
    "test": set(),
    "test-query": set(),
}


def policies_of(rendered, pod):
    policies = rendered.of("NetworkPolicy").values()
    return [one["spec"] for one in policies if selects(one["spec"]["podSelector"]["matchLabels"], labels_of(pod))]


def may(rendered, caller, called, port):
    """Whether one pod of the release may connect to another: out of the caller, and into the called."""
    leaves = any(
        admits(rule, "to", called, port)
        for policy in policies_of(rendered, caller)
        for rule in policy.get("egress", [])
    )
    enters = any(
        admits(rule, "from", caller, port)
        for policy in policies_of(rendered, called)
        for rule in policy.get("ingress", [])
    )
    return leaves and enters


def admits(rule, direction, pod, port):
    if port not in [PORTS.get(one["port"], one["port"]) for one in rule["ports"]]:
        return False
    peers = rule.get(direction)
    # A release has one namespace, so a peer with a namespace selector is outside it.
    return peers is None or any(
        "podSelector" in peer
        and "namespaceSelector" not in peer
        and selects(peer["podSelector"].get("matchLabels", {}), labels_of(pod))
        for peer in peers
    )


@WITH_POLICIES
def test_everything_not_allowed_is_denied(value_set):
    rendered = objects(value_set)
    deny = rendered.one("NetworkPolicy", "-default-deny")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"] and not {"ingress", "egress"} & deny.keys()
    assert all(selects(deny["podSelector"]["matchLabels"], labels_of(pod)) for pod in rendered.pods().values())


@WITH_POLICIES
def test_pods_reach_exactly_the_services_that_their_environment_names(value_set):
    rendered = objects(value_set)
    pods = rendered.pods()
    services = {
        name: one["metadata"]["labels"]["app.kubernetes.io/component"] for name, one in rendered.of("Service").items()
    }
    for component, caller in pods.items():
        environment = " ".join(
            variable.get("value", "") for one in containers(caller) for variable in one.get("env", [])
        )
        named = {services[name] for name in re.findall(rf"https?://([^/:,]+):{GRPC}\b", environment)}
        reached = {other for other, called in pods.items() if may(rendered, caller, called, GRPC)}
        assert reached == named, component
        assert not any(may(rendered, caller, called, ADMIN) for called in pods.values())


@WITH_POLICIES
def test_pods_reach_outside_only_what_they_need(value_set):
    rendered = objects(value_set)
    for component, pod in rendered.pods().items():
        outside = set()
        for policy in policies_of(rendered, pod):
            for rule in policy.get("egress", []):
                inside = any("podSelector" in peer for peer in rule.get("to", []))
                outside |= set() if inside else {one["port"] for one in rule["ports"]} - {53}
        expected = OUTSIDE[component] | extra(value_set, component)
        assert outside == expected, component


def extra(value_set, component):
    service = component not in ("migration", "maintenance", "trigger", "reconciliation", "test", "test-query")
    ports = set()
    if includes(value_set, "alerts") and component == "notifier":
        ports |= {443, 8443}
    if includes(value_set, "console") and component == "console":
        ports |= {443}
    warehouse = component not in {"trigger", "reconciliation", "test", "test-query"} | SITES
    if includes(value_set, "azure") and warehouse:
        ports |= {6432}
    if service and component not in SITES and value_set != "open":
        ports |= {8443} if includes(value_set, "access") else API_SERVER
    if (includes(value_set, "observability") or value_set == "external-otlp") and service:
        ports |= {4317}
    return ports


@WITH_POLICIES
def test_every_pod_may_resolve_names(value_set):
    rendered = objects(value_set)
    for component, pod in rendered.pods().items():
        ports = [
            (one["protocol"], one["port"])
            for policy in policies_of(rendered, pod)
            for rule in policy.get("egress", [])
            for one in rule["ports"]
        ]
        assert {("UDP", 53), ("TCP", 53)} <= set(ports), component


@pytest.mark.parametrize(("url", "port"), [("http://api/x", 80), ("https://api:8443/x", 8443), ("https://api", 443)])
def test_the_port_of_an_api_is_that_of_its_url(url, port):
    others = ["--set", "networkPolicy.storage.ports={9}", "--set", "networkPolicy.tokenIssuers.ports={7}"]
    rendered = parse(template("--set", f"productApi.url={url}", *others))
    rules = rendered.one("NetworkPolicy", "-ingest-api")["spec"]["egress"]
    assert {one["port"] for rule in rules for one in rule["ports"]} == {53, 5432, 9, 7, port}
