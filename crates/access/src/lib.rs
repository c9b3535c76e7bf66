//! Who is calling, and what they may do.
//!
//! [`AccessLayer`] stands in front of every gRPC service. It asks a call for its
//! credentials (a client certificate, a token of a configured issuer, or a static
//! token), maps whom they name to [`Role`]s by a policy file, and lets the call pass if
//! one of the roles opens its method. What passes finds its [`Caller`] among the
//! extensions of its request.
//!
//! The other direction is [`BearerToken`]: the credential that a client of ours sends.
//!
//! Whatever is not granted is denied.

mod access;
mod arguments;
mod bearer_token;
mod caller;
mod certificate;
mod credential_error;
mod fetch;
mod issuer;
mod json_web_token;
mod key_address;
mod key_set;
mod layer;
mod listen;
mod methods;
mod policy;
mod refusal;
mod role;
mod static_tokens;
mod verified_tokens;
mod watched_files;

pub use access::{Access, Clock, Environment, HttpClients, Reload};
pub use arguments::{AccessArgs, CredentialArgs};
pub use bearer_token::{BearerToken, BearerTokenError, BearerTokenLayer, SendsBearerToken};
pub use caller::Caller;
pub use certificate::PeerCertificate;
pub use credential_error::CredentialError;
pub use layer::{AccessLayer, ChecksAccess};
pub use listen::{ListenError, ListenWarning, may_listen};
pub use methods::{Admission, admission, methods};
pub use policy::PolicyError;
pub use refusal::{Refusal, is_refusal, is_unknown_method};
pub use role::Role;
