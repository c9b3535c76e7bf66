"""The commands in the documents work as written, as far as that can be checked without a cluster."""

import re
import shlex
import shutil
import subprocess
from functools import cache

import pytest
import yaml
from rendered import CHART, ROOT, containers, helm, parse, tool_folder
from test_kind import secrets_of
from test_network_policies import admits
from test_notes import assert_is_known
from test_objects import labels_of, selects
from test_rendering import NEWEST, OLDEST, validate_all
from test_secrets import install

NAME = "company-activity"
OPERATIONS = (ROOT / "docs/operations.md").read_text()
DOCUMENTS = {
    "operations": OPERATIONS,
    "upgrade": (ROOT / "docs/upgrade.md").read_text(),
    "security": (ROOT / "docs/security.md").read_text(),
    "chart": (CHART / "README.md").read_text(),
}


def blocks(text, language):
    """Fenced blocks, without the indentation of the list around them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@cache
def commands(document):
    """The commands of a document as words; `...` stands for words given elsewhere."""
    lines = [line for block in blocks(DOCUMENTS[document], "console") for line in joined(block)]
    typed = [line for line in lines if line.startswith("$ ")]
    return [shlex.split(line.removeprefix("$ ").removesuffix(" &").split(" | ")[0]) for line in typed]


def joined(block):
    return block.replace("\\\n", " ").splitlines()


def reported(program, *subcommands):
    """Every use of a program and its subcommands, with its document."""
    found = [(document, words) for document in DOCUMENTS for words in commands(document) if words[0] == program]
    chosen = [one for one in found if not subcommands or one[1][1] in subcommands]
    assert chosen, f"no document says {program} {subcommands}"
    return [pytest.param(words[1:], id=f"{document}: {' '.join(words)[:60]}") for document, words in chosen]


@pytest.fixture
def folder(tmp_path):
    """An operator's working folder: the chart, and the values from the document."""
    (tmp_path / "helm").symlink_to(ROOT / "helm")
    (values,) = [block for block in blocks(OPERATIONS, "yaml") if re.search("^productApi:", block, re.MULTILINE)]
    (tmp_path / "my-values.yaml").write_text(values)
    return tmp_path


def rendered(folder, words):
    """The objects that an installation or an upgrade would apply."""
    reported = helm("template", *words[1:], "--kube-version", "1.30.0", folder=folder)
    assert reported.returncode == 0, reported.stderr
    return parse(reported.stdout)


@pytest.mark.parametrize("words", reported("helm", "install", "upgrade"))
def test_an_installation_is_rendered_as_it_is_typed(words, folder):
    if "..." in words:
        words = [word for other in words for word in ([NAME, "./helm/company-activity"] if other == "..." else [other])]
        words = [word.replace("sha256:...", "sha256:" + "0" * 64) for word in words]
    assert rendered(folder, words).services()


@pytest.mark.parametrize("words", reported("helm", "test", "history", "rollback", "uninstall"))
def test_flags_of_other_commands_of_helm_exist(words):
    known = helm(words[0], "--help").stdout
    for flag in [word.split("=")[0] for word in words if word.startswith("--")]:
        assert re.search(rf"{flag}\b", known), f"helm {words[0]} has no {flag}"


def test_a_rollback_names_its_revision():
    """Without one, Helm picks the revision before the newest, which may have failed."""
    for (words,) in [one.values for one in reported("helm", "rollback")]:
        assert words[1] == NAME and words[2].isdigit()


def test_a_test_gets_the_time_of_a_run():
    for (words,) in [one.values for one in reported("helm", "test")]:
        assert words[words.index("--timeout") + 1] == "1h"
        # With it, Helm 3 reads logs of pods that it has just removed.
        assert "--logs" not in words
    assert yaml.safe_load((CHART / "values.yaml").read_text())["tests"]["activeDeadlineSeconds"] == 3600


@pytest.mark.parametrize("words", reported("activityctl"))
def test_a_command_of_activityctl_exists(words):
    assert_is_known([re.sub(r"^[A-Z]+$", "1", word) for word in words])


@pytest.mark.parametrize("words", reported("kubectl"))
def test_kubectl_names_objects_that_exist(words, folder):
    there = rendered(folder, ["install", NAME, CHART, "--namespace", NAME, "--values", "my-values.yaml"])
    kinds = {"deployment": "Deployment", "cronjob": "CronJob", "job": "Job"}
    line = " ".join(words)
    for kind, name in re.findall(r"\b(deployment|cronjob|job)[/ ]([a-z][a-z-]+)", line):
        assert name in there.of(kinds[kind]), line
    for label in re.findall(r"--selector (\S+)", line):
        key, value = label.split("=")
        assert all(labels_of(pod)[key] == value for pod in there.pods().values()), line


def test_the_document_creates_exactly_the_secrets_that_an_installation_needs(folder):
    made = {}
    for words in commands("operations"):
        if words[3:6] == ["create", "secret", "generic"]:
            keys = [word.removeprefix("--from-file=").split("=")[0] for word in words if "--from-file=" in word]
            made[words[6]] = keys
    values = folder / "my-values.yaml"
    reported = install(made, "--values", str(values))
    assert reported.returncode == 0, reported.stderr
    read = {reference for pod in parse(reported.stdout).pods().values() for reference in secrets_of(pod)}
    assert read == {(name, key) for name, keys in made.items() for key in keys}


def upgrades():
    """The commands that stop the suite for a restore, and start it again."""
    found = [words for words in commands("operations") if words[:2] == ["helm", "upgrade"]]
    (stopping,) = [words for words in found if "--no-hooks" in words]
    (starting,) = [words for words in found if words is not stopping]
    return stopping[1:], starting[1:]


@pytest.mark.parametrize("more", [[], ["--values", str(CHART / "values-ha.yaml")]], ids=["one of each", "more"])
def test_a_restore_stops_everything_and_starts_it_again(more, folder):
    stopping, starting = upgrades()
    stopped, started = rendered(folder, stopping + more), rendered(folder, starting + more)
    assert {one["spec"]["replicas"] for one in stopped.of("Deployment").values()} == {0}
    assert {one["spec"]["suspend"] for one in stopped.of("CronJob").values()} == {True}
    assert not stopped.of("Job"), "no migration of a database that is about to go"
    assert {one["spec"].get("replicas") for one in started.of("Deployment").values()} <= {1, 2, None}
    suspended = {name for name, one in started.of("CronJob").items() if one["spec"]["suspend"]}
    assert suspended == {f"{NAME}-maintenance"}
    assert started.of("Job"), "a backup may be older than the programs"


@pytest.fixture
def overlay(tmp_path):
    """The overlay of the document, next to a copy of its base."""
    (text,) = [block for block in blocks(OPERATIONS, "yaml") if "kind: Kustomization" in block]
    (base,) = yaml.safe_load(text)["resources"]
    ours = tmp_path / "overlay"
    ours.mkdir()
    (ours / "kustomization.yaml").write_text(text)
    shutil.copytree(ROOT / "k8s/rendered", (ours / base).resolve())
    return ours


def built(overlay):
    kustomize = tool_folder("kustomize.sh") / "bin/kustomize"
    reported = subprocess.run([kustomize, "build", overlay], capture_output=True, text=True, check=False)
    assert reported.returncode == 0, reported.stderr
    return parse(reported.stdout)


def test_the_overlay_without_helm_sets_the_product_api_and_lets_it_through(overlay):
    there = built(overlay)
    pod = there.pods()["ingest-api"]
    (container,) = containers(pod)
    (url,) = [one["value"] for one in container["env"] if one["name"] == "PRODUCT_API_URL"]
    assert url == "https://api.mycompany.com:8443/v1/product-usage"
    policies = [one["spec"] for one in there.of("NetworkPolicy").values()]
    applied = [one for one in policies if selects(one["podSelector"]["matchLabels"], labels_of(pod))]
    anywhere = {"metadata": {"labels": {}}}
    for port in (8443, 443, 5432):
        assert any(admits(rule, "to", anywhere, port) for one in applied for rule in one.get("egress", [])), port
    images = {one["image"] for every in there.pods().values() for one in containers(every)}
    assert images == {"ghcr.io/company-activity/company-activity:0.1.0"}


@pytest.mark.parametrize("namespace", [NAME, "elsewhere"])
def test_the_overlay_without_helm_is_valid_in_any_namespace(namespace, overlay):
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().replace(f"namespace: {NAME}\n", f"namespace: {namespace}\n"))
    there = built(overlay)
    assert {one["metadata"]["namespace"] for one in there.all} == {namespace}
    for version in (OLDEST, NEWEST):
        validate_all(there, version)


@pytest.mark.parametrize("section", ["auth", "tls"])
def test_values_about_callers_are_rendered_as_they_are_written(section, tmp_path):
    (values,) = [block for block in blocks(OPERATIONS, "yaml") if block.startswith(f"{section}:")]
    (tmp_path / "values.yaml").write_text(values)
    there = rendered(tmp_path, ["install", NAME, CHART, "--values", "values.yaml"])
    assert there.of("Certificate") if section == "tls" else "token:alice" in str(there.of("ConfigMap"))


def test_the_token_for_people_is_for_the_audience_of_the_release(folder):
    there = rendered(folder, ["install", NAME, CHART, "--namespace", NAME, "--values", "my-values.yaml"])
    policy = yaml.safe_load(there.of("ConfigMap")[f"{NAME}-access"]["data"]["access.yaml"])
    ((account, audience),) = {
        (words[words.index("token") + 1], words[words.index("--audience") + 1])
        for words in commands("operations")
        if words[3:5] == ["create", "token"]
    }
    assert account in there.of("ServiceAccount") and [audience] == policy["issuers"][0]["audiences"]
