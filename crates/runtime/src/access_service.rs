//! Says who calls. Every server has it, like health.

use access::{Caller, Role};
use proto::access::v1::{
    GetCallerRequest, GetCallerResponse, Role as RoleProto,
    access_service_server::{AccessService, AccessServiceServer},
};
use proto::bounds::MAX_REQUEST_BYTES;
use tonic::{Request, Response, Status, async_trait};

/// Answers from what the access check has found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WhoCalls;

/// The gRPC service.
pub(crate) fn server() -> AccessServiceServer<WhoCalls> {
    AccessServiceServer::new(WhoCalls).max_decoding_message_size(MAX_REQUEST_BYTES)
}

#[async_trait]
impl AccessService for WhoCalls {
    async fn get_caller(
        &self,
        request: Request<GetCallerRequest>,
    ) -> Result<Response<GetCallerResponse>, Status> {
        // Calls inside this process are not checked, and so have no caller.
        let caller = request.extensions().get().cloned().unwrap_or_else(Caller::anonymous);
        Ok(Response::new(GetCallerResponse {
            name: caller.name().to_owned(),
            roles: caller.roles().map(|role| role_to_proto(role).into()).collect(),
            is_anonymous: caller.is_anonymous(),
        }))
    }
}

const fn role_to_proto(role: Role) -> RoleProto {
    match role {
        Role::Reader => RoleProto::Reader,
        Role::Operator => RoleProto::Operator,
        Role::Stage => RoleProto::Stage,
        Role::Alerts => RoleProto::Alerts,
    }
}
