//! The layer in a gRPC server, and the token in a client.

use std::sync::{Arc, Mutex};

use access::{BearerToken, Caller};
use proto::notifier::v1::{
    NotifyRequest, NotifyResponse,
    notifier_service_client::NotifierServiceClient,
    notifier_service_server::{NotifierService, NotifierServiceServer},
};
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::ServiceBuilder;

use crate::support::{Folder, ISSUER, Signer, claims, claims_with, key_set, policy_of};

/// Remembers who called it.
#[derive(Clone, Default)]
struct Notifier(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl NotifierService for Notifier {
    async fn notify(&self, request: Request<NotifyRequest>) -> Result<Response<NotifyResponse>, Status> {
        let caller = request.extensions().get::<Caller>().unwrap();
        self.0.lock().unwrap().push(caller.name().to_owned());
        Ok(Response::new(NotifyResponse::default()))
    }
}

#[tokio::test]
async fn a_server_knows_its_callers_and_a_client_sends_its_newest_token() {
    let signer = Signer::ed("d");
    let folder = Folder::new();
    folder.write("jwks.json", &key_set(&[&signer]).to_string());
    let policy = policy_of(ISSUER, "jwks_file: jwks.json")
        + "  - {identity: \"people:coordinator\", roles: [alerts]}\n";
    let access = folder.access(&policy);
    let notifier = Notifier::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(access.layer())
        .add_service(NotifierServiceServer::new(notifier.clone()))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    let mut nobody = NotifierServiceClient::new(channel.clone());
    let status = nobody.notify(NotifyRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);

    let file = folder.write("token", &signer.sign(&claims(ISSUER)));
    let token = BearerToken::from_file(file).unwrap();
    let mut client = NotifierServiceClient::new(ServiceBuilder::new().layer(token.layer()).service(channel));
    let status = client.notify(NotifyRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        status.message(),
        "people:alice may not call company_activity.notifier.v1.NotifierService/Notify: that takes the role alerts"
    );
    folder.write("token", &signer.sign(&claims_with("sub", "coordinator".into())));
    client.notify(NotifyRequest::default()).await.unwrap();
    assert_eq!(*notifier.0.lock().unwrap(), ["people:coordinator"]);
}
