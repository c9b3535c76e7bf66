"""The chart as Helm renders it."""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/company-activity"
HERE = Path(__file__).parent

# Value sets by name: the files passed to Helm, in order.
VALUE_SETS = {"default": [], "ha": [CHART / "values-ha.yaml"]} | {
    file.stem: [file] for file in sorted((HERE / "values").glob("*.yaml"))
}
# Everything that can be enabled at the same time.
# `access` comes after `console`, whose grants it replaces.
PARTS = ("ha", "alerts", "azure", "events", "observability", "console", "access", "tls", "everything")
VALUE_SETS["everything"] = [
    file for part in PARTS for file in VALUE_SETS[part]
]
# The value sets whose rendering is kept; test_value_sets.py compares the others with these.
GOLDEN = ("default", "everything")
# The table of services that the chart iterates over.
SERVICES = yaml.safe_load((CHART / "files/services.yaml").read_text())
RELEASE = "release"
NAMESPACE = "activity"


@cache
def tool_folder(script: str) -> Path:
    """The folder that a script of tests/setup prints; the script installs what is missing."""
    reported = subprocess.run([ROOT / "tests/setup" / script], check=True, stdout=subprocess.PIPE, text=True)
    return Path(reported.stdout.strip())


def helm(*arguments: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess:
    # The user's own Helm folders must not affect the test.
    environment = {"PATH": os.environ["PATH"], "HELM_CONFIG_HOME": "/nonexistent", "HELM_CACHE_HOME": "/nonexistent"}
    command = [tool_folder("helm.sh") / "bin/helm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def files(value_set: str) -> list[str]:
    return [argument for file in VALUE_SETS[value_set] for argument in ("--values", str(file))]


def includes(value_set: str, part: str) -> bool:
    """Whether a value set contains all values of another one."""
    return set(VALUE_SETS[part]) <= set(VALUE_SETS[value_set])


@cache
def text(value_set: str) -> str:
    return template(*files(value_set))


def template(*arguments: str) -> str:
    reported = helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", "1.30.0", *arguments)
    assert reported.returncode == 0, reported.stderr
    return reported.stdout


@dataclass(frozen=True)
class Objects:
    """The objects of one rendering."""

    all: list[dict]

    def of(self, kind: str) -> dict[str, dict]:
        return {one["metadata"]["name"]: one for one in self.all if one["kind"] == kind}

    def one(self, kind: str, suffix: str) -> dict:
        found = [one for name, one in self.of(kind).items() if name.endswith(suffix)]
        assert len(found) == 1, f"{len(found)} of kind {kind} end in {suffix}"
        return found[0]

    def pods(self) -> dict[str, dict]:
        """The metadata and spec of everything that becomes a pod, by component."""
        templates = [one["spec"]["template"] for kind in ("Deployment", "Job") for one in self.of(kind).values()]
        templates += [one["spec"]["jobTemplate"]["spec"]["template"] for one in self.of("CronJob").values()] + list(
            self.of("Pod").values()
        )
        return {pod["metadata"]["labels"]["app.kubernetes.io/component"]: pod for pod in templates}

    def services(self) -> dict[str, dict]:
        """The Deployments by service."""
        return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one for one in self.of("Deployment").values()}


@cache
def objects(value_set: str) -> Objects:
    return parse(text(value_set))


@cache
def with_service_monitor() -> Objects:
    """The rendering with the only object that no value set has."""
    return parse(template("--set", "observability.serviceMonitor.enabled=true"))


def parse(rendered: str) -> Objects:
    return Objects([one for one in yaml.safe_load_all(rendered) if one])


def containers(pod: dict) -> list[dict]:
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
