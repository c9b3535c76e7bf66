"""What each value set changes in the default rendering, by behaviour: object, path (see changes.py), new value."""

from access_behaviours import ACCESS_BEHAVIOURS, ANALYSTS, PEOPLE, WITHOUT_TRIGGER, policy
from changes import ADDED, GONE
from expected import (
    AUDITS,
    DEFAULT_SERVICES,
    DEPLOYMENTS,
    DIGEST,
    PIPELINE,
    PODS,
    STORING,
    VOLUME,
    WITH_WAREHOUSE,
    added,
    calls,
    checksum,
    collector,
    endpoints,
    on,
    pods_of,
    replaced,
    rule,
    secret,
)

CHANNELS = ("slack", "teams", "webhook")
FOLDER = "/etc/company-activity/secrets"
EVENTS_PIPELINE = on(["ConfigMap/pipeline"], {"data.pipeline.yaml": PIPELINE}) | on(
    ["Deployment/coordinator"], {"pod.metadata.annotations.checksum/pipeline": checksum(PIPELINE)}
)
EVENTS_ENDPOINT = on(
    ["Deployment/coordinator"],
    {"container.env.STAGE_ENDPOINT": endpoints("ingest-crm", "ingest-api", "ingest-events", "transform")},
)

BEHAVIOURS = ACCESS_BEHAVIOURS | {
    "alerts": {
        "a channel is a mounted Secret that the notifier finds by its file": on(
            ["Deployment/notifier"],
            {
                "container.env.SLACK_WEBHOOK_URL_FILE": f"{FOLDER}/slack/url",
                "container.env.TEAMS_WEBHOOK_URL_FILE": f"{FOLDER}/teams/url",
                "container.env.WEBHOOK_URL_FILE": f"{FOLDER}/webhook/url",
                "container.env.WEBHOOK_SECRET_FILE": f"{FOLDER}/webhook/signing-key",
                "pod.spec.volumes.slack": {"secret": secret("slack-webhook", ("url", "url"))},
                "pod.spec.volumes.teams": {"secret": secret("teams-webhook", ("workflow-url", "url"))},
                "pod.spec.volumes.webhook": {
                    "secret": secret("incident-webhook", ("address", "url"), ("signing-key", "signing-key"))
                },
            }
            | {
                f"container.volumeMounts.{name}": {"mountPath": f"{FOLDER}/{name}", "readOnly": True}
                for name in CHANNELS
            },
        ),
        "the timeout of channels is set on the notifier": on(
            ["Deployment/notifier"], {"container.env.NOTIFY_TIMEOUT": "5s"}
        ),
        "channels may be where they are allowed to be": on(
            ["Deployment/notifier"],
            {
                "container.env.WEBHOOK_ALLOW_PRIVATE": "true",
                "container.env.WEBHOOK_ALLOW_HTTP": "true",
            },
        ),
        "the product API may be where it is allowed to be": on(
            ["Deployment/ingest-api"],
            {
                "container.env.PRODUCT_API_ALLOW_PRIVATE": "false",
                "container.env.PRODUCT_API_ALLOW_HTTP": "true",
            },
        ),
        "the notifier may reach its channels": on(
            ["NetworkPolicy/notifier"], {"spec.egress": added(rule("to", [], 443, 8443))}
        ),
    },
    "azure": {
        "a digest takes precedence over the tag": on(
            PODS, {"container.image": f"ghcr.io/company-activity/company-activity@{DIGEST}"}
        ),
        "every pod has the registry's Secrets": on(PODS, {"pod.spec.imagePullSecrets": [{"name": "registry"}]}),
        "every pod that works on the warehouse reads its URL from the named Secret": on(
            [name for name in PODS if name in [*DEPLOYMENTS, "CronJob/maintenance"] and name != "Deployment/activity"],
            {"container.env.WAREHOUSE_URL.valueFrom.secretKeyRef.name": "activity-writer"},
        ),
        "activity has the reader's URL": on(
            ["Deployment/activity"],
            {
                "container.env.WAREHOUSE_URL.valueFrom.secretKeyRef.name": "activity-reader",
                "container.env.WAREHOUSE_URL.valueFrom.secretKeyRef.key": "reader-url",
            },
        ),
        "the migration has the owner's URL": on(
            ["Job/migration"],
            {
                "container.env.WAREHOUSE_URL.valueFrom.secretKeyRef.name": "activity-owner",
                "container.env.WAREHOUSE_URL.valueFrom.secretKeyRef.key": "owner-url",
            },
        ),
        "pods that reach storage have an identity instead of a connection string": on(
            STORING,
            {
                "container.env.AZURE_STORAGE_ACCOUNT_NAME": "acmeraw",
                "container.env.AZURE_STORAGE_CONNECTION_STRING": GONE,
                "pod.metadata.labels.azure.workload.identity/use": "true",
            },
        )
        | on(
            ["ServiceAccount/ingest-crm", "ServiceAccount/ingest-api", "ServiceAccount/maintenance"],
            {
                "metadata.annotations": {
                    "azure.workload.identity/client-id": "11111111-2222-3333-4444-555555555555"
                }
            },
        ),
        "annotations of a service apply to its own objects": on(
            ["Service/activity", "ServiceAccount/activity"], {"metadata.annotations": {"example.com/team": "growth"}}
        ),
        "annotations of pods apply to every service": on(
            DEPLOYMENTS, {"pod.metadata.annotations.example.com/scan": "true"}
        ),
        "settings for scheduling apply to every service": on(
            DEPLOYMENTS,
            {
                "pod.spec.nodeSelector": {"agentpool": "data"},
                "pod.spec.priorityClassName": "business",
                "pod.spec.tolerations": [
                    {"key": "dedicated", "operator": "Equal", "value": "data", "effect": "NoSchedule"}
                ],
            },
        ),
        "pods with the warehouse reach it only at its addresses and ports": on(
            [f"NetworkPolicy/{name}" for name in WITH_WAREHOUSE],
            {
                "spec.egress": replaced(
                    rule("to", [], 5432), rule("to", [{"ipBlock": {"cidr": "10.20.0.0/24"}}], 5432, 6432)
                )
            },
        ),
        "those who may query replace the release's namespace": on(
            ["NetworkPolicy/activity"],
            {
                "spec.ingress": replaced(
                    rule("from", [pods_of("test-query"), {"podSelector": {}}], "grpc"),
                    rule(
                        "from",
                        [pods_of("test-query"), {"namespaceSelector": {"matchLabels": {"team": "analytics"}}}],
                        "grpc",
                    ),
                )
            },
        ),
        "those who may operate come in addition to the release's own pods": on(
            ["NetworkPolicy/coordinator"],
            {
                "spec.ingress": replaced(
                    rule("from", [pods_of("trigger"), pods_of("test")], "grpc"),
                    rule(
                        "from",
                        [
                            pods_of("trigger"),
                            pods_of("test"),
                            {"namespaceSelector": {"matchLabels": {"team": "data"}}},
                        ],
                        "grpc",
                    ),
                )
            },
        ),
    },
    "console": {
        "the console has everything that a service has, and ways in from outside": on(
            [
                f"{kind}/console"
                for kind in (
                    "Deployment",
                    "HTTPRoute",
                    "Ingress",
                    "NetworkPolicy",
                    "PodDisruptionBudget",
                    "Service",
                    "ServiceAccount",
                )
            ],
            {"": ADDED},
        ),
        "the services that it calls let it in": on(
            ["NetworkPolicy/coordinator"],
            {
                "spec.ingress": replaced(
                    rule("from", [pods_of("trigger"), pods_of("test")], "grpc"),
                    rule("from", [pods_of("trigger"), pods_of("test"), pods_of("console")], "grpc"),
                )
            },
        )
        | on(
            ["NetworkPolicy/activity"],
            {
                "spec.ingress": replaced(
                    rule("from", [pods_of("test-query"), {"podSelector": {}}], "grpc"),
                    rule("from", [pods_of("test-query"), pods_of("console"), {"podSelector": {}}], "grpc"),
                )
            },
        ),
        "the policy knows the people who sign in, and grants the console itself nothing": on(
            ["ConfigMap/access"], {"data.access.yaml": policy(more=PEOPLE, grants=ANALYSTS)}
        ),
        "services read the keys of the provider": on(
            DEPLOYMENTS,
            {"pod.spec.volumes.access.projected.sources": added({"configMap": {"name": "access-keys"}})},
        ),
    },
    "events": {
        "the service of events has everything that a service has": on(
            [
                f"{kind}/ingest-events"
                for kind in ("Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount")
            ],
            {"": ADDED},
        ),
        "the pipeline has the stage of events, and a new checksum restarts the coordinator": EVENTS_PIPELINE,
        "the coordinator calls the service of events": EVENTS_ENDPOINT
        | on(
            ["NetworkPolicy/coordinator"],
            {
                "spec.egress": replaced(
                    calls("ingest-crm", "ingest-api", "transform", "notifier"),
                    calls("ingest-crm", "ingest-api", "ingest-events", "transform", "notifier"),
                )
            },
        ),
        "audits reach the transform, a new checksum restarts it, and a bare off is not false": on(
            ["ConfigMap/audits"], {"data.audits.yaml": f"{AUDITS}\n"}
        )
        | on(["Deployment/transform"], {"pod.metadata.annotations.checksum/audits": checksum(AUDITS)}),
    },
    "external-otlp": {
        "every service sends to a collector outside the cluster, and may reach it": collector(
            "http://otlp.observability.example:4317", {"ipBlock": {"cidr": "203.0.113.0/24"}}
        ),
        "the share of traced queries is set on every service": on(
            DEPLOYMENTS, {"container.env.TRACE_QUERY_RATIO": "0.01"}
        ),
    },
    "folders": {
        "the service of events has everything that remains of a service": on(
            [f"{kind}/ingest-events" for kind in ("Deployment", "Service", "ServiceAccount")], {"": ADDED}
        ),
        "the pipeline has the stage of events, and a new checksum restarts the coordinator": EVENTS_PIPELINE,
        "the coordinator calls the service of events": EVENTS_ENDPOINT,
        "network policies can be disabled": on(
            [
                f"NetworkPolicy/{name}"
                for name in [*WITH_WAREHOUSE, "trigger", "test", "test-query", "default-deny"]
            ],
            {"": GONE},
        ),
        "disruption budgets can be disabled": on(
            [f"PodDisruptionBudget/{name}" for name in DEFAULT_SERVICES], {"": GONE}
        ),
        "topology spread can be disabled": on(DEPLOYMENTS, {"pod.spec.topologySpreadConstraints": GONE}),
        "the trigger can be disabled, together with its account and its grant": on(
            ["CronJob/trigger", "ServiceAccount/trigger"], {"": GONE}
        )
        | on(["ConfigMap/access"], {"data.access.yaml": policy(accounts=WITHOUT_TRIGGER)}),
        "locations are folders of the volume that every pod with files mounts": on(
            ["Deployment/ingest-crm"], {"container.env.CRM_URL": f"file://{VOLUME}/crm/daily/"}
        )
        | on(
            ["Deployment/ingest-crm", "CronJob/maintenance"],
            {"container.env.CRM_ARCHIVE_URL": f"file://{VOLUME}/landing/"},
        )
        | on(
            ["CronJob/maintenance"],
            {
                "container.volumeMounts": [{"name": "storage", "mountPath": VOLUME}],
                "pod.spec.volumes": [{"name": "storage", "persistentVolumeClaim": {"claimName": "sources"}}],
            },
        )
        | on(
            ["Deployment/ingest-api", "CronJob/maintenance"],
            {"container.env.LANDING_URL": f"file://{VOLUME}/landing/"},
        )
        | on(
            ["Deployment/ingest-crm", "Deployment/ingest-api"],
            {
                "container.volumeMounts.storage": {"mountPath": VOLUME},
                "pod.spec.volumes.storage": {"persistentVolumeClaim": {"claimName": "sources"}},
            },
        ),
        "without the Secret of storage no pod has a connection string": on(
            STORING, {"container.env.AZURE_STORAGE_CONNECTION_STRING": GONE}
        ),
        "an API without a token mounts none": on(
            ["Deployment/ingest-api"],
            {
                "container.env.PRODUCT_API_URL": "http://product-api:8080/v1/product-usage",
                "container.env.PRODUCT_API_TOKEN_FILE": GONE,
                "container.volumeMounts.product-api": GONE,
                "pod.spec.volumes.product-api": GONE,
            },
        ),
    },
    "ha": {
        "every service has a second pod, except the read side, which is autoscaled": on(
            [name for name in DEPLOYMENTS if name != "Deployment/activity"], {"spec.replicas": 2}
        )
        | on(["Deployment/activity"], {"spec.replicas": GONE, "container.resources.requests.cpu": "200m"})
        | on(["HorizontalPodAutoscaler/activity"], {"": ADDED}),
        "a stage has a minute to finish, and its pod the time for that": on(
            ["Deployment/ingest-crm", "Deployment/ingest-api", "Deployment/transform"],
            {"container.env.DRAIN_TIMEOUT": "60s", "pod.spec.terminationGracePeriodSeconds": 85},
        ),
        "dashboards are ConfigMaps": on(
            ["ConfigMap/company-activity-dashboard", "ConfigMap/pipeline-health-dashboard"], {"": ADDED}
        ),
    },
    "observability": {
        "every service sends to the collector in the cluster, and may reach it": collector(
            "http://collector.monitoring:4317",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}},
        ),
        "the share of traced queries is set on every service": on(
            DEPLOYMENTS, {"container.env.TRACE_QUERY_RATIO": "1"}
        ),
        "the log level is set on every service": on(DEPLOYMENTS, {"container.env.LOG": "info,coordinator=debug"}),
        "the coordinator links to traces": on(
            ["Deployment/coordinator"],
            {"container.env.TRACE_URL": "http://jaeger.monitoring:16686/trace/{trace_id}"},
        ),
        "the operator gets a monitor and rules, and Grafana its dashboards": on(
            [
                "PodMonitor/",
                "PrometheusRule/",
                "ConfigMap/company-activity-dashboard",
                "ConfigMap/pipeline-health-dashboard",
            ],
            {"": ADDED},
        ),
    },
}
