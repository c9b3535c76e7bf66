"""An installation without its Secrets is refused at once, and the message names them."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rendered import CHART, NAMESPACE, RELEASE, files, helm, objects
from test_kind import secrets_of

DEFAULTS = {
    "company-activity-warehouse": ["url"],
    "company-activity-product-api": ["token"],
    "company-activity-storage": ["connection-string"],
}


@contextmanager
def api_server(secrets):
    """The part of an API server that templates query: the list of resources, and the Secrets of one namespace."""
    resource = {"name": "secrets", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}
    items = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {key: base64.b64encode(b"secret").decode() for key in keys},
        }
        for name, keys in secrets.items()
    ]
    answers = {
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [resource]},
        f"/api/v1/namespaces/{NAMESPACE}/secrets": {"apiVersion": "v1", "kind": "SecretList", "items": items},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = answers.get(self.path.split("?")[0])
            unknown = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            body = json.dumps(answer or unknown).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def install(secrets, *arguments):
    """The result of rendering the chart for a cluster with these Secrets."""
    with api_server(secrets) as url:
        where = ["--namespace", NAMESPACE, "--kube-version", "1.30.0", "--kube-apiserver", url]
        return helm("template", RELEASE, CHART, "--dry-run=server", *where, *arguments)


def test_an_installation_with_all_secrets_is_rendered():
    reported = install(DEFAULTS)
    assert reported.returncode == 0, reported.stderr


def test_every_missing_secret_is_named_with_its_value_and_key():
    reported = install({})
    assert reported.returncode != 0
    for value, secret, key in [
        ("warehouse.existingSecret", "company-activity-warehouse", "url"),
        ("productApi.existingSecret", "company-activity-product-api", "token"),
        ("storage.azure.connectionStringKey", "company-activity-storage", "connection-string"),
    ]:
        assert f"{value}: namespace {NAMESPACE} has no Secret {secret} (key {key})" in reported.stderr, reported.stderr
    assert "set checkSecrets to false" in reported.stderr


def test_a_missing_key_is_named_with_the_existing_ones():
    reported = install(DEFAULTS | {"company-activity-warehouse": ["password", "URL"]})
    assert reported.returncode != 0
    assert "Secret company-activity-warehouse has no key url, only URL, password" in reported.stderr, reported.stderr


def test_no_secret_is_printed():
    reported = install(DEFAULTS | {"company-activity-warehouse": []})
    assert "has no key url, only none" in reported.stderr
    assert base64.b64encode(b"secret").decode() not in reported.stderr + reported.stdout


def test_the_check_may_be_disabled():
    reported = install({}, "--set", "checkSecrets=false")
    assert reported.returncode == 0, reported.stderr


def test_without_a_cluster_nothing_is_checked():
    reported = helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", "1.30.0")
    assert reported.returncode == 0, reported.stderr


def test_every_secret_that_a_pod_reads_is_checked():
    for value_set in ("default", "access", "alerts", "azure", "events", "folders", "everything"):
        read = {reference for pod in objects(value_set).pods().values() for reference in secrets_of(pod)}
        # cert-manager fills these after the installation.
        issued = {one["spec"]["secretName"] for one in objects(value_set).of("Certificate").values()}
        read = {(name, key) for name, key in read if name not in issued}
        keys = {}
        for name, key in read:
            keys.setdefault(name, []).append(key)
        assert install(keys, *files(value_set)).returncode == 0, value_set
        for name, key in sorted(read):
            without = {other: [one for one in all_ if (other, one) != (name, key)] for other, all_ in keys.items()}
            reported = install(without, *files(value_set))
            assert reported.returncode != 0 and f"Secret {name} has no key {key}" in reported.stderr, (value_set, name, key)


def test_the_secret_of_a_certificate_is_checked_too():
    reported = install(DEFAULTS | {"services-tls": ["tls.crt", "tls.key"]}, "--set", "tls.existingSecret=services-tls")
    assert reported.returncode != 0
    assert "tls.existingSecret: Secret services-tls has no key ca.crt, only tls.crt, tls.key" in reported.stderr
