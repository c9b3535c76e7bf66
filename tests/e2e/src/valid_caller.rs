//! A caller that does what it may, and measures how long that takes.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use proto::activity::v1::{
    GetCompanyActivityRequest, company_activity_service_client::CompanyActivityServiceClient,
};
use tonic::{Code, Request, metadata::MetadataValue, transport::Channel};
use tonic_types::StatusExt;

/// Calls before a percentile means something: three of them are slower than the 99th.
const SAMPLES: usize = 300;

/// How long calls took.
#[derive(Debug, Clone)]
pub struct Latencies {
    sorted: Vec<Duration>,
    /// Calls that the server asked to repeat later.
    pub put_off: usize,
}

impl Latencies {
    /// The duration that this share of calls did not exceed.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = (self.sorted.len() * percent).div_ceil(100).saturating_sub(1);
        self.sorted.get(at).copied().unwrap_or_default()
    }

    /// How many calls there were.
    #[must_use]
    pub const fn calls(&self) -> usize {
        self.sorted.len()
    }
}

/// A caller with one connection and a token, which reads one company-day after the other.
#[derive(Debug, Clone)]
pub struct ValidCaller {
    client: CompanyActivityServiceClient<Channel>,
    token: String,
    asked: GetCompanyActivityRequest,
}

impl ValidCaller {
    /// A caller that asks for a published company-day.
    #[must_use]
    pub fn new(channel: Channel, token: String, asked: GetCompanyActivityRequest) -> Self {
        Self { client: CompanyActivityServiceClient::new(channel), token, asked }
    }

    /// Calls until `disturbance` has ended, and often enough for percentiles.
    ///
    /// # Errors
    /// If a call fails for any reason but a limit, which says when to call again.
    pub async fn measure<T>(&mut self, disturbance: impl Future<Output = T>) -> Result<(Latencies, T)> {
        let mut disturbance = pin!(disturbance);
        let (mut ended, mut put_off) = (None, 0);
        let mut sorted = Vec::new();
        while ended.is_none() || sorted.len() < SAMPLES {
            let began = Instant::now();
            let call = self.call();
            let answer = if ended.is_some() {
                call.await
            } else {
                let mut call = pin!(call);
                tokio::select! {
                    answer = &mut call => answer,
                    end = &mut disturbance => {
                        ended = Some(end);
                        call.await
                    }
                }
            };
            match answer? {
                None => sorted.push(began.elapsed()),
                Some(wait) => {
                    put_off += 1;
                    tokio::time::sleep(wait).await;
                }
            }
        }
        sorted.sort();
        let Some(end) = ended else { bail!("the loop ends with the disturbance") };
        Ok((Latencies { sorted, put_off }, end))
    }

    /// Calls once. Returns how long to wait first if the server asks for that.
    async fn call(&mut self) -> Result<Option<Duration>> {
        let mut request = Request::new(self.asked.clone());
        let authorization = MetadataValue::try_from(format!("Bearer {}", self.token))?;
        request.metadata_mut().insert("authorization", authorization);
        match self.client.get_company_activity(request).await {
            Ok(_) => Ok(None),
            Err(status) => {
                let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
                let is_put_off = status.code() == Code::ResourceExhausted && wait.is_some();
                if is_put_off { Ok(wait) } else { Err(status.into()) }
            }
        }
    }
}
