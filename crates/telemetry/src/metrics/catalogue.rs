//! The metric definitions.

use super::metric::{Kind, Metric};

/// Histogram bounds for calls: from a millisecond to a minute.
const CALL_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Histogram bounds for stages: from a tenth of a second to an hour.
const STAGE_SECONDS: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0];

const STAGE: (&str, &str) = ("stage", "the stage's name, for example `act_copy_crm_csv`");
const RPC: [(&str, &str); 3] = [
    ("rpc.system.name", "`grpc`"),
    ("rpc.method", "`package.Service/Method`"),
    ("rpc.response.status_code", "the gRPC status code's name"),
];
const STAGE_SERVICES: &str = "ingest-crm, ingest-api, ingest-events, transform";

/// How long stage attempts took.
pub const STAGE_DURATION: Metric = Metric {
    name: "company_activity.stage.duration",
    unit: "s",
    description: "How long attempts of stages took.",
    kind: Kind::Histogram(STAGE_SECONDS),
    attributes: &[STAGE, ("outcome", "`succeeded` or `failed`")],
    services: STAGE_SERVICES,
};

/// What stages did with rows.
pub const STAGE_ROWS: Metric = Metric {
    name: "company_activity.stage.rows",
    unit: "{row}",
    description: "Rows of stages that succeeded, by what became of them.",
    kind: Kind::Counter,
    attributes: &[STAGE, ("kind", "`read`, `written`, `unchanged`, `duplicate`, `rejected` or `removed`")],
    services: STAGE_SERVICES,
};

/// Bytes that stages read from their sources.
pub const STAGE_BYTES: Metric = Metric {
    name: "company_activity.stage.read",
    unit: "By",
    description: "Bytes that stages which succeeded took from their sources.",
    kind: Kind::Counter,
    attributes: &[STAGE],
    services: STAGE_SERVICES,
};

/// Runs that ended.
pub const RUNS: Metric = Metric {
    name: "company_activity.runs",
    unit: "{run}",
    description: "Runs that ended.",
    kind: Kind::Counter,
    attributes: &[("outcome", "`succeeded`, `failed` or `cancelled`")],
    services: "coordinator",
};

/// Stages that took much longer than usual for their volume.
pub const SLOW_STAGES: Metric = Metric {
    name: "company_activity.stage.slow",
    unit: "{stage}",
    description: "Stages that took much longer than their recent median for their volume.",
    kind: Kind::Counter,
    attributes: &[STAGE],
    services: "coordinator",
};

/// Runs taken over from a coordinator that went away.
pub const LEASE_TAKEOVERS: Metric = Metric {
    name: "company_activity.lease.takeovers",
    unit: "{run}",
    description: "Runs that were taken up again after a coordinator went away.",
    kind: Kind::Counter,
    attributes: &[],
    services: "coordinator",
};

/// The newest published day.
pub const PUBLISHED_THROUGH: Metric = Metric {
    name: "company_activity.published_through",
    unit: "s",
    description: "The end of the newest published day (UTC), in seconds since 1970.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// How old the published data is.
pub const FRESHNESS_LAG: Metric = Metric {
    name: "company_activity.freshness.lag",
    unit: "s",
    description: "Time since the end of the newest published day (UTC).",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// Days missing in the published range. With `days` in its name it would have to count
/// seconds for Prometheus.
pub const MISSING_DAYS: Metric = Metric {
    name: "company_activity.publication_gaps",
    unit: "{day}",
    description: "Days between the oldest and the newest published one that are not published.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// Changes that wait to be published.
pub const DIRTY_RANGES: Metric = Metric {
    name: "company_activity.dirty_ranges",
    unit: "{range}",
    description: "Changes to published company-days that wait to be published.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// Rows in quarantine.
pub const QUARANTINED_ROWS: Metric = Metric {
    name: "company_activity.quarantined_rows",
    unit: "{row}",
    description: "Rows in quarantine, accepted ones included.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// Rows in quarantine that wait for somebody.
pub const QUARANTINE_OPEN_ROWS: Metric = Metric {
    name: "company_activity.quarantine.open_rows",
    unit: "{row}",
    description: "Rows in quarantine that nobody has accepted.",
    kind: Kind::Gauge,
    attributes: &[
        STAGE,
        (
            "kind",
            "why they were rejected: `company_id`, `field`, `date`, `negative_count`, `malformed`, `superseded` or \
             `unknown`",
        ),
    ],
    services: "coordinator",
};

/// Alerts not yet delivered to anyone.
pub const ALERTS_WAITING: Metric = Metric {
    name: "company_activity.alerts.waiting",
    unit: "{alert}",
    description: "Alerts that wait for delivery.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// How long the oldest alert has waited.
pub const ALERTS_OLDEST_AGE: Metric = Metric {
    name: "company_activity.alerts.oldest_age",
    unit: "s",
    description: "How long the oldest alert has waited for delivery; 0 without one.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "coordinator",
};

/// Alerts sent to people.
pub const ALERT_DELIVERIES: Metric = Metric {
    name: "company_activity.alert.deliveries",
    unit: "{delivery}",
    description: "Deliveries of alerts to a channel.",
    kind: Kind::Counter,
    attributes: &[
        ("channel", "`slack`, `teams` or `webhook`"),
        ("outcome", "`delivered`, `retryable` or `refused`"),
    ],
    services: "notifier",
};

/// Requests to the product API.
pub const HTTP_CLIENT_DURATION: Metric = Metric {
    name: "http.client.request.duration",
    unit: "s",
    description: "How long requests to the product API and to webhooks took.",
    kind: Kind::Histogram(CALL_SECONDS),
    attributes: &[
        ("http.request.method", "`GET` or `POST`"),
        ("http.response.status_code", "the status; absent without an answer"),
        ("peer", "`product-api`, `slack`, `teams` or `webhook`"),
    ],
    services: "ingest-api, notifier",
};

/// Pages answered.
pub const HTTP_SERVER_DURATION: Metric = Metric {
    name: "http.server.request.duration",
    unit: "s",
    description: "How long answering a request for a page took, to the end of its stream.",
    kind: Kind::Histogram(CALL_SECONDS),
    attributes: &[
        ("http.request.method", "`GET`, `HEAD`, `POST` or `_OTHER`"),
        ("http.route", "the page, for example `/runs/{run_id}`; `unknown` for addresses without one"),
        ("http.response.status_code", "the status"),
    ],
    services: "console, standalone",
};

/// gRPC calls answered.
pub const RPC_SERVER_DURATION: Metric = Metric {
    name: "rpc.server.call.duration",
    unit: "s",
    description: "How long answering a gRPC call took, to the end of its stream.",
    kind: Kind::Histogram(CALL_SECONDS),
    attributes: &RPC,
    services: "all",
};

/// gRPC calls made.
pub const RPC_CLIENT_DURATION: Metric = Metric {
    name: "rpc.client.call.duration",
    unit: "s",
    description: "How long a gRPC call to another service took, to the end of its stream.",
    kind: Kind::Histogram(CALL_SECONDS),
    attributes: &RPC,
    services: "coordinator, console, activityctl",
};

/// Connections of callers.
pub const SERVER_CONNECTIONS: Metric = Metric {
    name: "company_activity.server.connections",
    unit: "{connection}",
    description: "Connections of callers that are open.",
    kind: Kind::Gauge,
    attributes: &[("port", "`grpc`, `site` or `admin`")],
    services: "all",
};

/// What limits have kept out or ended.
pub const SERVER_LIMITED: Metric = Metric {
    name: "company_activity.server.limited",
    unit: "{event}",
    description: "Connections and calls that a limit has refused or ended.",
    kind: Kind::Counter,
    attributes: &[
        ("port", "`grpc`, `site` or `admin`"),
        (
            "limit",
            "connections refused: `full`; connections ended: `made_room`, `idle`, `silent`; \
             calls refused: `calls`, `streams`, `stages`, `rate`; calls ended: `unread`",
        ),
    ],
    services: "all",
};

/// Connections to the warehouse. Does not use the name of the semantic conventions: its
/// ending `count` is reserved for histograms in Prometheus.
pub const POOL_CONNECTIONS: Metric = Metric {
    name: "company_activity.warehouse.connections",
    unit: "{connection}",
    description: "Connections to the warehouse.",
    kind: Kind::Gauge,
    attributes: &[("state", "`idle` or `used`")],
    services: "all",
};

/// The most connections allowed.
pub const POOL_MAX: Metric = Metric {
    name: "company_activity.warehouse.connections.max",
    unit: "{connection}",
    description: "Connections to the warehouse that may be open at a time.",
    kind: Kind::Gauge,
    attributes: &[],
    services: "all",
};

/// Spans on their way to the collector.
pub const TELEMETRY_SPANS: Metric = Metric {
    name: "company_activity.telemetry.spans",
    unit: "{span}",
    description: "Spans by what became of them on the way to the collector.",
    kind: Kind::Counter,
    attributes: &[("outcome", "`exported`, `failed` or `dropped`: the queue was full")],
    services: "all",
};

/// Differences between published numbers and the product API.
pub const RECONCILIATION_DIFFERENCES: Metric = Metric {
    name: "company_activity.reconciliation.differences",
    unit: "{difference}",
    description: "Company-days whose published numbers differed from the product API's when a reconciliation \
                  that reports compared them.",
    kind: Kind::Counter,
    attributes: &[(
        "kind",
        "`late_at_source`, `corrected_at_source`, `missing_here`, `extra_here`, `quarantined` or `differs_here`",
    )],
    services: "coordinator",
};

/// All metrics.
pub const CATALOGUE: &[Metric] = &[
    STAGE_DURATION,
    STAGE_ROWS,
    STAGE_BYTES,
    SLOW_STAGES,
    RUNS,
    LEASE_TAKEOVERS,
    PUBLISHED_THROUGH,
    FRESHNESS_LAG,
    MISSING_DAYS,
    DIRTY_RANGES,
    QUARANTINED_ROWS,
    QUARANTINE_OPEN_ROWS,
    ALERTS_WAITING,
    ALERTS_OLDEST_AGE,
    ALERT_DELIVERIES,
    RECONCILIATION_DIFFERENCES,
    HTTP_CLIENT_DURATION,
    HTTP_SERVER_DURATION,
    RPC_SERVER_DURATION,
    RPC_CLIENT_DURATION,
    SERVER_CONNECTIONS,
    SERVER_LIMITED,
    POOL_CONNECTIONS,
    POOL_MAX,
    TELEMETRY_SPANS,
];
