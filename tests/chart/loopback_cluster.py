"""Pods as processes on this machine, with exactly the rendered commands and environments.

Only what a cluster provides is replaced: each pod has its own loopback address, so ports stay the same; names of
Services become addresses; images are the binaries of this work tree, or an image's root file system (programs.py);
volumes are folders; Secrets hold what a test puts into them.
"""

import json
import random
import re
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

import grpc
from programs import IMAGE_ENVIRONMENT, IN_IMAGE, hand_over, program
from rendered import Objects, containers

# Far longer than needed: the machine may be busy with other tests.
PATIENCE_SECONDS = 120


class Addresses:
    """Unused addresses of this machine: Linux answers on all of 127/8."""

    def __init__(self):
        self.network = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        self.hosts = count(1)

    def next(self) -> str:
        return f"{self.network}.{next(self.hosts)}"


@dataclass
class Pod:
    """One running pod of a Deployment."""

    service: str
    spec: dict
    address: str
    process: subprocess.Popen
    log: Path

    def url(self) -> str:
        return f"http://{self.address}:{self.port('grpc')}"

    def port(self, name: str) -> int:
        return next(port["containerPort"] for port in self.container["ports"] if port["name"] == name)

    @property
    def container(self) -> dict:
        (container,) = self.spec["containers"]
        return container

    def probe(self, kind: str) -> int:
        """The HTTP status of a probe, or 0 without an answer."""
        request = self.container[kind]["httpGet"]
        return get(f"http://{self.address}:{self.port(request['port'])}{request['path']}")

    def started(self):
        """Waits like the kubelet, until the startup probe succeeds."""
        deadline = monotonic() + PATIENCE_SECONDS
        while self.probe("startupProbe") != 200:
            assert self.process.poll() is None, f"{self.service} ended:\n{self.log.read_text()}"
            assert monotonic() < deadline, f"{self.service} did not start:\n{self.log.read_text()}"

    def health(self) -> bytes:
        """The answer of its gRPC health service: a serialized HealthCheckResponse."""
        with grpc.insecure_channel(self.url().removeprefix("http://")) as channel:
            return channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=PATIENCE_SECONDS)

    def terminate(self) -> int:
        """Stops it like the kubelet, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(self.spec["terminationGracePeriodSeconds"])


def get(url: str) -> int:
    # No request may go through the developer's proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(url, timeout=5).status
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


class LoopbackCluster:
    """A release whose pods are processes with their files below one folder."""

    def __init__(self, rendered: Objects, folder: Path, secrets: dict[str, dict[str, str]]):
        self.rendered = rendered
        self.folder = hand_over(folder)
        self.secrets = secrets
        self.addresses = Addresses()
        self.hosts = {name: self.addresses.next() for name in rendered.of("Service")}
        self.pods: dict[str, Pod] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pod in self.pods.values():
            pod.process.kill()
            pod.process.wait()
            print(f"==== log of {pod.service} ====\n{pod.log.read_text()}")

    def host(self, name: str) -> str:
        """The address of a host outside the release that it calls."""
        return self.hosts.setdefault(name, self.addresses.next())

    def start_all(self):
        for service in self.rendered.services():
            self.start(service)
        for pod in self.pods.values():
            pod.started()

    def start(self, service: str) -> Pod:
        deployment = self.rendered.services()[service]
        spec = deployment["spec"]["template"]["spec"]
        address = self.hosts[deployment["metadata"]["name"]]
        (container,) = spec["containers"]
        log = self.folder / f"{service}.log"
        with log.open("w") as output:
            command, environment = self.reported(service, spec, container, address)
            process = subprocess.Popen(command, env=environment, cwd="/", stdout=output, stderr=output)
        self.pods[service] = Pod(service, spec, address, process, log)
        return self.pods[service]

    def run(self, component: str, container: str | None = None) -> subprocess.CompletedProcess:
        """Runs a container of a pod that ends by itself, to its end."""
        process = self.begin(component, container)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def begin(self, component: str, container: str | None = None) -> subprocess.Popen:
        spec = self.rendered.pods()[component]["spec"]
        (one,) = [one for one in containers({"spec": spec}) if container in (None, one["name"])]
        command, environment = self.reported(component, spec, one, self.addresses.next())
        return subprocess.Popen(
            command, env=environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def reported(self, component: str, spec: dict, container: dict, address: str) -> tuple[list[str], dict[str, str]]:
        """The command and the environment of a container on this machine."""
        folders = self.mounted(component, spec, container)
        path, *arguments = container["command"] + container.get("args", [])
        assert Path(path).parent == IN_IMAGE, path
        environment = {}
        for variable in container["env"]:
            assert variable["name"] not in environment, f"{variable['name']} is given twice"
            environment[variable["name"]] = self.on_this_machine(self.value(variable, component), folders, address)
        return [*program(Path(path).name), *arguments], IMAGE_ENVIRONMENT | environment

    def value(self, variable: dict, component: str) -> str:
        if "value" in variable:
            return variable["value"]
        source = variable["valueFrom"]
        if "secretKeyRef" in source:
            return self.secrets[source["secretKeyRef"]["name"]][source["secretKeyRef"]["key"]]
        assert source == {"fieldRef": {"fieldPath": "metadata.name"}}, source
        return f"{component}-pod"

    def on_this_machine(self, value: str, folders: dict[str, Path], address: str) -> str:
        value = value.replace("0.0.0.0:", f"{address}:")
        for mount, folder in folders.items():
            value = value.replace(f"{mount}/", f"{folder}/")
        return re.sub(r"http://([a-z0-9.-]+):", lambda found: f"http://{self.host(found[1])}:", value)

    def mounted(self, component: str, spec: dict, container: dict) -> dict[str, Path]:
        """The folders of a container's volumes, by mount path."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        return {
            mount["mountPath"]: self.volume(component, volumes[mount["name"]])
            for mount in container.get("volumeMounts", [])
        }

    def volume(self, component: str, volume: dict) -> Path:
        if "persistentVolumeClaim" in volume:
            return self.claim(volume["persistentVolumeClaim"]["claimName"])
        folder = self.folder / component / volume["name"]
        folder.mkdir(parents=True, exist_ok=True)
        if "configMap" in volume:
            content = self.rendered.of("ConfigMap")[volume["configMap"]["name"]]["data"]
        else:
            secret = self.secrets[volume["secret"]["secretName"]]
            content = {item["path"]: secret[item["key"]] for item in volume["secret"]["items"]}
        for name, text in content.items():
            (folder / name).write_text(text)
        return folder

    def claim(self, name: str) -> Path:
        folder = self.folder / "claims" / name
        folder.mkdir(parents=True, exist_ok=True)
        return hand_over(folder)

    def ask(self, service: str, *arguments: str) -> list[dict]:
        """The JSON lines that activityctl prints for a query to a service."""
        command = [*program("activityctl"), *arguments, "--format", "json", "--server", self.pods[service].url()]
        reported = subprocess.run(command, env={}, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
        return [json.loads(line) for line in reported.stdout.splitlines()]
