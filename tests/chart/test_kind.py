"""The chart as installed by k8s/kind finds what it needs in k8s/dev: Secrets, addresses, images."""

import base64
import re
import subprocess
from functools import cache

import yaml
from rendered import CHART, ROOT, containers, helm, parse, tool_folder
from test_network_policies import admits, policies_of
from test_objects import labels_of, selects

KIND = ROOT / "k8s/kind"
NAME = "company-activity"


@cache
def dependencies():
    kustomize = tool_folder("kustomize.sh") / "bin/kustomize"
    reported = subprocess.run([kustomize, "build", ROOT / "k8s/dev"], check=True, capture_output=True, text=True)
    return parse(reported.stdout)


@cache
def suite():
    where = ["--namespace", NAME, "--kube-version", "1.30.0"]
    reported = helm("template", NAME, CHART, *where, "--values", KIND / "values.yaml")
    assert reported.returncode == 0, reported.stderr
    return parse(reported.stdout)


def dependencies_pods():
    kinds = ("Deployment", "StatefulSet", "Job")
    return [one["spec"]["template"] for kind in kinds for one in dependencies().of(kind).values()]


def secrets_of(pod):
    """Names and keys of the Secrets that a pod reads."""
    for container in containers(pod):
        for variable in container.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield reference["name"], reference["key"]
    for volume in pod["spec"].get("volumes", []):
        for item in volume.get("secret", {}).get("items", []):
            yield volume["secret"]["secretName"], item["key"]
        for source in volume.get("projected", {}).get("sources", []):
            for item in source.get("secret", {}).get("items", []):
                yield source["secret"]["name"], item["key"]


def secret(name, key):
    return base64.b64decode(dependencies().of("Secret")[name]["data"][key]).decode()


def addresses_of(pod):
    """Hosts and ports in a pod's environment and Secrets, except those for a browser."""
    reported = [variable.get("value", "") for one in containers(pod) for variable in one.get("env", [])]
    reported += [secret(name, key) for name, key in secrets_of(pod)]
    found = re.findall(r"(?:http|postgres)://(?:[^@/]*@)?([a-z0-9-]+):(\d+)", " ".join(reported))
    return {(host, int(port)) for host, port in found if host != "localhost"}


def test_every_secret_exists_and_has_its_key():
    read = [reference for pod in [*suite().pods().values(), *dependencies_pods()] for reference in secrets_of(pod)]
    assert {name for name, _ in read} == set(dependencies().of("Secret"))
    assert all(secret(name, key) for name, key in read)


def test_every_address_leads_to_a_pod_that_may_be_reached():
    reached = set()
    for component, caller in suite().pods().items():
        for host, port in addresses_of(caller):
            if host in suite().of("Service"):
                continue
            service = dependencies().of("Service")[host]["spec"]
            (called,) = [pod for pod in dependencies_pods() if selects(service["selector"], labels_of(pod))]
            (name,) = [one["targetPort"] for one in service["ports"] if one["port"] == port]
            ports = {one["name"]: one["containerPort"] for one in containers(called)[-1]["ports"]}
            rules = [rule for policy in policies_of(suite(), caller) for rule in policy.get("egress", [])]
            assert any(admits(rule, "to", called, ports[name]) for rule in rules), f"{component} may not reach {host}"
            reached.add(host)
    assert reached == {"azurite", "collector", "postgres", "sample-api"}


def test_our_image_is_the_one_that_is_built_and_is_never_pulled():
    (built,) = re.findall(r"^image=(.*)$", (KIND / "up.sh").read_text(), re.MULTILINE)
    pods = [*suite().pods().values(), *dependencies_pods()]
    ours = [one for pod in pods for one in containers(pod) if one["image"].startswith(built.split(":")[0])]
    assert {one["image"] for one in ours} == {built}
    assert {one.get("imagePullPolicy", "IfNotPresent") for one in ours} == {"Never", "IfNotPresent"}


def test_the_script_waits_for_every_dependency():
    named = re.findall(r"\b(statefulset|deployment|job)/([a-z-]+)", (KIND / "up.sh").read_text())
    kinds = {"statefulset": "StatefulSet", "deployment": "Deployment", "job": "Job"}
    for kind, name in named:
        assert name in dependencies().of(kinds[kind]) | suite().of(kinds[kind]), f"{kind}/{name}"
    waited = {name for _, name in named}
    assert waited >= {name for kind in kinds.values() for name in dependencies().of(kind)}


def test_links_to_traces_lead_to_jaeger():
    (mapping,) = [
        port
        for node in yaml.safe_load((KIND / "cluster.yaml").read_text())["nodes"]
        for port in node.get("extraPortMappings", [])
    ]
    service = yaml.safe_load((KIND / "jaeger.yaml").read_text())
    (port,) = service["spec"]["ports"]
    assert port["nodePort"] == mapping["containerPort"]
    jaeger = dependencies().of("Deployment")["jaeger"]["spec"]["template"]
    assert selects(service["spec"]["selector"], labels_of(jaeger))
    assert port["targetPort"] in {one["name"] for one in containers(jaeger)[0]["ports"]}
    assert service["metadata"]["namespace"] == NAME
    (linked,) = {
        variable["value"]
        for pod in suite().pods().values()
        for one in containers(pod)
        for variable in one.get("env", [])
        if variable["name"] == "TRACE_URL"
    }
    assert linked.startswith(f"http://localhost:{mapping['hostPort']}/")


def test_the_command_that_the_script_advises_is_granted_its_role():
    (advised,) = re.findall(r"exec deployment/(\S+) -- .*\n.*activityctl trigger", (KIND / "up.sh").read_text())
    policy = yaml.safe_load(suite().of("ConfigMap")[f"{NAME}-access"]["data"]["access.yaml"])
    roles = [set(one["roles"]) for one in policy["grants"] if one["identity"].endswith(f":{NAME}:{advised}")]
    assert {"stage", "alerts", "reader", "operator"} == set().union(*roles)
