"""The rendered policy, tokens and certificates fit each other and the pods that read them."""

import pytest
import yaml
from rendered import NAMESPACE, VALUE_SETS, containers, objects, parse, template
from test_objects import EVERY_SET, SITES

WITH_AUTH = pytest.mark.parametrize("value_set", [name for name in VALUE_SETS if name != "open"])
WITH_TLS = pytest.mark.parametrize("value_set", ["tls", "everything"])
SECRET = ("--set", "tls.existingSecret=services-tls")
CLIENTS = {"coordinator", "trigger", "reconciliation", "test", "test-query"}


def policy(rendered):
    return yaml.safe_load(rendered.one("ConfigMap", "-access")["data"]["access.yaml"])


def volumes(pod):
    return {one["name"]: one for one in pod["spec"].get("volumes", [])}


def environment(pod):
    return {one["name"]: one.get("value") for container in containers(pod) for one in container["env"]}


def account(name):
    return f"cluster:system:serviceaccount:{NAMESPACE}:{name}"


@WITH_AUTH
def test_the_policy_grants_roles_to_accounts_that_exist(value_set):
    rendered = objects(value_set)
    accounts = rendered.of("ServiceAccount")
    roles = {one["identity"]: set(one["roles"]) for one in policy(rendered)["grants"] if "identity" in one}
    own = {name: roles[account(name)] for name in accounts if account(name) in roles}
    assert {one for one in roles if one.startswith("cluster:")} == {account(name) for name in own}
    expected = {"coordinator": {"stage", "alerts"}, "test": {"operator"}, "test-query": {"reader"}}
    expected |= {"trigger": {"operator"}, "reconciliation": {"operator"}, "activityctl": {"reader", "operator"}}
    for name, granted in own.items():
        component = accounts[name]["metadata"]["labels"]["app.kubernetes.io/component"]
        assert granted == expected.pop(component)
    assert expected.keys() <= {"trigger", "reconciliation", "activityctl"}


@WITH_AUTH
def test_tokens_are_for_the_audience_of_the_policy_and_short_lived(value_set):
    rendered = objects(value_set)
    (issuer,) = [one for one in policy(rendered)["issuers"] if one["name"] == "cluster"]
    for component, pod in rendered.pods().items():
        assert ("token" in volumes(pod)) == (component in CLIENTS), component
        if component in CLIENTS:
            (source,) = volumes(pod)["token"]["projected"]["sources"]
            token = source["serviceAccountToken"]
            assert [token["audience"]] == issuer["audiences"]
            assert token["expirationSeconds"] == 3600


@WITH_AUTH
def test_services_find_all_files_that_the_policy_names(value_set):
    rendered = objects(value_set)
    there = policy(rendered)
    for name, deployment in rendered.services().items():
        if name in SITES:
            continue
        pod = deployment["spec"]["template"]
        assert environment(pod)["ACCESS_FILE"] == "/etc/company-activity/access/access.yaml"
        sources = volumes(pod)["access"]["projected"]["sources"]
        paths = {item["path"] for one in sources for kind in one.values() for item in kind.get("items", [])}
        paths |= {one["serviceAccountToken"]["path"] for one in sources if "serviceAccountToken" in one}
        assert paths >= {"access.yaml", *[there["issuers"][0][key] for key in ("ca_file", "token_file")]}
        assert ("static_tokens_file" in there) == ("tokens" in paths)
        # The token for the API server has no audience of this release.
        (token,) = [one["serviceAccountToken"] for one in sources if "serviceAccountToken" in one]
        assert "audience" not in token


@EVERY_SET
def test_a_service_asks_who_calls_or_says_that_it_does_not(value_set):
    for name, deployment in objects(value_set).services().items():
        variables = environment(deployment["spec"]["template"])
        # A site asks the services what its visitors may do.
        assert ("ACCESS_FILE" in variables) == (value_set != "open" and name not in SITES)
        assert variables.get("ALLOW_UNAUTHENTICATED") == ("true" if value_set == "open" else None)


@EVERY_SET
def test_a_token_travels_in_the_clear_only_without_tls(value_set):
    for pod in objects(value_set).pods().values():
        variables = environment(pod)
        if "TOKEN_FILE" in variables:
            assert ("TOKEN_OVER_PLAIN_TEXT" in variables) == ("TLS_CA_FILE" not in variables)


def test_two_releases_have_two_audiences():
    (first,), (second,) = [policy(parse(template(*more)))["issuers"] for more in ([], ["--set", "nameOverride=other"])]
    assert first["audiences"] != second["audiences"]


@WITH_TLS
def test_a_certificate_has_the_names_of_its_service(value_set):
    rendered = objects(value_set)
    certificates = rendered.of("Certificate")
    assert set(rendered.of("Service")) <= set(certificates)
    for name, one in certificates.items():
        names = [name, f"{name}.{NAMESPACE}", f"{name}.{NAMESPACE}.svc", f"{name}.{NAMESPACE}.svc.acme.local"]
        assert one["spec"]["dnsNames"] == names
        usages = set(one["spec"]["usages"])
        component = one["metadata"]["labels"]["app.kubernetes.io/component"]
        assert ("server auth" in usages) == (name in rendered.of("Service"))
        assert ("client auth" in usages) == (component in CLIENTS | SITES)


@WITH_TLS
def test_a_pod_reads_the_certificate_that_is_issued_for_it(value_set):
    rendered = objects(value_set)
    issued = {
        one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["secretName"]
        for one in rendered.of("Certificate").values()
    }
    read = {
        component: volumes(pod)["tls"]["secret"]["secretName"]
        for component, pod in rendered.pods().items()
        if "tls" in volumes(pod)
    }
    assert read == issued


def test_whoever_shows_no_certificate_reads_only_the_ca():
    rendered = parse(template("--set", "tls.certManager.enabled=true,tls.certManager.issuerRef.name=ca"))
    read = {
        component: (secret["secretName"].removeprefix("release-company-activity-"), [one["key"] for one in secret["items"]])
        for component, pod in rendered.pods().items()
        for secret in [volumes(pod).get("tls", {}).get("secret")]
        if secret
    }
    services = set(rendered.services())
    assert {name: keys for name, (_, keys) in read.items() if name in services - {"coordinator"}} == {
        name: ["tls.crt", "tls.key"] for name in services - {"coordinator"}
    }
    assert read["coordinator"] == ("coordinator-tls", ["tls.crt", "tls.key", "ca.crt"])
    assert read["trigger"] == read["test"] == ("coordinator-tls", ["ca.crt"])
    assert read["test-query"] == ("activity-tls", ["ca.crt"])
    assert len(rendered.of("Certificate")) == len(services)


def test_a_secret_may_hold_the_certificate_of_all_services():
    rendered = parse(template(*SECRET))
    assert not rendered.of("Certificate")
    read = {volumes(pod)["tls"]["secret"]["secretName"] for pod in rendered.pods().values() if "tls" in volumes(pod)}
    assert read == {"services-tls"}


@EVERY_SET
def test_a_port_says_what_it_speaks(value_set):
    rendered = objects(value_set)
    secured = "TLS_CERT_FILE" in environment(rendered.pods()["activity"])
    protocols = {port["name"]: port["appProtocol"] for one in rendered.of("Service").values() for port in one["spec"]["ports"]}
    plain = {"grpc": "kubernetes.io/h2c", "http": "http"}
    assert protocols == {name: "https" if secured else plain[name] for name in protocols}
    for pod in rendered.pods().values():
        for value in environment(pod).values():
            assert ("http://release" in (value or "")) <= (not secured)
