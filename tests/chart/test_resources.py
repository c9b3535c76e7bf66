"""Pods request what was measured, with a margin, and what the documents say."""

import re

from rendered import ROOT, containers, objects, parse, template

QUANTITIES = {"Mi": 2**20, "Gi": 2**30}


def table():
    """The rows of the document: service, idle, peak, CPU and memory requests, memory limit."""
    section = (ROOT / "docs/operations.md").read_text().split("\n## Resources\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def resources(rendered):
    pods = {service: one["spec"]["template"] for service, one in rendered.services().items()}
    return {service: containers(pod)[0]["resources"] for service, pod in pods.items()}


def memory(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) * QUANTITIES[unit]


def test_the_document_says_what_pods_request():
    asked = resources(parse(template("--set", "events.enabled=true,console.enabled=true")))
    reported = {row[0]: {"requests": {"cpu": row[3], "memory": row[4]}, "limits": {"memory": row[5]}} for row in table()}
    assert reported == asked


def test_a_request_covers_the_measured_peak_without_waste():
    asked = resources(parse(template("--set", "events.enabled=true")))
    for service, _, peak, *_ in table():
        if peak.isdigit():
            requested = memory(asked[service]["requests"]["memory"])
            assert int(peak) * 2**20 < requested <= max(32 * 2**20, 8 * int(peak) * 2**20), service


def test_more_than_one_of_everything_fits_on_a_machine_with_two_cores():
    rendered = objects("ha")
    (scaler,) = rendered.of("HorizontalPodAutoscaler").values()
    asked = 0
    for service, deployment in rendered.services().items():
        replicas = deployment["spec"].get("replicas", scaler["spec"]["minReplicas"])
        asked += replicas * int(resources(rendered)[service]["requests"]["cpu"].removesuffix("m"))
    assert asked <= 1000
