//! Asks the services who calls.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proto::access::v1::{GetCallerRequest, Role, access_service_client::AccessServiceClient};
use runtime::{Channel, Clock};
use tonic::{Code, Request, Status, service::interceptor::InterceptedService};
use tracing::warn;

use super::asked_once::AskedOnce;
use crate::backend::{Backend, Credential};

/// How long an answer holds. A role that is taken away is gone from the pages by then; services
/// refuse at once.
pub(super) const ANSWER_HOLDS: TimeDelta = TimeDelta::seconds(30);

/// How long it holds that a credential is needed.
const REFUSAL_HOLDS: TimeDelta = TimeDelta::seconds(5);

/// How long a service may take to say who calls.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who calls, as the services see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) is_reader: bool,
    pub(super) is_operator: bool,
    pub(super) is_anonymous: bool,
}

/// Asks both services, each of which may have a policy of its own: a caller may do what both
/// admit. One that does not answer is left out; its pages will say so.
pub(super) async fn ask(backend: &Backend, credential: &Credential) -> Result<Caller, Status> {
    let (coordinator, activity) =
        tokio::join!(get(&backend.coordinator, credential), get(&backend.activity, credential));
    match (coordinator, activity) {
        (Err(status), _) | (_, Err(status)) if is_unauthenticated(&status) => Err(status),
        (Ok(one), Ok(other)) => Ok(Caller {
            name: if one.is_anonymous { other.name } else { one.name },
            is_reader: one.is_reader && other.is_reader,
            is_operator: one.is_operator && other.is_operator,
            is_anonymous: one.is_anonymous && other.is_anonymous,
        }),
        (Ok(caller), Err(_)) | (Err(_), Ok(caller)) => Ok(caller),
        (Err(status), Err(_)) => Err(status),
    }
}

async fn get(channel: &Channel, credential: &Credential) -> Result<Caller, Status> {
    let mut request = Request::new(GetCallerRequest {});
    request.set_timeout(TIMEOUT);
    let mut client = AccessServiceClient::new(InterceptedService::new(channel.clone(), credential.clone()));
    // The service's own clock may stand still.
    let answer = tokio::time::timeout(TIMEOUT, client.get_caller(request)).await;
    let answer =
        answer.map_err(|_| Status::deadline_exceeded("the service took too long to say who calls"))?;
    let caller = answer?.into_inner();
    Ok(Caller {
        is_reader: caller.roles().any(|role| role == Role::Reader),
        is_operator: caller.roles().any(|role| role == Role::Operator),
        is_anonymous: caller.is_anonymous,
        name: caller.name,
    })
}

pub(super) fn is_unauthenticated(status: &Status) -> bool {
    status.code() == Code::Unauthenticated
}

/// What the services say of those who show no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Caller(Caller),
    MustSignIn,
}

/// The last such answer. Whoever comes without a session asks for it, so services are asked
/// once for all of them.
#[derive(Default)]
pub(super) struct Unasked(AskedOnce<(DateTime<Utc>, Asked), Status>);

impl Unasked {
    pub(super) async fn ask(&self, backend: &Backend, clock: &dyn Clock) -> Result<Asked, Status> {
        let asking = async {
            let (holds, asked) = match ask(backend, &Credential::none()).await {
                Ok(caller) => (ANSWER_HOLDS, Asked::Caller(caller)),
                Err(status) if is_unauthenticated(&status) => (REFUSAL_HOLDS, Asked::MustSignIn),
                Err(status) => {
                    warn!(%status, "the services do not say whether visitors have to sign in");
                    // Strangers see it, and need not learn where services are.
                    return Err(Status::new(status.code(), "the services do not say who may look"));
                }
            };
            Ok((clock.now() + holds, asked))
        };
        let (_, asked) = self.0.get(|(until, _)| clock.now() < *until, asking).await?;
        Ok(asked)
    }

    pub(super) async fn forget(&self) {
        self.0.forget().await;
    }
}
