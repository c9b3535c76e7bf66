"""The commands that Helm prints after an installation work as they are."""

import re
import shutil
import subprocess

import pytest
import yaml
from programs import program
from rendered import CHART, NAMESPACE, RELEASE, VALUE_SETS, files, helm, objects, template

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
# Helm prints notes only if a cluster answers; this template renders them anywhere.
TELLING = """
apiVersion: v1
kind: ConfigMap
metadata: { name: notes }
data:
  notes: {{ tpl (.Files.Get "files/NOTES.txt") . | quote }}
"""


def notes(folder, value_set="default", *arguments):
    chart = folder / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates/NOTES.txt").rename(chart / "files/NOTES.txt")
    (chart / "templates/notes.yaml").write_text(TELLING)
    only = ["--show-only", "templates/notes.yaml", "--kube-version", "1.30.0"]
    reported = helm("template", RELEASE, chart, "--namespace", NAMESPACE, *only, *files(value_set), *arguments)
    assert reported.returncode == 0, reported.stderr
    return yaml.safe_load(reported.stdout)["data"]["notes"]


@EVERY_SET
def test_notes_name_objects_that_exist(value_set, tmp_path):
    rendered = objects(value_set)
    named = re.findall(r"(deployment|cronjob)[/ ](\S+)", notes(tmp_path, value_set))
    there = {("deployment", name) for name in rendered.of("Deployment")}
    there |= {("cronjob", name) for name in rendered.of("CronJob")}
    assert named and set(named) <= there
    assert ("cronjob" in {kind for kind, _ in named}) == ("trigger" in rendered.pods())


def test_commands_of_the_notes_exist(tmp_path):
    commands = re.findall(r"^ .*activityctl ([a-z]+)(.*?)(?:#.*)?$", notes(tmp_path), re.MULTILINE)
    assert {command for command, _ in commands} == {"backfill", "runs", "churn"}
    for command, arguments in commands:
        assert_is_known([command, *arguments.split()])


def test_commands_that_alerts_advise_exist():
    reported = (CHART / "rules/company-activity.yaml").read_text()
    commands = re.findall(r"`activityctl ([^`]+)`", reported)
    assert len(commands) == reported.count("activityctl ") > 1
    for command in commands:
        assert_is_known(re.sub(r"{{.*?}}", "label", command).split())


def assert_is_known(command):
    reported = subprocess.run([*program("activityctl"), *command, "--help"], capture_output=True, text=True, check=False)
    assert reported.returncode == 0, reported.stderr


def test_notes_warn_of_values_that_are_still_to_be_set(tmp_path):
    (tmp_path / "before").mkdir()
    before = notes(tmp_path / "before")
    assert "productApi.url is still the example" in before and "No channel for alerts is set" in before
    (tmp_path / "after").mkdir()
    after = notes(tmp_path / "after", "alerts", "--set", "productApi.url=https://api.acme.example/usage")
    assert "still the example" not in after and "No channel" not in after


def test_notes_say_what_is_stopped(tmp_path):
    reported = notes(tmp_path, "ha", "--set", "services.activity.replicas=0,services.notifier.replicas=0")
    assert "Stopped, by replicas: 0: activity, notifier.\n" in reported
    (tmp_path / "running").mkdir()
    assert "Stopped" not in notes(tmp_path / "running", "ha")


def test_notes_say_how_people_and_services_get_in(tmp_path):
    policy = yaml.safe_load(objects("default").one("ConfigMap", "-access")["data"]["access.yaml"])
    (audience,) = policy["issuers"][0]["audiences"]
    reported = notes(tmp_path)
    ((account, asked),) = re.findall(r"create token (\S+) --audience (\S+) > token", reported)
    assert (account, asked) == (f"{RELEASE}-company-activity-activityctl", audience)
    (volume,) = [block for block in reported.split("\n\n") if block.startswith("  volumes:")]
    (source,) = yaml.safe_load(volume)["volumes"][0]["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == audience
    (grants,) = [block for block in reported.split("\n\n") if block.startswith("  auth:")]
    file = tmp_path / "values.yaml"
    file.write_text(grants)
    assert "THEIR-ACCOUNT" in template("--values", str(file))


def test_notes_of_a_suite_with_tls_say_what_verifies_it(tmp_path):
    reported = notes(tmp_path, "tls")
    assert "http://" not in reported.replace("api.example.com", "")
    (secret,) = re.findall(r"get secret (\S+) --output", reported)
    assert secret == objects("tls").one("Certificate", "-coordinator")["spec"]["secretName"]
    names = re.findall(r"TLS_SERVER_NAME=(\S+)", reported)
    assert names and set(names) <= set(objects("tls").of("Certificate"))


def test_notes_of_a_suite_that_is_open_say_so(tmp_path):
    reported = notes(tmp_path, "open")
    assert "whoever reaches a service may do everything" in reported and "create token" not in reported
