//! How long the fields of requests may be: the one table.
//!
//! A message of a few megabytes can hold millions of entries, and each may cost a query.
//! So every text, list and number of bytes that a caller decides has a bound here, and
//! [`crate::codec`] checks it before a message is even decoded.

/// The longest request, in bytes. Enough for the largest that the table admits.
pub const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;

/// The most days that a request may list: as many as a window may have.
const DAYS: usize = 10_000;

const DAY: Bound = Bound::Text { bytes: 32 };
const RUN_ID: Bound = Bound::Text { bytes: 64 };
const NAME: Bound = Bound::Text { bytes: 512 };
/// 256 characters of at most four bytes.
const COMPANY_ID: Bound = Bound::Text { bytes: 1024 };
/// As long as what the CRM says of a company may be.
const COMPANY_TEXT: Bound = Bound::Text { bytes: 1024 };
/// Holds where a page starts: a company and a day, as base64.
const PAGE_TOKEN: Bound = Bound::Text { bytes: 4 * 1024 };
const WINDOW: Bound = Bound::Message(&DATE_WINDOW);
const COMPANIES: Bound = Bound::Texts { entries: 1_000, bytes: 1024 };
/// A path in object storage, which has 1,024 characters at most.
const PATH: Bound = Bound::Text { bytes: 4 * 1024 };
const ACCEPTED_DAYS: Bound = Bound::Texts { entries: DAYS, bytes: 32 };

/// What a field may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// A text.
    Text { bytes: usize },
    /// A list of texts.
    Texts { entries: usize, bytes: usize },
    /// A list of enumerators.
    Enums { entries: usize },
    /// A message with bounds of its own.
    Message(&'static Bounded),
    /// A list of such messages.
    Messages { entries: usize, of: &'static Bounded },
}

/// A message, and those of its fields whose length a caller decides.
#[derive(Debug)]
pub(crate) struct Bounded {
    pub(crate) package: &'static str,
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
}

/// A field by number and name.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) bound: Bound,
}

const fn field(number: u64, name: &'static str, bound: Bound) -> Field {
    Field { number, name, bound }
}

const ACCESS: &str = "company_activity.access.v1";
const ACTIVITY: &str = "company_activity.activity.v1";
const MONITORING: &str = "company_activity.monitoring.v1";
const NOTIFIER: &str = "company_activity.notifier.v1";
const PIPELINE: &str = "company_activity.pipeline.v1";
const PROVENANCE: &str = "company_activity.provenance.v1";
const QUARANTINE: &str = "company_activity.quarantine.v1";
const RECONCILIATION: &str = "company_activity.reconciliation.v1";
const STAGE: &str = "company_activity.stage.v1";

static DATE_WINDOW: Bounded = Bounded {
    package: STAGE,
    name: "DateWindow",
    fields: &[field(1, "start_date", DAY), field(2, "end_date", DAY)],
};

static QUARANTINE_FILTER: Bounded = Bounded {
    package: QUARANTINE,
    name: "QuarantineFilter",
    fields: &[
        field(1, "origin", PATH),
        field(2, "origin_prefix", PATH),
        field(4, "kind", NAME),
        field(5, "stage", NAME),
        field(6, "days", WINDOW),
    ],
};

const FILTER: Bound = Bound::Message(&QUARANTINE_FILTER);

static ALERT: Bounded = Bounded {
    package: NOTIFIER,
    name: "Alert",
    fields: &[
        field(1, "alert_key", NAME),
        field(2, "pipeline", NAME),
        field(3, "stage", NAME),
        // Generous: an alert that is refused reaches nobody.
        field(4, "error_message", Bound::Text { bytes: 256 * 1024 }),
        field(5, "run_id", RUN_ID),
        field(6, "business_date", DAY),
        field(9, "error_code", NAME),
        field(10, "trace_url", Bound::Text { bytes: 8 * 1024 }),
    ],
};

/// Every request. One that has no such field is listed too.
pub(crate) static REQUESTS: [Bounded; 39] = [
    Bounded { package: ACCESS, name: "GetCallerRequest", fields: &[] },
    Bounded {
        package: ACTIVITY,
        name: "GetCompanyActivityRequest",
        fields: &[field(1, "company_id", COMPANY_ID), field(2, "activity_date", DAY)],
    },
    Bounded {
        package: ACTIVITY,
        name: "ListCompanyActivityRequest",
        fields: &[
            field(1, "company_id", COMPANY_ID),
            field(2, "start_date", DAY),
            field(3, "end_date", DAY),
            field(5, "page_token", PAGE_TOKEN),
            field(6, "as_of_run_id", RUN_ID),
        ],
    },
    Bounded {
        package: ACTIVITY,
        name: "ExportCompanyActivityRequest",
        fields: &[
            field(1, "company_id", COMPANY_ID),
            field(2, "start_date", DAY),
            field(3, "end_date", DAY),
            field(4, "as_of_run_id", RUN_ID),
        ],
    },
    Bounded {
        package: ACTIVITY,
        name: "RollUpCompanyActivityRequest",
        fields: &[field(1, "company_id", COMPANY_ID), field(2, "start_date", DAY), field(3, "end_date", DAY)],
    },
    Bounded {
        package: ACTIVITY,
        name: "ListChurnRisksRequest",
        fields: &[
            field(1, "activity_date", DAY),
            field(3, "page_token", PAGE_TOKEN),
            field(5, "country", COMPANY_TEXT),
            field(6, "industry_tag", COMPANY_TEXT),
        ],
    },
    Bounded {
        package: ACTIVITY,
        name: "SearchCompaniesRequest",
        fields: &[
            field(1, "activity_date", DAY),
            field(2, "text", COMPANY_ID),
            field(3, "country", COMPANY_TEXT),
            field(4, "industry_tag", COMPANY_TEXT),
            field(9, "page_token", PAGE_TOKEN),
        ],
    },
    Bounded { package: ACTIVITY, name: "GetChurnSummaryRequest", fields: &[field(1, "activity_date", DAY)] },
    Bounded {
        package: ACTIVITY,
        name: "ListPublishedDaysRequest",
        fields: &[field(1, "start_date", DAY), field(2, "end_date", DAY)],
    },
    Bounded {
        package: ACTIVITY,
        name: "ListPublicationsRequest",
        fields: &[field(1, "activity_date", DAY), field(3, "page_token", PAGE_TOKEN)],
    },
    Bounded { package: ACTIVITY, name: "GetFreshnessRequest", fields: &[] },
    Bounded { package: MONITORING, name: "GetPipelineStatusRequest", fields: &[field(1, "pipeline", NAME)] },
    Bounded {
        package: MONITORING,
        name: "ListAlertsRequest",
        fields: &[field(2, "page_token", PAGE_TOKEN), field(3, "run_id", RUN_ID)],
    },
    Bounded {
        package: MONITORING,
        name: "ListAuditResultsRequest",
        fields: &[field(1, "run_id", RUN_ID), field(2, "activity_date", DAY)],
    },
    Bounded {
        package: MONITORING,
        name: "ListReconciliationsRequest",
        fields: &[field(2, "page_token", PAGE_TOKEN)],
    },
    Bounded {
        package: NOTIFIER,
        name: "NotifyRequest",
        fields: &[field(1, "alert", Bound::Message(&ALERT))],
    },
    Bounded {
        package: PIPELINE,
        name: "TriggerRunRequest",
        fields: &[
            field(1, "pipeline", NAME),
            field(2, "window", WINDOW),
            field(4, "accept_empty_days", ACCEPTED_DAYS),
            field(6, "rebuild_days", ACCEPTED_DAYS),
        ],
    },
    Bounded { package: PIPELINE, name: "GetRunRequest", fields: &[field(1, "run_id", RUN_ID)] },
    Bounded {
        package: PIPELINE,
        name: "ListRunsRequest",
        // There are six states and four causes; a caller may repeat some.
        fields: &[
            field(2, "page_token", PAGE_TOKEN),
            field(3, "states", Bound::Enums { entries: 16 }),
            field(4, "triggers", Bound::Enums { entries: 16 }),
            field(5, "days", WINDOW),
        ],
    },
    Bounded { package: PIPELINE, name: "WatchRunRequest", fields: &[field(1, "run_id", RUN_ID)] },
    Bounded { package: PIPELINE, name: "CancelRunRequest", fields: &[field(1, "run_id", RUN_ID)] },
    Bounded { package: PIPELINE, name: "RetryRunRequest", fields: &[field(1, "run_id", RUN_ID)] },
    Bounded {
        package: PIPELINE,
        name: "UnpublishDaysRequest",
        fields: &[field(1, "pipeline", NAME), field(2, "window", WINDOW)],
    },
    Bounded {
        package: PIPELINE,
        name: "BackfillRequest",
        fields: &[field(1, "pipeline", NAME), field(2, "window", WINDOW)],
    },
    Bounded {
        package: PIPELINE,
        name: "PreviewBackfillRequest",
        fields: &[field(1, "pipeline", NAME), field(2, "window", WINDOW)],
    },
    Bounded {
        package: PIPELINE,
        name: "ListAuditEntriesRequest",
        fields: &[
            field(2, "page_token", PAGE_TOKEN),
            field(4, "actions", Bound::Texts { entries: 100, bytes: 512 }),
        ],
    },
    Bounded {
        package: PIPELINE,
        name: "ExplainRequest",
        fields: &[field(1, "company_id", COMPANY_ID), field(2, "activity_date", DAY)],
    },
    Bounded {
        package: PIPELINE,
        name: "ReconcileRequest",
        fields: &[
            field(1, "pipeline", NAME),
            field(2, "window", WINDOW),
            field(3, "company_ids", COMPANIES),
            field(5, "sample_seed", NAME),
        ],
    },
    Bounded { package: PROVENANCE, name: "GetDaySourcesRequest", fields: &[field(1, "activity_date", DAY)] },
    Bounded {
        package: PROVENANCE,
        name: "ListCompanyVersionsRequest",
        fields: &[field(1, "company_id", COMPANY_ID), field(3, "page_token", PAGE_TOKEN)],
    },
    Bounded {
        package: RECONCILIATION,
        name: "ReconcileRequest",
        fields: &[
            field(1, "company_ids", COMPANIES),
            field(2, "start_date", DAY),
            field(3, "end_date", DAY),
            field(5, "sample_seed", NAME),
        ],
    },
    Bounded {
        package: RECONCILIATION,
        name: "PreviewRequest",
        // A backfill of single days has as many windows as days.
        fields: &[field(1, "windows", Bound::Messages { entries: DAYS, of: &DATE_WINDOW })],
    },
    Bounded {
        package: RECONCILIATION,
        name: "ExplainRequest",
        fields: &[field(1, "company_id", COMPANY_ID), field(2, "activity_date", DAY)],
    },
    Bounded {
        package: STAGE,
        name: "ExecuteStageRequest",
        fields: &[
            field(1, "run_id", RUN_ID),
            field(2, "pipeline", NAME),
            field(3, "stage", NAME),
            field(4, "window", WINDOW),
            field(7, "accept_empty_days", ACCEPTED_DAYS),
        ],
    },
    Bounded {
        package: QUARANTINE,
        name: "ListQuarantinedRowsRequest",
        // A page begins after a path.
        fields: &[field(1, "filter", FILTER), field(3, "page_token", Bound::Text { bytes: 8 * 1024 })],
    },
    Bounded { package: QUARANTINE, name: "GetQuarantinedRowRequest", fields: &[field(1, "origin", PATH)] },
    Bounded {
        package: QUARANTINE,
        name: "CountQuarantinedRowsRequest",
        fields: &[field(1, "filter", FILTER)],
    },
    Bounded {
        package: QUARANTINE,
        name: "AcceptQuarantinedRowsRequest",
        fields: &[field(1, "filter", FILTER), field(2, "why", Bound::Text { bytes: 2 * 1024 })],
    },
    Bounded {
        package: QUARANTINE,
        name: "ReplayQuarantinedRowsRequest",
        fields: &[field(1, "pipeline", NAME), field(2, "filter", FILTER)],
    },
];

#[cfg(test)]
mod tests;
