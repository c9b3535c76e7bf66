//! The calls, as clients of the service make them.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use domain::DateWindow;
use futures::future::try_join_all;
use proto::activity::v1::{
    ExportCompanyActivityRequest, GetCompanyActivityRequest, ListChurnRisksRequest,
    ListCompanyActivityRequest, RollUpCompanyActivityRequest, RollUpPeriod,
    company_activity_service_client::CompanyActivityServiceClient,
};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::measured::Round;

/// Rows of a page of a list.
pub(crate) const PAGE: i32 = 1_000;

/// Risks of a page.
pub(crate) const RISKS: i32 = 100;

/// A caller with its own connection.
#[derive(Clone)]
pub(crate) struct Caller {
    activity: CompanyActivityServiceClient<Channel>,
    health: HealthClient<Channel>,
}

/// One of the companies that `fill.sql` makes, never a neighbour of the one before.
fn some_company(companies: usize) -> String {
    const STRIDE: usize = 7_919;
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let number = 1 + CALLS.fetch_add(1, Ordering::Relaxed) * STRIDE % companies;
    format!("company-{number:06}")
}

/// Every caller's calls, as fast as they are answered.
pub(crate) async fn round(
    callers: &[Caller],
    calls: usize,
    call: impl AsyncFn(Caller) -> Result<()>,
) -> Result<Round> {
    let began = Instant::now();
    let call = &call;
    let times = callers.iter().map(async |caller| {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let began = Instant::now();
            call(caller.clone()).await?;
            times.push(began.elapsed().as_secs_f64());
        }
        anyhow::Ok(times)
    });
    let times = try_join_all(times).await?.concat();
    Ok(Round { seconds: began.elapsed().as_secs_f64(), times })
}

impl Caller {
    pub(crate) async fn connect(url: String) -> Result<Self> {
        let channel = Endpoint::from_shared(url)?.tcp_nodelay(true).connect().await?;
        let activity = CompanyActivityServiceClient::new(channel.clone());
        Ok(Self { activity, health: HealthClient::new(channel) })
    }

    /// Whether the server is up: a call that nothing is done for.
    pub(crate) async fn nothing(mut self) -> Result<()> {
        self.health.check(HealthCheckRequest::default()).await?;
        Ok(())
    }

    /// The row of one company.
    pub(crate) async fn get(mut self, companies: usize, window: DateWindow) -> Result<()> {
        let company_id = some_company(companies);
        let request = GetCompanyActivityRequest { company_id, activity_date: window.end().to_string() };
        let answer = self.activity.get_company_activity(request).await?.into_inner();
        answer.activity.context("an answer without a row")?;
        Ok(())
    }

    /// The token of the page after this one, if there is one.
    pub(crate) async fn list(mut self, window: DateWindow, page_token: String) -> Result<String> {
        let (start_date, end_date) = (window.start().to_string(), window.end().to_string());
        let request = ListCompanyActivityRequest {
            start_date,
            end_date,
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let answer = self.activity.list_company_activity(request).await?.into_inner();
        ensure!(!answer.activities.is_empty(), "an empty page");
        Ok(answer.next_page_token)
    }

    /// Takes all rows, and returns their number.
    pub(crate) async fn export(mut self, window: DateWindow) -> Result<usize> {
        let (start_date, end_date) = (window.start().to_string(), window.end().to_string());
        let request = ExportCompanyActivityRequest { start_date, end_date, ..Default::default() };
        let mut stream = self.activity.export_company_activity(request).await?.into_inner();
        let mut rows = 0;
        while let Some(batch) = stream.message().await? {
            rows += batch.activities.len();
        }
        Ok(rows)
    }

    /// The token of the page of risks after this one, if there is one.
    pub(crate) async fn risks(mut self, window: DateWindow, page_token: String) -> Result<String> {
        let activity_date = window.end().to_string();
        let request = ListChurnRisksRequest {
            activity_date,
            page_size: RISKS,
            page_token,
            ..ListChurnRisksRequest::default()
        };
        let answer = self.activity.list_churn_risks(request).await?.into_inner();
        ensure!(!answer.churn_risks.is_empty(), "an empty page");
        Ok(answer.next_page_token)
    }

    /// The weeks of one company.
    pub(crate) async fn roll_up(mut self, companies: usize, window: DateWindow) -> Result<()> {
        let company_id = some_company(companies);
        let (start_date, end_date) = (window.start().to_string(), window.end().to_string());
        let period = RollUpPeriod::Week.into();
        let request = RollUpCompanyActivityRequest { company_id, start_date, end_date, period };
        let answer = self.activity.roll_up_company_activity(request).await?.into_inner();
        ensure!(!answer.roll_ups.is_empty(), "an answer without weeks");
        Ok(())
    }
}
