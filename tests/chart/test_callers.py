"""Services started as the chart renders them let in whom the values grant something, and nobody else."""

import grpc
import pytest
from expected import PREFIX
from loopback_cluster import LoopbackCluster
from rendered import NAMESPACE, objects
from test_processes import ALICE, CONFIG_MAPS, PEOPLE, secrets

READ = "/company_activity.activity.v1.CompanyActivityService/GetFreshness"
# Without a run it is refused, but not for who asks.
OPERATE = "/company_activity.pipeline.v1.PipelineService/CancelRun"
EXECUTE = "/company_activity.stage.v1.StageService/ExecuteStage"
NOTIFY = "/company_activity.notifier.v1.NotifierService/Notify"
NOBODY, NO_ROLE = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED
WITH_CERTIFICATES = pytest.mark.parametrize("cluster", ["tls"], indirect=True)
SERVICES = {READ: "activity", OPERATE: "coordinator", EXECUTE: "transform", NOTIFY: "notifier"}


@pytest.fixture(scope="module", params=["default", "access", "tls"])
def cluster(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("callers")
    with LoopbackCluster(objects(request.param), folder, secrets(folder), CONFIG_MAPS) as cluster:
        cluster.audience = "activity" if request.param == "access" else f"{PREFIX}.{NAMESPACE}"
        cluster.value_set = request.param
        assert cluster.run("migration").returncode == 0
        for service in SERVICES.values():
            cluster.start(service)
        for pod in cluster.pods.values():
            pod.started()
        yield cluster


def refusal(cluster, method, token=None, tls=None):
    """The code of a refusal, or nothing if the caller was let in, whatever the service then answers."""
    try:
        cluster.pods[SERVICES[method]].call(method, token, tls)
    except grpc.RpcError as error:
        assert error.code() != grpc.StatusCode.UNAVAILABLE, error.details()
        return error.code() if error.code() in (NOBODY, NO_ROLE) else None


def admitted(cluster, token, tls=None):
    return {method for method in SERVICES if refusal(cluster, method, token, tls) is None}


def test_whoever_has_no_token_is_not_let_in(cluster):
    # With TLS the certificate, which nobody has granted anything, is a good credential.
    expected = NO_ROLE if cluster.value_set == "tls" else NOBODY
    assert {refusal(cluster, method) for method in SERVICES} == {expected}


@pytest.mark.parametrize(
    ("account", "methods"),
    [
        ("coordinator", {EXECUTE, NOTIFY}),
        ("trigger", {OPERATE}),
        ("test", {OPERATE}),
        ("test-query", {READ}),
        ("activityctl", {READ, OPERATE}),
        ("transform", set()),
    ],
)
def test_an_account_of_the_release_may_do_what_its_pod_does(account, methods, cluster):
    if (account, cluster.value_set) == ("activityctl", "access"):
        methods = set()
    assert admitted(cluster, cluster.token(f"{PREFIX}-{account}", cluster.audience)) == methods


def test_a_token_of_the_cluster_is_good_for_this_release_alone(cluster):
    account = f"{PREFIX}-test-query"
    for audience in (None, "another-release.activity"):
        assert refusal(cluster, READ, cluster.token(account, audience)) == NOBODY
    assert refusal(cluster, READ, cluster.token(account, cluster.audience, "elsewhere")) == NO_ROLE


def test_others_may_do_what_the_values_grant_them(cluster):
    issued = {"issuer": "https://login.example.com/realms/acme", "subject": "1234", "audience": "company-activity"}
    granted = {
        "a static token": (ALICE, {READ, OPERATE}),
        "an account of another namespace": (cluster.token("notebook", cluster.audience, "reporting"), {READ}),
        "a person in a group": (PEOPLE.token(**issued, groups=["analysts"]), {READ}),
        "a person in another group": (PEOPLE.token(**issued, groups=["cooks"]), set()),
    }
    for name, (token, methods) in granted.items():
        assert admitted(cluster, token) == (methods if cluster.value_set == "access" else set()), name


@WITH_CERTIFICATES
def test_a_certificate_that_is_granted_something_is_enough(cluster):
    assert admitted(cluster, None, cluster.tls("dashboard.acme.example")) == {READ}
    assert admitted(cluster, None, cluster.tls("another.acme.example")) == set()


@WITH_CERTIFICATES
def test_where_certificates_are_required_a_token_is_not_enough(cluster):
    without = grpc.ssl_channel_credentials(cluster.authority.pem().encode())
    with pytest.raises(grpc.RpcError) as refused:
        cluster.pods["activity"].call(READ, cluster.token(f"{PREFIX}-test-query", cluster.audience), without)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_the_log_says_who_was_let_in(cluster):
    token = cluster.token(f"{PREFIX}-trigger", cluster.audience)
    assert refusal(cluster, OPERATE, token) is None
    log = cluster.pods["coordinator"].log.read_text()
    assert f"cluster:system:serviceaccount:{NAMESPACE}:{PREFIX}-trigger" in log
    assert token not in log
