"""Wrong values are refused with a message that names them, and the schema covers every value."""

import json

import pytest
import yaml
from rendered import CHART, files, helm, template

SCHEMA = json.loads((CHART / "values.schema.json").read_text())

CONSOLE = "console.enabled=true,console.publicUrl=https://acme.example"

# A setting as passed to Helm, and text that the error must contain.
WRONG = {
    "an unknown key": ("imaeg.tag=1", "additional properties 'imaeg' not allowed"),
    "an unknown key inside": ("image.tagg=1", "at '/image': additional properties 'tagg' not allowed"),
    "an unknown service": ("services.reports.replicas=1", "additional properties 'reports' not allowed"),
    "an unknown key of a service": ("services.activity.replica=1", "additional properties 'replica' not allowed"),
    "an unknown audit": ("audits.rows=block", "at '/audits': additional properties 'rows' not allowed"),
    "an unknown key of resources": (
        "serviceDefaults.resources.limit.cpu=1",
        "additional properties 'limit' not allowed",
    ),
    "a secret in the open": (
        "alerts.slack.url=https://hooks.slack.com/x",
        "at '/alerts/slack': additional properties 'url'",
    ),
    "a secret in the environment": ("services.notifier.env.WEBHOOK_SECRET=x", "WEBHOOK_SECRET"),
    "a variable that has a value of its own": ("services.activity.env.LISTEN=x", "LISTEN"),
    "a variable's name in small letters": ("services.activity.env.page=x", "'page' does not match pattern"),
    "a text for a number": (
        "services.activity.replicas=two",
        "at '/services/activity/replicas': got string, want integer",
    ),
    "a text for a switch": ("trigger.enabled=maybe", "at '/trigger/enabled': got string, want boolean"),
    "fewer than no replica": ("services.coordinator.replicas=-1", "at '/services/coordinator/replicas': minimum"),
    "a monitor that is neither": (
        "observability.podMonitor.enabled=perhaps",
        "at '/observability/podMonitor/enabled': value must be one of true, false, 'auto'",
    ),
    "a look at Secrets that is neither": ("checkSecrets=later", "at '/checkSecrets': got string, want boolean"),
    "a share beyond one": ("crm.maxShrinkShare=1.5", "at '/crm/maxShrinkShare': '1.5' does not match pattern"),
    "a level that is none": ("audits.volume=panic", "at '/audits/volume': value must be one of 'block', 'warn', 'off'"),
    "a policy that is none": ("image.pullPolicy=Sometimes", "at '/image/pullPolicy': value must be one of"),
    "a digest that is none": ("image.digest=sha256:12", "at '/image/digest': 'sha256:12' does not match pattern"),
    "storage of another kind": ("landing.url=s3://raw/", "at '/landing/url': 's3://raw/' does not match pattern"),
    "a location with credentials": ("landing.url=az://user:key@raw/", "at '/landing/url'"),
    "an API without a scheme": ("productApi.url=api.example.com", "at '/productApi/url'"),
    "an API with a token in its URL": ("productApi.url=https://me:token@api.example.com/", "at '/productApi/url'"),
    "a collector without a scheme": ("observability.otlpEndpoint=collector:4317", "at '/observability/otlpEndpoint'"),
    "a collector that speaks TLS": (
        "observability.otlpEndpoint=https://collector:4317",
        "at '/observability/otlpEndpoint'",
    ),
    "a link to no trace": ("observability.traceUrl=http://jaeger/", "at '/observability/traceUrl'"),
    "a deadline that is no time of day": ("pipeline.publishDeadline=8h", "at '/pipeline/publishDeadline'"),
    "a start of history that is no day": ("pipeline.historyStart=2026-1-1", "at '/pipeline/historyStart'"),
    "the headings of a CRM that nobody knows": (
        "crm.columnsPreset=excel",
        "at '/crm/columnsPreset': value must be one of",
    ),
    "an encoding that is a sentence": ("crm.encoding=UTF 8", "at '/crm/encoding': 'UTF 8' does not match pattern"),
    "a heading in the environment": ("services.ingest-crm.env.CRM_COLUMNS=x", "CRM_COLUMNS"),
    "a duration without a unit": ("productApi.timeout=30", "at '/productApi/timeout'"),
    "a schedule that is none": ("trigger.schedule=daily", "at '/trigger/schedule': 'daily' does not match pattern"),
    "a deadline too short to start": (
        "trigger.startingDeadlineSeconds=5",
        "at '/trigger/startingDeadlineSeconds': minimum",
    ),
    "months that are none": ("maintenance.keepMonths=-1", "at '/maintenance/keepMonths': minimum"),
    "days of history that are none": ("maintenance.keepHistoryDays=-1", "at '/maintenance/keepHistoryDays': minimum"),
    "half a month": ("maintenance.keepLandedMonths=1.5", "at '/maintenance/keepLandedMonths'"),
    "leftovers of today": ("maintenance.leftoversAfter=12h", "at '/maintenance/leftoversAfter': '12h' does not match"),
    "an unknown key of maintenance": ("maintenance.keepDays=3", "additional properties 'keepDays' not allowed"),
    "a Secret that cannot be one": ("warehouse.existingSecret=The Warehouse", "at '/warehouse/existingSecret'"),
    "no Secret for the warehouse": ("warehouse.existingSecret=", "at '/warehouse/existingSecret'"),
    "an identity without its id": (
        "storage.azure.workloadIdentity.enabled=true",
        "/storage/azure/workloadIdentity/clientId'",
    ),
    "a port that is none": ("networkPolicy.warehouse.ports[0]=70000", "at '/networkPolicy/warehouse/ports/0': maximum"),
    "a peer that is nobody": ("networkPolicy.queryFrom[0].pods=x", "additional properties 'pods' not allowed"),
    "memory in no unit": (
        "serviceDefaults.resources.limits.memory=lots",
        "at '/serviceDefaults/resources/limits/memory'",
    ),
    "fewer at most than at least": (
        "autoscaling.maxReplicas=1",
        "autoscaling.minReplicas is more than autoscaling.maxReplicas",
    ),
    "a folder without a volume": (
        "landing.url=file:///var/lib/company-activity/l/",
        "set storage.volume.existingClaim",
    ),
    "a key for no webhook": ("alerts.webhook.signingKeyKey=k", "alerts.webhook.existingSecret, which is not set"),
    "two monitors of the same pods": (
        "observability.podMonitor.enabled=true,observability.serviceMonitor.enabled=true",
        "would scrape every pod twice",
    ),
    "TLS without a certificate": ("tls.enabled=true", "at '/tls': additional properties 'enabled' not allowed"),
    "two sources of certificates": (
        "tls.certManager.enabled=true,tls.existingSecret=services-tls",
        "tls.certManager and tls.existingSecret are two sources of certificates",
    ),
    "certificates of nobody": ("tls.certManager.enabled=true", "set tls.certManager.issuerRef.name"),
    "certificates of callers without TLS": ("tls.clientCertificates=required", "tls.clientCertificates needs TLS"),
    "certificates of callers at times": ("tls.clientCertificates=maybe", "at '/tls/clientCertificates': value must be"),
    "a role that is none": (
        "auth.grants[0].identity=token:alice,auth.grants[0].roles={admin}",
        "at '/auth/grants/0/roles/0': value must be one of 'reader', 'operator', 'stage', 'alerts'",
    ),
    "a grant for nobody": ("auth.grants[0].roles={reader}", "at '/auth/grants/0': 'oneOf' failed, none matched"),
    "a prefix of half a name": (
        "auth.grants[0].prefix=token:al,auth.grants[0].roles={reader}",
        "at '/auth/grants/0/prefix': 'token:al' does not match pattern",
    ),
    "an issuer for any audience": (
        "auth.issuers[0].name=people,auth.issuers[0].issuer=https://login.example.com",
        "at '/auth/issuers/0': missing property 'audiences'",
    ),
    "an issuer with the cluster's name": (
        "auth.issuers[0].name=cluster,auth.issuers[0].issuer=x,auth.issuers[0].audiences={x}",
        "at '/auth/issuers/0/name': 'not' failed",
    ),
    "keys that anybody on the way could replace": (
        "auth.issuers[0].name=a,auth.issuers[0].issuer=x,auth.issuers[0].audiences={x},auth.issuers[0].jwks_uri=http://x/",
        "at '/auth/issuers/0/jwks_uri': 'http://x/' does not match pattern",
    ),
    "a token for another issuer": ("auth.issuers[0].token_file=cluster/token", "additional properties 'token_file'"),
    "a policy in the environment": ("services.activity.env.ACCESS_FILE=x", "ACCESS_FILE"),
    "a console below a path": (
        "console.publicUrl=https://acme.example/console",
        "at '/console/publicUrl': 'https://acme.example/console' does not match pattern",
    ),
    "a console that browsers reach in the clear": ("console.publicUrl=http://acme.example", "at '/console/publicUrl'"),
    "two consoles, each with half of the sessions": (
        f"{CONSOLE},services.console.replicas=2",
        "services.console.replicas: sessions are in the memory of one pod",
    ),
    "a provider that does not know the console": (
        f"{CONSOLE},console.oidc.issuer=https://login.example.com",
        "set console.oidc.clientId",
    ),
    "a provider whose people the services refuse": (
        f"{CONSOLE},console.oidc.issuer=https://login.example.com,console.oidc.clientId=console",
        "console.oidc.issuer is none of auth.issuers",
    ),
    "a token that is no credential": ("console.oidc.token=refresh", "at '/console/oidc/token': value must be one of"),
    "an Ingress to a pod that lets nobody in": (
        f"{CONSOLE},console.ingress.enabled=true",
        "name the controller's pods in networkPolicy.browseFrom",
    ),
    "an Ingress without an address": ("console.enabled=true,console.ingress.enabled=true", "set console.publicUrl"),
    "a route of no Gateway": (
        f"{CONSOLE},console.httpRoute.enabled=true,networkPolicy.browseFrom[0].podSelector.matchLabels.a=b",
        "set console.httpRoute.parentRefs",
    ),
    "a client's secret in the environment": ("services.console.env.OIDC_CLIENT_SECRET_FILE=x", "OIDC_CLIENT_SECRET_FILE"),
    "storage that nobody can reach": ("storage.azure.existingSecret=", "set storage.azure.accountName"),
}


@pytest.mark.parametrize(("setting", "message"), WRONG.values(), ids=WRONG.keys())
def test_it_is_refused(setting, message):
    reported = helm("template", "release", CHART, "--kube-version", "1.30.0", "--set", setting)
    assert reported.returncode != 0
    assert message in reported.stderr, reported.stderr


def test_a_folder_outside_of_the_volume_is_refused():
    reported = helm(
        "template", "release", CHART, "--kube-version", "1.30.0", *files("folders"), "--set", "crm.url=file:///crm/"
    )
    assert reported.returncode != 0
    assert "crm.url must be below the volume: file:///var/lib/company-activity/" in reported.stderr


def test_a_share_may_be_set_on_the_command_line():
    assert '"0.25"' in template("--set", "crm.maxShrinkShare=0.25")


def test_the_release_may_be_part_of_another_chart():
    reported = helm("template", "release", CHART, "--kube-version", "1.30.0", "--set", "global.region=eu")
    assert reported.returncode == 0, reported.stderr


# Open on purpose: what Kubernetes defines, and what Helm passes to subcharts.
OPEN = {"/global", "/$defs/affinity/nodeAffinity", "/$defs/affinity/podAffinity", "/$defs/affinity/podAntiAffinity"}


def test_no_object_of_the_schema_takes_unknown_keys():
    opened = [path for path, part in parts(SCHEMA) if part.get("type") == "object" and is_open(part)]
    assert set(opened) == OPEN


def is_open(part):
    return part.get("additionalProperties", True) is True


def parts(schema, path=""):
    """Every schema inside a schema, by path."""
    if "type" in schema or "properties" in schema:
        yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts(part, f"{path}/{name}")
    for name, part in schema.get("$defs", {}).items():
        yield from parts(part, f"{path}/$defs/{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from parts(schema[key], f"{path}/{key}")


def test_the_schema_covers_exactly_the_existing_values():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    # The keys of a service are those of serviceDefaults, which are compared; audits list
    # only overrides.
    skipped = ("/services/", "/audits/", "/global")
    reported = {path for path, part in parts(resolved(SCHEMA)) if not path.startswith(("/$defs", *skipped)) and path}
    missing = [
        path for path in leaves(values) if not any(path == known or path.startswith(f"{known}/") for known in reported)
    ]
    assert missing == []
    absent = [
        path
        for path in reported
        if "items" not in path and "additionalProperties" not in path and value(values, path) is None
    ]
    affinities = ["/serviceDefaults/affinity/" + kind for kind in ("nodeAffinity", "podAffinity", "podAntiAffinity")]
    resources = [
        f"{owner}/resources/{kind}/{what}"
        for owner in ("/serviceDefaults", "/trigger", "/reconciliation", "/maintenance")
        for kind, what in [("limits", "cpu"), ("limits", "ephemeral-storage"), ("requests", "ephemeral-storage")]
    ]
    assert sorted(absent) == sorted(affinities + resources)


def resolved(schema):
    """The schema with its references replaced by definitions."""

    def resolve(part):
        if isinstance(part, dict):
            if "$ref" in part:
                return resolve(SCHEMA["$defs"][part["$ref"].removeprefix("#/$defs/")])
            return {key: resolve(inner) for key, inner in part.items()}
        return [resolve(inner) for inner in part] if isinstance(part, list) else part

    return resolve(schema)


def leaves(values, path=""):
    if isinstance(values, dict) and values:
        for key, inner in values.items():
            yield from leaves(inner, f"{path}/{key}")
    else:
        yield path


def value(values, path):
    for key in path.strip("/").split("/"):
        values = values.get(key) if isinstance(values, dict) else None
    return values
