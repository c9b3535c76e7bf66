"""With the rendered arguments and environments, the binaries do what the chart expects."""

import hashlib
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from credentials import CertificateAuthority, TokenIssuer
from loopback_cluster import PATIENCE_SECONDS, LoopbackCluster, get
from programs import hand_over, program
from rendered import VALUE_SETS, containers, files, objects, parse, template

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
TOKEN = "the product API's token"
AZURITE = "UseDevelopmentStorage=true"
WEBHOOK = "https://hooks.example.com/secret"
# A static token, and an identity provider.
ALICE = "activity_" + "a1" * 32
PEOPLE = TokenIssuer()
CONFIG_MAPS = {"access-keys": {"people.json": PEOPLE.key_set()}, "provider-ca": {"ca.crt": CertificateAuthority().pem()}}


def secrets(folder):
    """The contents of the Secrets that value sets name."""
    warehouse = f"sqlite://{folder}/warehouse.sqlite"
    return {
        "company-activity-warehouse": {"url": warehouse},
        "activity-writer": {"url": warehouse},
        "activity-owner": {"owner-url": warehouse},
        "activity-reader": {"reader-url": warehouse},
        "company-activity-product-api": {"token": TOKEN},
        "company-activity-storage": {"connection-string": AZURITE},
        "slack-webhook": {"url": WEBHOOK},
        "teams-webhook": {"workflow-url": WEBHOOK},
        "incident-webhook": {"address": WEBHOOK, "signing-key": "key"},
        "identity-provider": {"secret": "a secret of the tests"},
        "access-tokens": {"hashes": f"{hashlib.sha256(ALICE.encode()).hexdigest()}  alice\n"},
    }


@EVERY_SET
def test_every_binary_starts_as_rendered_passes_its_probes_and_ends_in_time(value_set, tmp_path):
    with LoopbackCluster(objects(value_set), tmp_path, secrets(tmp_path), CONFIG_MAPS) as cluster:
        migration = cluster.run("migration")
        assert migration.returncode == 0, migration.stderr
        cluster.start_all()
        for service, pod in cluster.pods.items():
            assert pod.probe("livenessProbe") == 200, service
            assert pod.probe("readinessProbe") == 200, service
            assert pod.serves(), service
            assert get(f"http://{pod.address}:{pod.port('admin')}/metrics") == 200, service
        for service, pod in cluster.pods.items():
            assert pod.terminate() == 0, service


def test_the_migration_comes_first_and_leaves_services_nothing_to_do(tmp_path):
    with LoopbackCluster(objects("default"), tmp_path, secrets(tmp_path)) as cluster:
        first, second = cluster.run("migration"), cluster.run("migration")
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert first.stdout != second.stdout


@EVERY_SET
def test_every_variable_is_one_that_its_binary_reads(value_set):
    for component, pod in objects(value_set).pods().items():
        for container in containers(pod):
            command = [Path(container["command"][0]).name, *container["command"][1:]]
            help_text = subprocess.run(
                [*program(command[0]), *command[1:], "--help"], capture_output=True, text=True, check=True
            ).stdout
            known = set(re.findall(r"\[env:\s+([A-Z_]+)", help_text))
            reported = {variable["name"] for variable in container["env"]}
            assert {name for name in reported - known if not name.startswith("AZURE_STORAGE_")} == set(), component


@pytest.fixture(scope="module", params=[[], files("tls")], ids=["plain text", "TLS"])
def suite(tmp_path_factory, request):
    """A release on folders, with sample sources up to yesterday. All its calls need tokens."""
    folder = tmp_path_factory.mktemp("suite")
    reported = [
        *files("folders"),
        *request.param,
        "--set",
        "trigger.enabled=true",
        "--set",
        "productApi.existingSecret=company-activity-product-api",
    ]
    with LoopbackCluster(parse(template(*reported)), folder, secrets(folder)) as cluster:
        days = 20
        first_day = datetime.now(UTC).date() - timedelta(days=days)
        sources = cluster.claim("sources")
        sample = ["sample", "--out", sources, "--companies", "30", "--days", str(days), "--first-day", str(first_day)]
        subprocess.run([*program("activityctl"), *sample], check=True, capture_output=True, timeout=PATIENCE_SECONDS)
        (sources / "events").mkdir()
        api = subprocess.Popen(
            [*program("activityctl"), "sample-api", "--usage", sources / "usage.ndjson"]
            + ["--listen", f"{cluster.host('product-api')}:8080", "--token", TOKEN],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert api.stdout.readline().startswith("http://")
            assert cluster.run("migration").returncode == 0
            cluster.start_all()
            yield cluster
        finally:
            api.kill()
            api.wait()


def test_the_trigger_triggers_yesterday_and_two_at_once_create_one_run(suite):
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    at_once = [suite.begin("trigger") for _ in range(2)]
    reported = [process.communicate(timeout=PATIENCE_SECONDS) for process in at_once]
    assert [process.returncode for process in at_once] == [0, 0], reported
    ids = {stdout.splitlines()[0] for stdout, _ in reported}
    assert len(ids) == 1, reported
    (run_id,) = ids
    watched = suite.by_hand("coordinator", "watch", run_id)
    assert watched.returncode == 0, watched.stdout + watched.stderr
    (run,) = suite.ask("coordinator", "runs")
    assert (run["run_id"], run["state"]) == (run_id, "SUCCEEDED")
    assert (run["start_date"], run["end_date"]) == (yesterday, yesterday), run


def test_the_chart_s_own_test_publishes_a_day_and_reads_it(suite):
    triggered = suite.run("test")
    assert triggered.returncode == 0, triggered.stderr
    read = suite.run("test-query")
    assert read.returncode == 0, read.stderr
    yesterday = str(datetime.now(UTC).date() - timedelta(days=1))
    assert read.stdout.count(yesterday) == 5, read.stdout


def test_maintenance_removes_what_is_old_and_can_be_repeated(suite):
    assert suite.run("test").returncode == 0
    landed = suite.claim("sources") / "landing/product_usage"
    needed = {file.name for file in landed.rglob("*.json")}
    assert needed
    (landed / "2020-01-01").mkdir()
    leftovers = [
        hand_over(landed / "2020-01-01") / "usage_2020-01-01.json",
        next(landed.rglob("*.json")).with_suffix(".json#1"),
    ]
    a_month_ago = (datetime.now(UTC) - timedelta(days=30)).timestamp()
    for leftover in leftovers:
        leftover.write_text("{}")
        os.utime(leftover, (a_month_ago, a_month_ago))
    first, second = suite.run("maintenance"), suite.run("maintenance")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.splitlines() == [
        "removed 1 file (2 B) of landed days that nothing refers to",
        "removed 1 file (2 B) of temporaries of landed days",
    ], first.stderr
    assert second.stdout == "nothing to remove\n", second.stderr
    assert {file.name for file in landed.rglob("*") if file.is_file()} == needed
    read = suite.run("test-query")
    assert read.returncode == 0, read.stderr


def test_a_trigger_that_reaches_no_coordinator_fails_so_that_its_job_retries(tmp_path):
    with LoopbackCluster(objects("default"), tmp_path, secrets(tmp_path)) as cluster:
        reported = cluster.run("trigger")
        assert reported.returncode == 1, reported


def test_a_secret_with_one_certificate_serves_all_services_and_their_callers(tmp_path):
    rendered = parse(template("--set", "tls.existingSecret=services-tls"))
    with LoopbackCluster(rendered, tmp_path, secrets(tmp_path)) as cluster:
        certificate, key = cluster.authority.issue(list(cluster.hosts), list(cluster.hosts.values()))
        pem = {"tls.crt": certificate, "tls.key": key, "ca.crt": cluster.authority.pem()}
        cluster.secrets["services-tls"] = pem
        assert cluster.run("migration").returncode == 0
        cluster.start("coordinator").started()
        triggered = cluster.run("trigger")
        assert triggered.returncode == 0, triggered.stderr
