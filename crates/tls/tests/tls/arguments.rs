//! What the flags mean, and which do not go together.

use clap::Parser;
use tls::{
    ClientAuth, ClientTlsArgs, ClientTlsFiles, ClientVerification, Identity, ServerTlsArgs, ServerTlsFiles,
};

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    server: ServerTlsArgs,
    #[command(flatten)]
    client: ClientTlsArgs,
}

fn parse(flags: &str) -> Result<(Option<ServerTlsFiles>, ClientTlsFiles), String> {
    let program = Program::try_parse_from(["program"].into_iter().chain(flags.split_whitespace()));
    program.map(|it| (it.server.files(), it.client.files())).map_err(|cause| cause.to_string())
}

#[test]
fn nothing_is_plain_text_and_the_systems_cas() {
    assert_eq!(parse("").unwrap(), (None, ClientTlsFiles::default()));
}

#[test]
fn a_client_ca_requires_certificates_unless_configured_otherwise() {
    let files = |flags: &str| parse(flags).unwrap().0.unwrap();
    let pair = "--tls-cert-file a.crt --tls-key-file a.key";
    let mut expected = ServerTlsFiles { certificate: "a.crt".into(), key: "a.key".into(), clients: None };
    assert_eq!(files(pair), expected);
    expected.clients = Some(ClientVerification { ca: "ca.crt".into(), auth: ClientAuth::Required });
    assert_eq!(files(&format!("{pair} --tls-client-ca-file ca.crt")), expected);
    expected.clients = Some(ClientVerification { ca: "ca.crt".into(), auth: ClientAuth::Optional });
    assert_eq!(files(&format!("{pair} --tls-client-ca-file ca.crt --tls-client-auth optional")), expected);
}

#[test]
fn a_client_has_files_of_its_own() {
    let flags = "--tls-ca-file ca.crt --tls-client-cert-file c.crt --tls-client-key-file c.key \
                 --tls-server-name ingest-crm";
    let expected = ClientTlsFiles {
        ca: Some("ca.crt".into()),
        identity: Some(Identity { certificate: "c.crt".into(), key: "c.key".into() }),
        server_name: Some("ingest-crm".to_owned()),
    };
    assert_eq!(parse(flags).unwrap(), (None, expected));
}

#[test]
fn half_of_a_pair_is_refused_with_the_name_of_the_other_half() {
    for (flags, missing) in [
        ("--tls-cert-file a.crt", "--tls-key-file <FILE>"),
        ("--tls-key-file a.key", "--tls-cert-file <FILE>"),
        ("--tls-client-ca-file ca.crt", "--tls-cert-file <FILE>"),
        ("--tls-client-auth optional", "--tls-client-ca-file <FILE>"),
        ("--tls-client-cert-file c.crt", "--tls-client-key-file <FILE>"),
        ("--tls-client-key-file c.key", "--tls-client-cert-file <FILE>"),
    ] {
        let message = parse(flags).unwrap_err();
        assert!(message.contains("required arguments were not provided"), "{flags}: {message}");
        assert!(message.contains(missing), "{flags}: {message}");
    }
}
