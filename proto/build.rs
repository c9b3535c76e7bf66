//! Compiles the contracts with protox, so that no protoc needs to be installed.

use std::{env, fs, path::Path};

use prost::Message;
use tonic_prost_build::Config;

const PROTOS: [&str; 9] = [
    "company_activity/access/v1/access.proto",
    "company_activity/activity/v1/activity.proto",
    "company_activity/monitoring/v1/monitoring.proto",
    "company_activity/notifier/v1/notifier.proto",
    "company_activity/pipeline/v1/pipeline.proto",
    "company_activity/provenance/v1/provenance.proto",
    "company_activity/quarantine/v1/quarantine.proto",
    "company_activity/reconciliation/v1/reconciliation.proto",
    "company_activity/stage/v1/stage.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for proto in PROTOS {
        println!("cargo:rerun-if-changed={proto}");
    }
    let descriptors = protox::compile(PROTOS, ["."])?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = Config::new();
    // The codec finds a message's bounds by its name.
    config.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("crate::codec::BoundedCodec")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
