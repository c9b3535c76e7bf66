"""Objects fit together: selectors, ports, names, policies. Every pod is restricted."""

import re

import pytest
import yaml
from rendered import (
    NAMESPACE,
    SERVICES,
    VALUE_SETS,
    containers,
    includes,
    objects,
    parse,
    template,
    with_service_monitor,
)

EVERY_SET = pytest.mark.parametrize("value_set", VALUE_SETS)
GRPC, HTTP, ADMIN = 50051, 50080, 9464
SITES = {row["name"] for row in SERVICES if row.get("site")}


def selects(selector: dict, labels: dict) -> bool:
    return selector.items() <= labels.items()


def labels_of(pod: dict) -> dict:
    return pod["metadata"]["labels"]


@EVERY_SET
def test_every_selector_finds_exactly_its_service(value_set):
    rendered = objects(value_set)
    pods = rendered.pods()
    selectors = [(one, one["spec"]["selector"]["matchLabels"]) for one in rendered.of("Deployment").values()]
    selectors += [(one, one["spec"]["selector"]) for one in rendered.of("Service").values()]
    selectors += [(one, one["spec"]["selector"]["matchLabels"]) for one in rendered.of("PodDisruptionBudget").values()]
    policies = [one for name, one in rendered.of("NetworkPolicy").items() if not name.endswith("-default-deny")]
    selectors += [(one, one["spec"]["podSelector"]["matchLabels"]) for one in policies]
    for one, selector in selectors:
        found = [component for component, pod in pods.items() if selects(selector, labels_of(pod))]
        assert found == [one["metadata"]["labels"]["app.kubernetes.io/component"]], one["metadata"]["name"]


@EVERY_SET
def test_every_service_has_everything_that_a_service_has(value_set):
    rendered = objects(value_set)
    services = rendered.services()
    options = {"events"} if includes(value_set, "events") or value_set == "folders" else set()
    options |= {"console"} if includes(value_set, "console") else set()
    assert set(services) == {row["name"] for row in SERVICES if row.get("optional") in options | {None}}
    names = {one["metadata"]["name"] for one in services.values()}
    assert set(rendered.of("Service")) == names
    assert names <= set(rendered.of("ServiceAccount"))
    if value_set != "folders":
        assert set(rendered.of("PodDisruptionBudget")) == names
        assert names <= set(rendered.of("NetworkPolicy"))


@EVERY_SET
def test_services_lead_to_the_port_of_grpc_or_to_that_of_pages(value_set):
    rendered = objects(value_set)
    for name, service in rendered.of("Service").items():
        (port,) = service["spec"]["ports"]
        (container,) = rendered.of("Deployment")[name]["spec"]["template"]["spec"]["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        served = {"http": HTTP} if container["name"] in SITES else {"grpc": GRPC}
        assert ports == served | {"admin": ADMIN}
        assert {port["targetPort"]: port["port"]} == served


@EVERY_SET
def test_only_the_read_side_is_headless_because_its_clients_balance(value_set):
    """A headless name resolves to addresses of pods, and for as long as it is cached, to dead ones."""
    services = objects(value_set).of("Service").values()
    headless = [one for one in services if one["spec"].get("clusterIP") == "None"]
    assert [one["metadata"]["labels"]["app.kubernetes.io/component"] for one in headless] == ["activity"]
    assert {one["spec"]["type"] for one in services} == {"ClusterIP"}


@EVERY_SET
def test_every_address_within_the_release_is_one_of_its_services(value_set):
    rendered = objects(value_set)
    called = set()
    for pod in rendered.pods().values():
        for container in containers(pod):
            for variable in container.get("env", []):
                called |= set(re.findall(rf"https?://([^/:,]+):{GRPC}\b", variable.get("value", "")))
    sites = {one["metadata"]["name"] for name, one in rendered.services().items() if name in SITES}
    assert called == set(rendered.of("Service")) - sites


@EVERY_SET
def test_every_pod_is_restricted(value_set):
    for pod in objects(value_set).pods().values():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] == 65532
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        allowed = {"configMap", "secret", "persistentVolumeClaim", "projected"}
        assert all(set(volume) - {"name"} <= allowed for volume in spec.get("volumes", []))
        for container in containers(pod):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False and security["privileged"] is False
            assert security["readOnlyRootFilesystem"] is True and security["runAsNonRoot"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


@EVERY_SET
def test_every_pod_has_an_account_of_its_own_that_mounts_no_token_by_itself(value_set):
    rendered = objects(value_set)
    accounts = rendered.of("ServiceAccount")
    used = [pod["spec"]["serviceAccountName"] for pod in rendered.pods().values()]
    of_people = [name for name in accounts if name.endswith("-activityctl")]
    assert sorted(used + of_people) == sorted(accounts)
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())


@EVERY_SET
def test_every_object_is_in_the_releases_namespace(value_set):
    assert {one["metadata"]["namespace"] for one in objects(value_set).all} == {NAMESPACE}


@EVERY_SET
def test_a_pod_has_time_to_drain_before_it_is_killed(value_set):
    for service, deployment in objects(value_set).services().items():
        spec = deployment["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        environment = {one["name"]: one.get("value") for one in container["env"]}
        sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = int(environment["DRAIN_TIMEOUT"].removesuffix("s"))
        rollback_and_flush = 10
        assert spec["terminationGracePeriodSeconds"] > sleep + drain + rollback_and_flush, service


@EVERY_SET
def test_what_a_hook_needs_exists_before_it(value_set):
    rendered = objects(value_set)
    weights = {}
    for one in rendered.all:
        annotations = one["metadata"].get("annotations", {})
        if "helm.sh/hook" in annotations:
            component = one["metadata"]["labels"]["app.kubernetes.io/component"]
            weights[annotations["helm.sh/hook"], one["kind"], component] = int(annotations["helm.sh/hook-weight"])
    job = weights["pre-install,pre-upgrade", "Job", "migration"]
    assert weights["pre-install,pre-upgrade", "ServiceAccount", "migration"] < job
    if value_set != "folders":
        assert weights["pre-install,pre-upgrade", "NetworkPolicy", "migration"] < job
    for test in ("test", "test-query"):
        assert weights["test", "ServiceAccount", test] < weights["test", "Pod", "test"]
    assert weights["test", "Pod", "test"] < weights["test", "Pod", "test-query"], "it reads what was triggered"
    # A hook runs before the release's objects exist, so it must not need any of them.
    pod = rendered.pods()["migration"]
    assert "volumes" not in pod["spec"]
    assert pod["spec"]["serviceAccountName"].endswith("-migration")


def test_the_reconciliation_is_off_unless_asked_for_and_reports_what_it_finds():
    assert not [name for name in objects("default").of("CronJob") if name.endswith("-reconciliation")]
    (container,) = containers(objects("everything").pods()["reconciliation"])
    expected = ["reconcile", "--date", "yesterday", "--sample", "500", "--report"]
    assert container["command"] == ["/usr/local/bin/activityctl", *expected]


def test_the_trigger_is_what_a_daily_run_needs():
    spec = objects("default").one("CronJob", "-trigger")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 6 * * *", "Etc/UTC", "Forbid")
    assert spec["startingDeadlineSeconds"] == 6 * 3600
    assert spec["successfulJobsHistoryLimit"] == 3 and spec["failedJobsHistoryLimit"] == 5
    job = spec["jobTemplate"]["spec"]
    assert job["backoffLimit"] == 6
    assert not [name for name in objects("folders").of("CronJob") if name.endswith("-trigger")]


@EVERY_SET
def test_jobs_of_the_schedules_restart_in_place(value_set):
    """A new pod per attempt has a new address, and calls before a policy allows it."""
    for one in objects(value_set).of("CronJob").values():
        assert one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


@EVERY_SET
def test_a_pod_that_ends_by_itself_reports_why_it_failed(value_set):
    pods = objects(value_set).pods()
    for component in {"migration", "maintenance", "trigger", "reconciliation", "test", "test-query"} & pods.keys():
        (container,) = containers(pods[component])
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError", component


@EVERY_SET
def test_hooks_leave_nothing_behind(value_set):
    """An uninstallation ignores hooks, so each is deleted on its own; Helm prints the log of a deleted one."""
    rendered = objects(value_set)
    hooks = [one["metadata"] | {"kind": one["kind"]} for one in rendered.all if "annotations" in one["metadata"]]
    hooks = [one for one in hooks if "helm.sh/hook" in one["annotations"]]
    assert {(one["kind"], one["annotations"]["helm.sh/hook"]) for one in hooks} >= {
        ("Job", "pre-install,pre-upgrade"),
        ("Pod", "test"),
    }
    for one in hooks:
        reported = one["annotations"]
        gone = set(reported["helm.sh/hook-delete-policy"].split(","))
        logs = set(reported.get("helm.sh/hook-output-log-policy", "").split(","))
        assert gone >= {"before-hook-creation", "hook-succeeded"}, one["name"]
        if one["kind"] == "Job":
            assert gone >= {"hook-failed"} and logs == {"hook-failed"}
        if one["kind"] == "Pod":
            assert logs == {"hook-succeeded", "hook-failed"}
    (migration,) = rendered.of("Job").values()
    # A log is lost with its pod, and a Job that fails removes a pod that restarts.
    assert migration["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert migration["spec"]["ttlSecondsAfterFinished"] == 24 * 3600


@EVERY_SET
def test_the_log_of_a_test_is_found_by_the_name_of_each_of_its_hooks(value_set):
    """`helm test --logs` treats every hook of the test as a pod."""
    named = [(one, one["metadata"].get("annotations", {}).get("helm.sh/hook")) for one in objects(value_set).all]
    hooks = [one for one, hook in named if hook == "test"]
    pods = {one["metadata"]["name"] for one in hooks if one["kind"] == "Pod"}
    assert {one["metadata"]["name"] for one in hooks} == pods
    assert all("initContainers" not in one["spec"] for one in hooks if one["kind"] == "Pod")


def test_maintenance_is_weekly_and_keeps_everything_that_is_needed():
    spec = objects("default").one("CronJob", "-maintenance")["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("0 3 * * 0", "Etc/UTC", "Forbid")
    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    reported = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert (reported["KEEP_MONTHS"], reported["KEEP_LANDED_MONTHS"], reported["LEFTOVERS_AFTER"]) == ("0", "0", "7d")
    assert reported["KEEP_HISTORY_DAYS"] == "90"


@EVERY_SET
def test_maintenance_works_where_the_ingests_keep_their_files(value_set):
    """The same locations, credentials and volumes."""
    pods = objects(value_set).pods()
    reported, mounts = {}, {}
    for component in ("ingest-crm", "ingest-api", "maintenance"):
        (container,) = pods[component]["spec"]["containers"]
        reported[component] = {one["name"]: one for one in container["env"]}
        mounts[component] = [one for one in container.get("volumeMounts", []) if one["name"] == "storage"]
    reported["ingests"] = reported["ingest-crm"] | reported["ingest-api"]
    for name in ("WAREHOUSE_URL", "LANDING_URL", "CRM_ARCHIVE_URL"):
        assert reported["maintenance"][name] == reported["ingests"][name]
    azure = [
        {name: one for name, one in reported[component].items() if name.startswith("AZURE_")}
        for component in ("maintenance", "ingest-api")
    ]
    assert azure[0] == azure[1]
    assert mounts["maintenance"] == mounts["ingest-api"]


def test_maintenance_may_be_left_out():
    rendered = parse(template("--set", "maintenance.enabled=false"))
    assert "maintenance" not in yaml.safe_dump(rendered.all)


def test_a_scaled_deployment_leaves_its_replicas_to_the_autoscaler():
    rendered = objects("ha")
    scaler = rendered.one("HorizontalPodAutoscaler", "-activity")
    deployments = rendered.of("Deployment")
    target = deployments[scaler["spec"]["scaleTargetRef"]["name"]]
    assert "replicas" not in target["spec"]
    others = [one["spec"]["replicas"] for one in deployments.values() if one is not target]
    assert others == [2] * 5


def test_a_changed_file_restarts_the_pods_that_read_it():
    def checksums(value_set):
        found = {}
        for service, deployment in objects(value_set).services().items():
            annotations = deployment["spec"]["template"]["metadata"]["annotations"]
            found |= {(service, name): value for name, value in annotations.items() if name.startswith("checksum/")}
        return found

    default, events = checksums("default"), checksums("events")
    assert set(default) == {("coordinator", "checksum/pipeline"), ("transform", "checksum/audits")}
    assert all(default[key] != events[key] for key in default)


def test_a_level_that_yaml_reads_as_false_is_off():
    assert 'volume: "off"' in objects("events").one("ConfigMap", "-audits")["data"]["audits.yaml"]


def test_a_digest_takes_precedence_over_the_tag():
    images = {container["image"] for pod in objects("azure").pods().values() for container in containers(pod)}
    assert images == {"ghcr.io/company-activity/company-activity@sha256:" + "0123456789abcdef" * 4}


def test_only_pods_that_reach_storage_have_the_identity():
    rendered = objects("azure")
    use = "azure.workload.identity/use"
    marked = {component for component, pod in rendered.pods().items() if labels_of(pod).get(use) == "true"}
    assert marked == {"ingest-crm", "ingest-api", "maintenance"}
    accounts = rendered.of("ServiceAccount").values()
    identified = [
        one for one in accounts if "azure.workload.identity/client-id" in one["metadata"].get("annotations", {})
    ]
    assert {one["metadata"]["labels"]["app.kubernetes.io/component"] for one in identified} == marked


def test_dashboards_and_rules_are_the_chart_s_files():
    rendered = objects("observability")
    dashboards = [one for name, one in rendered.of("ConfigMap").items() if name.endswith("-dashboard")]
    assert {file for one in dashboards for file in one["data"]} == {"company-activity.json", "pipeline-health.json"}
    assert all(one["metadata"]["labels"]["grafana_dashboard"] == "1" for one in dashboards)
    (rule,) = rendered.of("PrometheusRule").values()
    descriptions = [one["annotations"]["description"] for one in rule["spec"]["groups"][0]["rules"]]
    assert any("{{ $value" in description for description in descriptions), "Helm must not fill in what is Prometheus'"


def test_the_monitor_scrapes_every_service():
    rendered = objects("observability")
    (monitor,) = rendered.of("PodMonitor").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    scraped = pods_with_port(rendered, monitor["spec"]["selector"]["matchLabels"], endpoint["port"])
    assert scraped == set(rendered.services())


def test_the_monitor_of_services_scrapes_the_same_pods():
    rendered = with_service_monitor()
    (monitor,) = rendered.of("ServiceMonitor").values()
    selector = monitor["spec"]["selector"]["matchLabels"]
    (endpoint,) = monitor["spec"]["endpoints"]
    services = [one for one in rendered.of("Service").values() if selects(selector, labels_of(one))]
    scraped = [pods_with_port(rendered, one["spec"]["selector"], endpoint["targetPort"]) for one in services]
    assert sorted(scraped, key=str) == sorted([{name} for name in rendered.services()], key=str)


def pods_with_port(rendered, selector, port):
    """The components of the selected pods that have a port of this name."""
    return {
        component
        for component, pod in rendered.pods().items()
        if selects(selector, labels_of(pod))
        and port in {one["name"] for container in containers(pod) for one in container.get("ports", [])}
    }
