"""Pods as processes on this machine, with exactly the rendered commands and environments.

Only what a cluster provides is replaced: each pod has its own loopback address, so ports stay the same; names of
Services become addresses; images are the binaries of this work tree, or an image's root file system (programs.py);
volumes are folders; Secrets and ConfigMaps of others hold what a test puts into them; tokens and certificates come from
credentials.py.
"""

import http.client
import json
import random
import re
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import monotonic

import grpc
import yaml
from credentials import API_SERVER, ApiServer, CertificateAuthority, TokenIssuer
from programs import IMAGE_ENVIRONMENT, IN_IMAGE, hand_over, program
from rendered import NAMESPACE, Objects, containers

# Far longer than needed: the machine may be busy with other tests.
PATIENCE_SECONDS = 120
SERVING = b"\x08\x01"


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
    # What its callers need for a connection; none without TLS.
    tls: grpc.ChannelCredentials | None

    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port('grpc')}"

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

    def serves(self) -> bool:
        """Whether its gRPC health service says that it serves, or its site answers whoever has not signed in."""
        ports = [port["name"] for port in self.container["ports"]]
        if "http" in ports:
            connection = self.connect(f"{self.address}:{self.port('http')}")
            connection.request("GET", "/sign-in")
            return connection.getresponse().status == 200
        return self.call("/grpc.health.v1.Health/Check") == SERVING

    def connect(self, target: str) -> http.client.HTTPConnection:
        if not self.tls:
            return http.client.HTTPConnection(target, timeout=PATIENCE_SECONDS)
        # Its certificate is for the name of its Service.
        unverified = ssl._create_unverified_context()
        return http.client.HTTPSConnection(target, timeout=PATIENCE_SECONDS, context=unverified)

    def call(self, method: str, token: str | None = None, tls: grpc.ChannelCredentials | None = None) -> bytes:
        """The answer to an empty message; with the credentials of the cluster's own callers unless others are given."""
        tls, target = tls or self.tls, f"{self.address}:{self.port('grpc')}"
        metadata = [("authorization", f"Bearer {token}")] if token else []
        with grpc.secure_channel(target, tls) if tls else grpc.insecure_channel(target) as channel:
            return channel.unary_unary(method)(b"", metadata=metadata, timeout=PATIENCE_SECONDS)

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

    def __init__(
        self,
        rendered: Objects,
        folder: Path,
        secrets: dict[str, dict[str, str]],
        config_maps: dict[str, dict[str, str]] | None = None,
    ):
        self.rendered = rendered
        self.folder = hand_over(folder)
        self.issuer, self.authority = TokenIssuer(), CertificateAuthority()
        self.secrets = dict(secrets)
        self.config_maps = {name: one["data"] for name, one in rendered.of("ConfigMap").items()}
        self.config_maps |= {"kube-root-ca.crt": {"ca.crt": self.authority.pem()}} | (config_maps or {})
        self.addresses = Addresses()
        self.hosts = {name: self.addresses.next() for name in rendered.of("Service")}
        self.pods: dict[str, Pod] = {}
        self.secrets |= {one["spec"]["secretName"]: self.issued(one) for one in rendered.of("Certificate").values()}
        self.api_server = ApiServer(self.addresses.next(), self.issuer, self.authority, folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.api_server.stop()
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
        secured = any(variable["name"] == "TLS_CERT_FILE" for variable in container["env"])
        self.pods[service] = Pod(service, spec, address, process, log, self.tls() if secured else None)
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
        return re.sub(r"(https?)://([a-z0-9.-]+):", lambda found: f"{found[1]}://{self.host(found[2])}:", value)

    def mounted(self, component: str, spec: dict, container: dict) -> dict[str, Path]:
        """The folders of a container's volumes, by mount path."""
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        return {
            mount["mountPath"]: self.volume(component, volumes[mount["name"]], spec["serviceAccountName"])
            for mount in container.get("volumeMounts", [])
        }

    def volume(self, component: str, volume: dict, account: str) -> Path:
        if "persistentVolumeClaim" in volume:
            return self.claim(volume["persistentVolumeClaim"]["claimName"])
        folder = self.folder / component / volume["name"]
        for source in volume.get("projected", {}).get("sources", [volume]):
            for path, text in self.content(source, account).items():
                file = folder / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text.replace("https://kubernetes.default.svc/", f"{self.api_server.url}/"))
        return folder

    def content(self, source: dict, account: str) -> dict[str, str]:
        """The files of a volume, or of one source of a projected one."""
        ((kind, settings),) = [(kind, value) for kind, value in source.items() if kind != "name"]
        if kind == "serviceAccountToken":
            return {settings["path"]: self.token(account, settings.get("audience"))}
        kept = self.config_maps if kind == "configMap" else self.secrets
        content = kept[settings.get("secretName") or settings["name"]]
        items = settings.get("items") or [{"key": key, "path": key} for key in content]
        return {item["path"]: content[item["key"]] for item in items}

    def token(self, account: str, audience: str | None, namespace: str = NAMESPACE) -> str:
        """A token of a service account, as the cluster issues it; without an audience it is for the API server."""
        policy = yaml.safe_load(self.rendered.one("ConfigMap", "-access")["data"]["access.yaml"])
        (issuer,) = [one["issuer"] for one in policy["issuers"] if one["name"] == "cluster"]
        subject = f"system:serviceaccount:{namespace}:{account}"
        token = self.issuer.token(issuer, subject, audience or API_SERVER)
        if audience is None:
            self.api_server.known.add(token)
        return token

    def issued(self, certificate: dict) -> dict[str, str]:
        """The Secret that cert-manager fills, with the address of the Service among the names."""
        name = certificate["metadata"]["name"]
        pair = self.authority.issue(certificate["spec"]["dnsNames"], [self.hosts[name]] if name in self.hosts else [])
        return {"tls.crt": pair[0], "tls.key": pair[1], "ca.crt": self.authority.pem()}

    def tls(self, *names: str) -> grpc.ChannelCredentials:
        """A client's side of TLS, with a certificate that has these names, or just one of the right CA."""
        certificate, key = self.authority.issue(list(names) or ["caller.example"], [])
        return grpc.ssl_channel_credentials(self.authority.pem().encode(), key.encode(), certificate.encode())

    def claim(self, name: str) -> Path:
        folder = self.folder / "claims" / name
        folder.mkdir(parents=True, exist_ok=True)
        return hand_over(folder)

    def ask(self, service: str, *arguments: str) -> list[dict]:
        """The JSON lines that activityctl prints for a query to a service."""
        reported = self.by_hand(service, *arguments, "--format", "json")
        assert reported.returncode == 0, reported.stderr
        return [json.loads(line) for line in reported.stdout.splitlines()]

    def by_hand(self, service: str, *arguments: str) -> subprocess.CompletedProcess:
        """Runs activityctl as the notes advise: with a token of the account for people."""
        environment = {"ACTIVITY_SERVER": self.pods[service].url()}
        (account,) = [name for name in self.rendered.of("ServiceAccount") if name.endswith("-activityctl")]
        policy = yaml.safe_load(self.rendered.one("ConfigMap", "-access")["data"]["access.yaml"])
        content = {"TOKEN_FILE": self.token(account, policy["issuers"][0]["audiences"][0])}
        if self.pods[service].tls:
            certificate, key = self.authority.issue(["person.example"], [])
            content |= {"TLS_CA_FILE": self.authority.pem()}
            content |= {"TLS_CLIENT_CERT_FILE": certificate, "TLS_CLIENT_KEY_FILE": key}
        for name, text in content.items():
            (self.folder / f"person.{name}").write_text(text)
            environment[name] = str(self.folder / f"person.{name}")
        command = [*program("activityctl"), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
