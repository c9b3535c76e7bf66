//! What a client without the contracts can learn.

use futures::stream;
use runtime::{Context, ServerOptions, Service, serve};
use tokio::sync::oneshot;
use tonic_reflection::pb::{v1, v1alpha};

const HEALTH: &str = "grpc.health.v1.Health";

#[tokio::test]
async fn reflection_answers_clients_of_either_version() {
    let context = Context::new();
    let (listening, address) = oneshot::channel();
    let options = ServerOptions { reflection: true, ..ServerOptions::default() };
    let server = tokio::spawn(serve(Service::new("empty"), options, context.clone(), |address| {
        listening.send(address).unwrap();
    }));
    let channel = runtime::channel::connect(&format!("http://{}", address.await.unwrap())).unwrap();

    let request = v1::ServerReflectionRequest {
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
        ..v1::ServerReflectionRequest::default()
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(services)) = answer else {
        panic!("{answer:?}")
    };
    assert!(services.service.iter().any(|service| service.name == HEALTH), "{services:?}");

    let request = v1alpha::ServerReflectionRequest {
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
        ),
        ..v1alpha::ServerReflectionRequest::default()
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(services)) = answer
    else {
        panic!("{answer:?}")
    };
    assert!(services.service.iter().any(|service| service.name == HEALTH), "{services:?}");

    drop((client, answers));
    context.shutdown.cancel();
    server.await.unwrap().unwrap();
}
