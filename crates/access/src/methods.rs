//! Which role opens which method: the one table.

use crate::role::Role;

/// Whom a method admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Everybody, also without a credential.
    Everybody,
    /// Every caller with a good credential, whatever it is granted.
    AnyCaller,
    /// Callers that hold one of these roles.
    Roles(&'static [Role]),
}

const READER: Admission = Admission::Roles(&[Role::Reader]);
const OPERATOR: Admission = Admission::Roles(&[Role::Operator]);
/// Whoever may query may see how the numbers came about; whoever runs the pipeline must.
const ANY_PERSON: Admission = Admission::Roles(&[Role::Reader, Role::Operator]);
const STAGE: Admission = Admission::Roles(&[Role::Stage]);
const ALERTS: Admission = Admission::Roles(&[Role::Alerts]);

/// Each method is listed, so that nobody adds one without deciding who may call it.
const METHODS: &[(&str, Admission)] = &[
    ("company_activity.activity.v1.CompanyActivityService/GetCompanyActivity", READER),
    ("company_activity.activity.v1.CompanyActivityService/ListCompanyActivity", READER),
    ("company_activity.activity.v1.CompanyActivityService/ExportCompanyActivity", READER),
    ("company_activity.activity.v1.CompanyActivityService/RollUpCompanyActivity", READER),
    ("company_activity.activity.v1.CompanyActivityService/ListChurnRisks", READER),
    ("company_activity.activity.v1.CompanyActivityService/SearchCompanies", READER),
    ("company_activity.activity.v1.CompanyActivityService/GetChurnSummary", READER),
    ("company_activity.activity.v1.CompanyActivityService/ListPublishedDays", READER),
    ("company_activity.activity.v1.CompanyActivityService/ListPublications", READER),
    ("company_activity.activity.v1.CompanyActivityService/GetFreshness", READER),
    ("company_activity.monitoring.v1.MonitoringService/GetPipelineStatus", ANY_PERSON),
    ("company_activity.monitoring.v1.MonitoringService/ListAlerts", ANY_PERSON),
    ("company_activity.monitoring.v1.MonitoringService/ListAuditResults", ANY_PERSON),
    ("company_activity.monitoring.v1.MonitoringService/ListReconciliations", ANY_PERSON),
    ("company_activity.pipeline.v1.PipelineService/TriggerRun", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/GetRun", ANY_PERSON),
    ("company_activity.pipeline.v1.PipelineService/ListRuns", ANY_PERSON),
    ("company_activity.pipeline.v1.PipelineService/WatchRun", ANY_PERSON),
    ("company_activity.pipeline.v1.PipelineService/CancelRun", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/RetryRun", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/UnpublishDays", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/Backfill", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/PreviewBackfill", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/ListAuditEntries", OPERATOR),
    ("company_activity.pipeline.v1.PipelineService/Explain", ANY_PERSON),
    ("company_activity.pipeline.v1.PipelineService/Reconcile", OPERATOR),
    // The coordinator asks in place of somebody who reconciles, or tries a backfill out.
    (
        "company_activity.reconciliation.v1.ReconciliationService/Reconcile",
        Admission::Roles(&[Role::Operator, Role::Stage]),
    ),
    (
        "company_activity.reconciliation.v1.ReconciliationService/Preview",
        Admission::Roles(&[Role::Operator, Role::Stage]),
    ),
    // The coordinator passes questions on.
    (
        "company_activity.reconciliation.v1.ReconciliationService/Explain",
        Admission::Roles(&[Role::Reader, Role::Operator, Role::Stage]),
    ),
    (
        "company_activity.provenance.v1.ProvenanceService/GetDaySources",
        Admission::Roles(&[Role::Reader, Role::Operator, Role::Stage]),
    ),
    (
        "company_activity.provenance.v1.ProvenanceService/ListCompanyVersions",
        Admission::Roles(&[Role::Reader, Role::Operator, Role::Stage]),
    ),
    ("company_activity.stage.v1.StageService/ExecuteStage", STAGE),
    ("company_activity.notifier.v1.NotifierService/Notify", ALERTS),
    // Rows as the sources wrote them, which may name people.
    ("company_activity.quarantine.v1.QuarantineService/ListQuarantinedRows", OPERATOR),
    ("company_activity.quarantine.v1.QuarantineService/GetQuarantinedRow", OPERATOR),
    ("company_activity.quarantine.v1.QuarantineService/CountQuarantinedRows", OPERATOR),
    ("company_activity.quarantine.v1.QuarantineService/AcceptQuarantinedRows", OPERATOR),
    ("company_activity.quarantine.v1.QuarantineService/ReplayQuarantinedRows", OPERATOR),
    ("company_activity.access.v1.AccessService/GetCaller", Admission::AnyCaller),
    // Probes have no credential.
    ("grpc.health.v1.Health/Check", Admission::Everybody),
    ("grpc.health.v1.Health/List", Admission::Everybody),
    ("grpc.health.v1.Health/Watch", Admission::Everybody),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Admission::AnyCaller),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Admission::AnyCaller),
];

/// Every method that admits anybody, as `package.Service/Method`.
pub fn methods() -> impl Iterator<Item = (&'static str, Admission)> {
    METHODS.iter().copied()
}

/// Whom the method of a request's path (`/package.Service/Method`) admits; `None` if it
/// is not in the table, and then nobody.
#[must_use]
pub fn admission(path: &str) -> Option<Admission> {
    let method = path.strip_prefix('/')?;
    METHODS.iter().find(|(name, _)| *name == method).map(|(_, admission)| *admission)
}
