//! Runs of the pipeline and their stages.

/// The seed's pipeline: the daily job.
pub const DAILY_PIPELINE: &str = "pl_company_activity_daily";

/// Copies the CRM's CSV export to `stg_crm_companies`.
pub const STAGE_COPY_CRM_CSV: &str = "act_copy_crm_csv";
/// Pages through the product API to `stg_product_usage`.
pub const STAGE_CALL_PRODUCT_API: &str = "act_call_product_api";
/// Copies event files to `fact_events`; not part of the built-in pipeline.
pub const STAGE_COPY_EVENTS: &str = "act_copy_events";
/// Builds candidates for `fact_company_activity` that no reader sees.
pub const STAGE_BUILD_FACT: &str = "df_build_fact_company_activity";
/// Audits the candidates and publishes them.
pub const STAGE_VALIDATE: &str = "act_validate_row_counts";
/// Takes published days back. The only stage of its run, and never part of a pipeline
/// file.
pub const STAGE_UNPUBLISH: &str = "act_unpublish_days";

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// The word for it in storage and on screen.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value for a word, or `None` for any other text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

states! {
    /// The state of a run.
    RunState {
        /// Waiting for its turn.
        Queued = "QUEUED",
        /// A coordinator is executing it.
        Running = "RUNNING",
        /// Every stage succeeded.
        Succeeded = "SUCCEEDED",
        /// A stage failed permanently.
        Failed = "FAILED",
        /// Cancelled on request.
        Cancelled = "CANCELLED",
    }
}

impl RunState {
    /// Whether the run has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

states! {
    /// The state of a stage in a run.
    StageState {
        /// Waiting for its dependencies or its next attempt.
        Pending = "PENDING",
        /// An attempt is running.
        Running = "RUNNING",
        /// Committed.
        Succeeded = "SUCCEEDED",
        /// Its last attempt failed.
        Failed = "FAILED",
        /// Not executed, because a stage that it depends on failed.
        Skipped = "SKIPPED",
        /// The run was cancelled before the stage ended.
        Cancelled = "CANCELLED",
    }
}

impl StageState {
    /// Whether the stage has ended in this run.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

states! {
    /// What caused a run.
    RunTrigger {
        /// A request for specific days.
        Manual = "MANUAL",
        /// The schedule.
        Scheduled = "SCHEDULED",
        /// A backfill.
        Backfill = "BACKFILL",
        /// A request to take published days back.
        Unpublish = "UNPUBLISH",
    }
}
