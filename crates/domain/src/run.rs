//! Runs of the pipeline and their stages.

/// The pipeline of the seed: the daily job.
pub const DAILY_PIPELINE: &str = "pl_company_activity_daily";

/// Copies the CRM's CSV export to `stg_crm_companies`.
pub const STAGE_COPY_CRM_CSV: &str = "act_copy_crm_csv";
/// Pages through the product API to `stg_product_usage`.
pub const STAGE_CALL_PRODUCT_API: &str = "act_call_product_api";
/// Copies event files to `fact_events`; not in the built-in pipeline.
pub const STAGE_COPY_EVENTS: &str = "act_copy_events";
/// Builds candidates for `fact_company_activity` that no reader sees.
pub const STAGE_BUILD_FACT: &str = "df_build_fact_company_activity";
/// Audits the candidates and publishes them.
pub const STAGE_VALIDATE: &str = "act_validate_row_counts";
/// Takes published days back; the only stage of a run that does so, never one of
/// a pipeline file.
pub const STAGE_UNPUBLISH: &str = "act_unpublish_days";

macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            /// The word that storage and people use for it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The value of a word, or `None` for any other text.
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
        /// Waits for its turn.
        Queued = "QUEUED",
        /// A coordinator executes it.
        Running = "RUNNING",
        /// Every stage succeeded.
        Succeeded = "SUCCEEDED",
        /// A stage failed for good.
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
        /// Waits for its dependencies or its next attempt.
        Pending = "PENDING",
        /// An attempt executes.
        Running = "RUNNING",
        /// Committed.
        Succeeded = "SUCCEEDED",
        /// Its last attempt failed.
        Failed = "FAILED",
        /// Not executed: a stage it depends on failed.
        Skipped = "SKIPPED",
        /// The run was cancelled first.
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
        /// Days asked for by name.
        Manual = "MANUAL",
        /// The schedule.
        Scheduled = "SCHEDULED",
        /// A backfill.
        Backfill = "BACKFILL",
        /// Published days that are taken back.
        Unpublish = "UNPUBLISH",
    }
}
