"""The console is off until it is asked for, has no rights of its own, and is reached only as the values say."""

import pytest
import yaml
from rendered import ROOT, VALUE_SETS, includes, objects, parse, template
from test_access import environment, policy, volumes
from test_documents import blocks
from test_kind import secrets_of
from test_notes import notes
from test_objects import HTTP
from test_secrets import DEFAULTS, install

FORWARDED = ("--set", "console.enabled=true")
WITH_CONSOLE = pytest.mark.parametrize("value_set", ["console", "everything"])
PREFIX = "release-company-activity"


@pytest.mark.parametrize("value_set", [name for name in VALUE_SETS if not includes(name, "console")])
def test_it_is_off_unless_asked_for(value_set):
    rendered = objects(value_set)
    assert "console" not in rendered.pods()
    assert not rendered.of("Ingress") and not rendered.of("HTTPRoute")


@WITH_CONSOLE
def test_it_has_no_rights_of_its_own(value_set):
    """It calls with what its visitors show it, so it has no token, no grant and no warehouse."""
    rendered = objects(value_set)
    pod = rendered.pods()["console"]
    assert not {"access", "token"} & volumes(pod).keys()
    assert not {"TOKEN_FILE", "ACCESS_FILE", "WAREHOUSE_URL"} & environment(pod).keys()
    assert not [one for one in policy(rendered)["grants"] if one.get("identity", "").endswith("-console")]


@WITH_CONSOLE
def test_it_knows_the_provider_whose_people_the_services_know(value_set):
    rendered = objects(value_set)
    pod = rendered.pods()["console"]
    told = environment(pod)
    assert told["OIDC_ISSUER"] in [one["issuer"] for one in policy(rendered)["issuers"]]
    assert told["OIDC_CLIENT_SECRET_FILE"] == "/etc/company-activity/secrets/identity-provider/client-secret"
    assert ("identity-provider", "secret") in set(secrets_of(pod))
    (mount,) = [one["mountPath"] for one in pod["spec"]["containers"][0]["volumeMounts"] if one["name"] == "provider-ca"]
    assert (told["OIDC_CA_FILE"], told["OIDC_ALLOW_PRIVATE"]) == (f"{mount}/ca.crt", "true")
    assert (told["OIDC_SCOPES"], told["OIDC_TOKEN"]) == ("openid offline_access", "access")


@WITH_CONSOLE
def test_the_ways_in_are_for_its_public_host_and_lead_to_its_service(value_set):
    rendered = objects(value_set)
    (ingress,), (route,) = rendered.of("Ingress").values(), rendered.of("HTTPRoute").values()
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    service, port = path["backend"]["service"]["name"], path["backend"]["service"]["port"]["name"]
    (served,) = rendered.of("Service")[service]["spec"]["ports"]
    assert (rule["host"], path["path"], port) == ("console.acme.example", "/", served["name"])
    assert ingress["spec"]["tls"] == [{"hosts": [rule["host"]], "secretName": "console-public-tls"}]
    (forwarded,) = route["spec"]["rules"]
    assert forwarded["backendRefs"] == [{"name": service, "port": served["port"]}]
    assert (route["spec"]["hostnames"], served["port"]) == ([rule["host"]], HTTP)
    assert environment(rendered.pods()["console"])["CONSOLE_PUBLIC_URL"] == f"https://{rule['host']}"


def test_the_host_of_an_ingress_has_no_port():
    more = "console.enabled=true,console.ingress.enabled=true,networkPolicy.enabled=false"
    rendered = parse(template("--set", f"{more},console.publicUrl=https://acme.example:8443"))
    (ingress,) = rendered.of("Ingress").values()
    assert ingress["spec"]["rules"][0]["host"] == "acme.example"
    assert "tls" not in ingress["spec"] and "ingressClassName" not in ingress["spec"]


def test_without_a_provider_people_sign_in_with_a_token_and_it_reaches_no_provider():
    rendered = parse(template(*FORWARDED))
    pod = rendered.pods()["console"]
    assert not [name for name in environment(pod) if name.startswith("OIDC_")]
    assert not volumes(pod)
    ports = {one["port"] for rule in egress(rendered) for one in rule["ports"]}
    assert ports == {53, 50051}


def egress(rendered):
    return rendered.one("NetworkPolicy", "-console")["spec"]["egress"]


def test_a_forwarded_port_needs_nobody_in_the_network():
    """An empty list of peers would let everybody in."""
    rules = parse(template(*FORWARDED)).one("NetworkPolicy", "-console")["spec"]["ingress"]
    assert [one["port"] for rule in rules for one in rule["ports"]] == ["admin"]


def test_it_asks_no_browser_for_a_certificate_and_shows_its_own_to_services():
    pod = objects("everything").pods()["console"]
    told = environment(pod)
    assert {"TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CA_FILE", "TLS_CLIENT_CERT_FILE"} <= told.keys()
    assert not {"TLS_CLIENT_AUTH", "TLS_CLIENT_CA_FILE"} & told.keys()


def test_more_than_one_of_everything_has_one_console():
    assert objects("everything").services()["console"]["spec"]["replicas"] == 1
    assert parse(template(*FORWARDED, "--set", "serviceDefaults.replicas=0")).services()["console"]["spec"]["replicas"] == 0


def test_a_service_that_is_open_has_an_open_console():
    told = environment(parse(template(*FORWARDED, "--set", "auth.enabled=false")).pods()["console"])
    assert told["ALLOW_UNAUTHENTICATED"] == "true" and "TOKEN_OVER_PLAIN_TEXT" not in told


def test_its_secret_is_looked_for_before_anything_is_installed(tmp_path):
    oidc = {"issuer": "https://login.example.com", "clientId": "console", "existingSecret": "identity-provider"}
    issuer = {"name": "people", "issuer": oidc["issuer"], "audiences": ["company-activity"]}
    values = {"console": {"enabled": True, "publicUrl": "https://acme.example", "oidc": oidc}, "auth": {"issuers": [issuer]}}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    refused = install(DEFAULTS, "--values", str(tmp_path / "values.yaml"))
    assert "console.oidc.existingSecret: namespace activity has no Secret identity-provider" in refused.stderr
    there = install(DEFAULTS | {"identity-provider": ["client-secret"]}, "--values", str(tmp_path / "values.yaml"))
    assert there.returncode == 0, there.stderr


def test_notes_say_where_it_is(tmp_path):
    assert "in a browser, at https://console.acme.example\n" in notes(tmp_path, "console")
    (tmp_path / "forwarded").mkdir()
    reported = notes(tmp_path / "forwarded", "default", *FORWARDED)
    assert f"port-forward deployment/{PREFIX}-console 50080:50080" in reported
    assert "in a browser, at http://localhost:50080, of this port:" in reported
    assert "sign in with a token" in reported
    (tmp_path / "off").mkdir()
    assert "browser" not in notes(tmp_path / "off")


def test_the_values_of_its_document_make_a_console_that_people_sign_in_to(tmp_path):
    given = []
    for number, block in enumerate(blocks((ROOT / "docs/console.md").read_text(), "yaml")):
        (tmp_path / f"{number}.yaml").write_text(block)
        given += ["--values", str(tmp_path / f"{number}.yaml")]
    rendered = parse(template(*given))
    told = environment(rendered.pods()["console"])
    (people,) = [one for one in policy(rendered)["issuers"] if one["issuer"] == told["OIDC_ISSUER"]]
    assert people["audiences"] == [told["OIDC_CLIENT_ID"]]
    assert rendered.of("Ingress") and ("console", "client-secret") in set(secrets_of(rendered.pods()["console"]))
