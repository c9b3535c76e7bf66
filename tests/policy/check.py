"""Validates the manifests, and compares the findings of checkov with accepted.yaml.

Run by `make lint-policy`, with the Python of tests/setup/policy.sh. Reads the Dockerfile,
k8s/dev as kustomize builds it, k8s/rendered, and the chart as k8s/kind installs it.
"""

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
# The oldest version that the chart supports, and the newest with available schemas.
KUBERNETES = ("1.30", kubernetes_validate.latest_version())


def tool(script: str, name: str) -> str:
    """The path of a tool that a script of tests/setup installs."""
    folder = subprocess.run([ROOT / "tests/setup" / script], check=True, stdout=subprocess.PIPE, text=True)
    return f"{folder.stdout.strip()}/bin/{name}"


def collect(folder: Path) -> None:
    """Copies the files to check to a folder, under the names used in accepted.yaml."""
    kustomize = tool("kustomize.sh", "kustomize")
    for name, source in (("dev", "k8s/dev"), ("suite", "k8s/rendered")):
        built = subprocess.run([kustomize, "build", ROOT / source], check=True, stdout=subprocess.PIPE)
        (folder / f"{name}.yaml").write_bytes(built.stdout)
    shutil.copy(ROOT / "docker/Dockerfile", folder / "Dockerfile")


def kind_installation() -> str:
    """The chart as installed by k8s/kind."""
    line = ["template", "company-activity", ROOT / "helm/company-activity", "--namespace", "company-activity"]
    line += ["--kube-version", "1.30.0", "--values", ROOT / "k8s/kind/values.yaml"]
    return subprocess.run([tool("helm.sh", "helm"), *line], check=True, stdout=subprocess.PIPE, text=True).stdout


def invalid(name: str, manifests: str) -> list[str]:
    """The violations of the Kubernetes schemas in manifests."""
    problems = []
    objects = [found for found in yaml.safe_load_all(manifests) if found]
    assert objects, f"{name} is empty"
    for found in objects:
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                place = ".".join(str(step) for step in error.path)
                reported = f"{found['kind']}/{found['metadata']['name']} {place}: {error.message}"
                problems.append(f"{name}, Kubernetes {version}: {reported}")
    return problems


def findings(folder: Path) -> set[tuple[str, str, str]]:
    """The findings of checkov: the check's ID, the resource, and the check's name."""
    reported = subprocess.run(
        [Path(sys.executable).parent / "checkov", "--directory", folder, "--output", "json"]
        + ["--framework", "kubernetes", "dockerfile", "--quiet", "--compact", "--skip-download", "--soft-fail"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )
    found = set()
    reports = json.loads(reported.stdout)
    checked = {report["check_type"]: report["summary"]["passed"] for report in reports}
    assert all(checked.get(kind, 0) > 50 for kind in ("dockerfile", "kubernetes")), f"checkov read nothing: {checked}"
    for report in reports:
        for check in report["results"]["failed_checks"]:
            found.add((check["check_id"], place(check["file_path"], check["resource"]), check["check_name"]))
    return found


def place(file: str, resource: str) -> str:
    """A resource as accepted.yaml names it: `suite/Deployment/company-activity-activity`."""
    file = Path(file).stem
    if file == "Dockerfile":
        return file
    # Kind, namespace, name, and for pods of a template their labels. Names contain no dots.
    kind, _, name = resource.split(".")[:3]
    return f"{file}/{kind}/{name}"


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collect(folder)
        problems = invalid("k8s/kind", kind_installation())
        for manifests in sorted(folder.glob("*.yaml")):
            problems += invalid(manifests.stem, manifests.read_text())
        found = findings(folder)
    accepted = yaml.safe_load((ROOT / "tests/policy/accepted.yaml").read_text())
    entries = [(entry["check"], where) for entry in accepted for where in entry["where"]]
    assert all(entry["reason"].strip() for entry in accepted), "an entry has no reason"

    def covers(entry: tuple[str, str], check: str, where: str) -> bool:
        return entry[0] == check and fnmatch.fnmatchcase(where, entry[1])

    for check, where, title in sorted(found):
        if not any(covers(entry, check, where) for entry in entries):
            problems.append(f"{where}: {check}: {title}")
    for entry in entries:
        if not any(covers(entry, check, where) for check, where, _ in found):
            problems.append(f"tests/policy/accepted.yaml: {entry[0]} is not found in {entry[1]} any more")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(found)} findings, all accepted" if not problems else f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        # It has already printed the reason.
        sys.exit(f"{failed.cmd[0]} failed")
