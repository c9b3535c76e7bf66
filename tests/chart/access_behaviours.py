"""What the value sets about access and TLS change in the default rendering; see behaviours.py."""

from changes import ADDED, GONE, REMOVED
from expected import (
    CALLERS,
    DEFAULT_SERVICES,
    DEPLOYMENTS,
    POLICIES,
    PREFIX,
    TESTS,
    added,
    endpoints,
    on,
    replaced,
    rule,
    secret,
)
from rendered import NAMESPACE

TLS = "/etc/company-activity/tls"


# The release's accounts in the policy, in its order, with their roles.
OWN_ACCOUNTS = {
    "coordinator": "stage, alerts",
    "test": "operator",
    "test-query": "reader",
    "trigger": "operator",
    "activityctl": "reader, operator",
}
WITHOUT_PEOPLE = {account: roles for account, roles in OWN_ACCOUNTS.items() if account != "activityctl"}
WITHOUT_TRIGGER = {account: roles for account, roles in OWN_ACCOUNTS.items() if account != "trigger"}


def token(audience):
    return {"serviceAccountToken": {"audience": audience, "path": "token", "expirationSeconds": 3600}}


def certificates(names):
    """The mounted Secrets that cert-manager fills."""
    found = {}
    for name in names:
        read = secret(f"{PREFIX}-{name.split('/')[1]}-tls", *[(key, key) for key in ("tls.crt", "tls.key", "ca.crt")])
        mount = {"mountPath": TLS, "readOnly": True}
        found |= on([name], {"container.volumeMounts.tls": mount, "pod.spec.volumes.tls": {"secret": read}})
    return found


def grant_to(account, roles):
    name = f"cluster:system:serviceaccount:{NAMESPACE}:{PREFIX}-{account}"
    return f"  - identity: {name}\n    roles: [{roles}]\n"


def policy(
    issuer="https://kubernetes.default.svc.cluster.local",
    audience=f"{PREFIX}.{NAMESPACE}",
    more="",
    grants="",
    accounts=OWN_ACCOUNTS,
):
    """The policy with grants for accounts of the release, then further ones."""
    own = "".join(grant_to(account, roles) for account, roles in accounts.items())
    return f"""issuers:
  - name: cluster
    issuer: "{issuer}"
    audiences: ["{audience}"]
    # The discovery document names an address of the API server's host, which pods may not reach.
    jwks_uri: https://kubernetes.default.svc/openid/v1/jwks
    # The API server's Service has a private address in every cluster.
    allow_private: true
    ca_file: cluster/ca.crt
    token_file: cluster/token
{more}grants:
{own}{grants}"""


PEOPLE = """  - audiences:
    - company-activity
    issuer: https://login.example.com/realms/acme
    jwks_file: people.json
    name: people
"""
ANALYSTS = """  - claim: groups
    contains: analysts
    issuer: people
    roles:
    - reader
"""
GRANTED = """  - prefix: 'cluster:system:serviceaccount:reporting:'
    roles:
    - reader
  - claim: groups
    contains: analysts
    issuer: people
    roles:
    - reader
  - identity: token:alice
    roles:
    - reader
    - operator
"""
CERTIFIED = """  - identity: dns:dashboard.acme.example
    roles:
    - reader
"""

ACCESS_BEHAVIOURS = {
    "access": {
        "the policy has the issuer's name and audience, and what else is granted": on(
            ["ConfigMap/access"],
            {"data.access.yaml": policy("https://oidc.example.com/id/1234", "activity", f"{PEOPLE}static_tokens_file: tokens\n", GRANTED, WITHOUT_PEOPLE)},
        ),
        "services read the keys of other issuers and the hashes of tokens beside the policy": on(
            DEPLOYMENTS,
            {
                "pod.spec.volumes.access.projected.sources": added(
                    {"configMap": {"name": "access-keys"}},
                    {"secret": {"name": "access-tokens", "items": [{"key": "hashes", "path": "tokens"}]}},
                )
            },
        ),
        "callers ask for tokens of that audience": on(
            CALLERS,
            {
                "pod.spec.volumes.token.projected.sources": replaced(
                    token(f"{PREFIX}.{NAMESPACE}"), token("activity")
                )
            },
        ),
        "services reach the API server only where it is": on(
            POLICIES,
            {
                "spec.egress": replaced(
                    rule("to", [], 443, 6443), rule("to", [{"ipBlock": {"cidr": "10.40.0.1/32"}}], 8443)
                )
            },
        ),
        "the account for people can be left out": on(["ServiceAccount/activityctl"], {"": GONE}),
    },
    "open": {
        "services let everybody in, and say so": on(
            DEPLOYMENTS, {"container.env.ACCESS_FILE": GONE, "container.env.ALLOW_UNAUTHENTICATED": "true"}
        ),
        "callers have no token": on(
            CALLERS, {"container.env.TOKEN_FILE": GONE, "container.env.TOKEN_OVER_PLAIN_TEXT": GONE}
        ),
        "no pod has a file of the policy, or a token": on(
            ["Deployment/activity", "Deployment/ingest-crm", "Deployment/notifier", "CronJob/trigger", *TESTS],
            {"container.volumeMounts": GONE, "pod.spec.volumes": GONE},
        )
        | on(
            ["Deployment/coordinator", "Deployment/ingest-api", "Deployment/transform"],
            {"container.volumeMounts.access": GONE, "pod.spec.volumes.access": GONE},
        )
        | on(
            ["Deployment/coordinator"], {"container.volumeMounts.token": GONE, "pod.spec.volumes.token": GONE}
        ),
        "there is no policy, and no account for people": on(
            ["ConfigMap/access", "ServiceAccount/activityctl"], {"": GONE}
        ),
        "services do not reach the API server": on(
            POLICIES, {"spec.egress": {ADDED: [], REMOVED: [rule("to", [], 443, 6443)]}}
        ),
    },
    "tls": {
        "every service and every caller gets a certificate": on(
            [f"Certificate/{name}" for name in [*DEFAULT_SERVICES, "trigger", "test", "test-query"]], {"": ADDED}
        ),
        "pods read their certificate and the CA": certificates([*DEPLOYMENTS, "CronJob/trigger", *TESTS]),
        "services serve with it, and ask for those of callers": on(
            DEPLOYMENTS,
            {
                "container.env.TLS_CERT_FILE": f"{TLS}/tls.crt",
                "container.env.TLS_KEY_FILE": f"{TLS}/tls.key",
                "container.env.TLS_CLIENT_CA_FILE": f"{TLS}/ca.crt",
                "container.env.TLS_CLIENT_AUTH": "required",
            },
        ),
        "callers verify services, show theirs, and send no token in the clear": on(
            CALLERS,
            {
                "container.env.TLS_CA_FILE": f"{TLS}/ca.crt",
                "container.env.TLS_CLIENT_CERT_FILE": f"{TLS}/tls.crt",
                "container.env.TLS_CLIENT_KEY_FILE": f"{TLS}/tls.key",
                "container.env.TOKEN_OVER_PLAIN_TEXT": GONE,
            },
        ),
        "callers use addresses with TLS": on(
            ["Deployment/coordinator"],
            {
                "container.env.STAGE_ENDPOINT": endpoints("ingest-crm", "ingest-api", "transform", scheme="https"),
                "container.env.NOTIFIER_URL": f"https://{PREFIX}-notifier:50051",
            },
        )
        | on(
            ["CronJob/trigger", "Pod/test"], {"container.env.ACTIVITY_SERVER": f"https://{PREFIX}-coordinator:50051"}
        )
        | on(["Pod/test-query"], {"container.env.ACTIVITY_SERVER": f"https://{PREFIX}-activity:50051"}),
        "Services say that their port speaks TLS": on(
            [f"Service/{name}" for name in DEFAULT_SERVICES], {"spec.ports.grpc.appProtocol": "https"}
        ),
        "a name in a certificate may be granted a role": on(["ConfigMap/access"], {"data.access.yaml": policy(grants=CERTIFIED)}),
    },
}
