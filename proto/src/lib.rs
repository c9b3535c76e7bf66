//! The compiled gRPC contracts of Company Activity.
//!
//! The `.proto` files beside this crate are the contract; modules follow their packages.

#![expect(clippy::large_enum_variant, reason = "generated")]

pub mod bounds;
pub mod codec;
mod wire;

/// The serialized `FileDescriptorSet` of all contracts, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! packages {
    ($($module:ident => $package:literal),* $(,)?) => {$(
        #[doc = concat!("Package `", $package, "`.")]
        #[expect(
            clippy::allow_attributes,
            clippy::allow_attributes_without_reason,
            clippy::pedantic,
            reason = "generated"
        )]
        pub mod $module {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!($package);
            }
        }
    )*};
}

packages! {
    access => "company_activity.access.v1",
    activity => "company_activity.activity.v1",
    monitoring => "company_activity.monitoring.v1",
    notifier => "company_activity.notifier.v1",
    pipeline => "company_activity.pipeline.v1",
    provenance => "company_activity.provenance.v1",
    quarantine => "company_activity.quarantine.v1",
    reconciliation => "company_activity.reconciliation.v1",
    stage => "company_activity.stage.v1",
}
