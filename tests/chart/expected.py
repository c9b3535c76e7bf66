"""The words of behaviours.py: names of objects, and what is expected of them."""

import hashlib

from changes import ADDED, REMOVED
from rendered import CHART, RELEASE, SERVICES

PREFIX = f"{RELEASE}-company-activity"
DEFAULT_SERVICES = [row["name"] for row in SERVICES if "optional" not in row]
DEPLOYMENTS = [f"Deployment/{name}" for name in DEFAULT_SERVICES]
POLICIES = [f"NetworkPolicy/{name}" for name in DEFAULT_SERVICES]
TESTS = ["Pod/test", "Pod/test-query"]
CALLERS = ["Deployment/coordinator", "CronJob/trigger", *TESTS]
PODS = [*DEPLOYMENTS, "Job/migration", "CronJob/maintenance", "CronJob/trigger", *TESTS]
STORING = ["Deployment/ingest-crm", "Deployment/ingest-api", "CronJob/maintenance"]
WITH_WAREHOUSE = ["migration", "maintenance", *DEFAULT_SERVICES]
DIGEST = "sha256:" + "0123456789abcdef" * 4
PIPELINE = (CHART / "files/pipelines/with-events.yaml").read_text()
AUDITS = 'source_rows_present: block\nvolume: "off"\nvolume_min_share: 0.7'
VOLUME = "/var/lib/company-activity"


def on(names, changed):
    """The same changes in several objects."""
    return {(name, path): value for name in names for path, value in changed.items()}


def pods_of(component):
    labels = {"name": "company-activity", "instance": "release", "component": component}
    return {"podSelector": {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in labels.items()}}}


def rule(direction, peers, *ports):
    listed = [{"protocol": "TCP", "port": port} for port in ports]
    return {"ports": listed, direction: peers} if peers else {"ports": listed}


def added(*rules):
    return {ADDED: list(rules), REMOVED: []}


def replaced(old, new):
    return {ADDED: [new], REMOVED: [old]}


def secret(name, *items):
    return {"defaultMode": 0o440, "items": [{"key": key, "path": path} for key, path in items], "secretName": name}


def checksum(text):
    return hashlib.sha256(text.encode()).hexdigest()


def endpoints(*services, scheme="http"):
    return ",".join(f"{name}={scheme}://{PREFIX}-{name}:50051" for name in services)


def calls(*components):
    return rule("to", [pods_of(component) for component in components], 50051)


def collector(url, peer):
    sent = on(DEPLOYMENTS, {"container.env.OTEL_EXPORTER_OTLP_ENDPOINT": url})
    return sent | on(POLICIES, {"spec.egress": added(rule("to", [peer], 4317))})
