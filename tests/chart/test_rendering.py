"""What the chart renders is valid, and changes only on purpose."""

import json
import os
import subprocess
from functools import cache

import jsonschema
import kubernetes_validate
import pytest
import yaml
from rendered import (
    CHART,
    GOLDEN,
    HERE,
    ROOT,
    VALUE_SETS,
    files,
    helm,
    objects,
    parse,
    template,
    text,
    tool_folder,
    with_service_monitor,
)

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
OLDEST = "1.30"
NEWEST = kubernetes_validate.latest_version()
OPERATOR = "monitoring.coreos.com/v1"
CERT_MANAGER = "cert-manager.io/v1"
GATEWAY = "gateway.networking.k8s.io/v1"


@EVERY_SET
def test_a_value_set_passes_lint(value_set):
    reported = helm("lint", "--strict", CHART, "--kube-version", "1.30.0", *files(value_set))
    assert reported.returncode == 0, reported.stdout + reported.stderr


@pytest.mark.parametrize("value_set", GOLDEN)
def test_a_rendering_is_the_golden_one(value_set):
    golden = HERE / f"golden/{value_set}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text(value_set))
    assert text(value_set) == golden.read_text(), "UPDATE_GOLDEN=1 make test-chart, then read the difference"


def test_every_golden_file_is_of_a_value_set():
    assert {file.stem for file in (HERE / "golden").iterdir()} == set(GOLDEN)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@EVERY_SET
def test_every_object_is_valid(value_set, version):
    validate_all(objects(value_set), version)


def validate_all(rendered, version):
    for one in rendered.all:
        if one["apiVersion"] not in (OPERATOR, CERT_MANAGER, GATEWAY):
            validate(json.dumps(one), version)


@cache
def validate(one, version):
    """Cached, because value sets share most objects and each validation reads all Kubernetes definitions."""
    kubernetes_validate.validate(json.loads(one), version, strict=True)


def test_the_newest_schema_is_newer_than_the_oldest():
    assert tuple(map(int, NEWEST.split(".")[:2])) > tuple(map(int, OLDEST.split(".")))


@pytest.mark.parametrize("kind", ["PodMonitor", "PrometheusRule"])
def test_an_object_of_the_operator_is_valid(kind):
    (one,) = objects("observability").of(kind).values()
    validate_for_the_operator(one)


def test_more_than_one_of_everything_is_monitored_where_the_operator_is():
    known = ["--api-versions", f"{OPERATOR}/PodMonitor", "--api-versions", f"{OPERATOR}/PrometheusRule"]
    rendered = parse(template(*files("ha"), *known))
    assert [len(rendered.of(kind)) for kind in ("PodMonitor", "ServiceMonitor", "PrometheusRule")] == [1, 0, 1]
    for kind in ("PodMonitor", "PrometheusRule"):
        validate_for_the_operator(rendered.one(kind, ""))
    reported = {"PodMonitor": "podMonitor", "PrometheusRule": "prometheusRule"}
    for kind, value in reported.items():
        without = parse(template(*files("ha"), *known, "--set", f"observability.{value}.enabled=false"))
        assert not without.of(kind)


def test_more_than_one_of_everything_needs_no_operator():
    assert [one["kind"] for one in objects("ha").all if one["apiVersion"] == OPERATOR] == []
    insisting = parse(template(*files("ha"), "--set", "observability.podMonitor.enabled=true"))
    assert len(insisting.of("PodMonitor")) == 1


def test_the_monitor_of_services_is_valid():
    (one,) = with_service_monitor().of("ServiceMonitor").values()
    validate_for_the_operator(one)


def validate_for_the_operator(one):
    validate_by_definition(one, OPERATOR, "prometheus-crds.sh")


@pytest.mark.parametrize("value_set", ["tls", "everything"])
def test_certificates_are_valid(value_set):
    certificates = objects(value_set).of("Certificate").values()
    assert certificates
    for one in certificates:
        validate_by_definition(one, CERT_MANAGER, "cert-manager-crds.sh")


@pytest.mark.parametrize("value_set", ["console", "everything"])
def test_the_route_of_a_gateway_is_valid(value_set):
    (one,) = objects(value_set).of("HTTPRoute").values()
    validate_by_definition(one, GATEWAY, "gateway-crds.sh")


def validate_by_definition(one, api, script):
    assert one["apiVersion"] == api
    file = f"{api.removesuffix('/v1')}_{one['kind'].lower()}s.yaml"
    definition = yaml.safe_load((tool_folder(script) / file).read_text())
    schema = next(one for one in definition["spec"]["versions"] if one["name"] == "v1")["schema"]["openAPIV3Schema"]
    jsonschema.validate(one, closed(schema))


def closed(schema):
    """The API server's schema drops unknown keys; the returned one refuses them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: closed(part) for key, part in schema.items()}
    if isinstance(changed.get("pattern"), str):
        # Go allows flags anywhere in a pattern, Python only at the start.
        changed["pattern"] = changed["pattern"].replace("^(?i)", "(?i)^")
    if changed.get("type") == "object" and schema.get("properties") and "metadata" not in schema["properties"]:
        changed.setdefault("additionalProperties", False)
    return changed


@EVERY_SET
def test_names_are_unique_and_fit(value_set):
    named = [(one["kind"], one["metadata"]["name"]) for one in objects(value_set).all]
    assert len(named) == len(set(named))
    # A CronJob's Jobs append eleven characters to its name, and names have at most 63.
    assert all(len(name) <= 52 for _, name in named), named


def test_a_long_release_name_still_fits():
    reported = helm("template", "a" * 53, CHART, "--kube-version", "1.30.0")
    names = [one["metadata"]["name"] for one in yaml.safe_load_all(reported.stdout) if one]
    assert names
    for name in names:
        assert len(name) <= 63, name


def test_a_cluster_that_is_too_old_is_refused():
    reported = helm("template", "release", CHART, "--kube-version", "1.29.0")
    assert reported.returncode != 0 and "kubeVersion: >=1.30" in reported.stderr, reported.stderr


def test_the_readme_is_up_to_date_with_the_comments_of_the_values():
    reported = subprocess.run(
        [tool_folder("helm.sh") / "bin/helm-docs", "--chart-search-root", CHART, "--sort-values-order", "file", "--dry-run"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert reported.stdout.strip() == (CHART / "README.md").read_text().strip(), "run `make chart-readme`"


def test_every_value_is_documented():
    table = [line for line in (CHART / "README.md").read_text().splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table if line.count(" | ") == 3]
    documented = {row[0] for row in rows[1:]}
    assert [row[0] for row in rows[1:] if not row[3]] == []
    assert {path.split(".")[0] for path in documented} == set(yaml.safe_load((CHART / "values.yaml").read_text()))


def test_the_shipped_pipelines_are_those_of_the_services():
    sources = {"daily": "services/coordinator/pipeline.yaml", "with-events": "docs/pipelines/with-events.yaml"}
    for name, source in sources.items():
        shipped = CHART / f"files/pipelines/{name}.yaml"
        assert shipped.read_text() == (ROOT / source).read_text(), "run `make chart-pipelines`"


def test_the_chart_has_the_version_of_the_binaries():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert f'\nversion = "{chart["appVersion"]}"\n' in (ROOT / "Cargo.toml").read_text()
