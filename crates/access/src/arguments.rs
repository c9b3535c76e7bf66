//! What a program learns about access, by flag or by environment variable.

use std::path::PathBuf;

use clap::Args;

use crate::{
    access::{Access, Environment},
    bearer_token::{BearerToken, BearerTokenError},
    policy::PolicyError,
};

/// Who may call this server.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct AccessArgs {
    /// The policy: who may call, proved by what, in which role (docs/access.md).
    /// It is read again when it changes
    #[arg(long, env = "ACCESS_FILE", value_name = "PATH")]
    pub access_file: Option<PathBuf>,

    /// Serve callers without asking who they are, on an address that others can
    /// reach: whoever reaches it may do everything. Without an access file, and
    /// without this flag, a server listens on loopback alone
    #[arg(long, env = "ALLOW_UNAUTHENTICATED", num_args = 0..=1, default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    pub allow_unauthenticated: bool,
}

impl AccessArgs {
    /// The policy, or without one an access that is open to everybody.
    ///
    /// # Errors
    /// If the policy, or a file that it names, cannot be used.
    pub fn access(&self, environment: Environment) -> Result<Access, PolicyError> {
        match &self.access_file {
            Some(file) => Access::from_file(file, environment),
            None => Ok(Access::open()),
        }
    }
}

/// Who this client is.
#[derive(Debug, Clone, Default, Args)]
#[group(skip)]
pub struct CredentialArgs {
    /// The file with the token to send with every call: of an issuer, or a static
    /// one. It is read again when it changes, as the tokens of pods do [default: none]
    #[arg(long, env = "TOKEN_FILE", value_name = "PATH")]
    pub token_file: Option<PathBuf>,
}

impl CredentialArgs {
    /// The token to send, if there is one.
    ///
    /// # Errors
    /// If the file cannot be read or holds no token.
    pub fn bearer_token(&self) -> Result<Option<BearerToken>, BearerTokenError> {
        self.token_file.as_ref().map(BearerToken::from_file).transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        access: AccessArgs,
        #[command(flatten)]
        credential: CredentialArgs,
    }

    #[test]
    fn nothing_is_configured_and_nothing_waived_by_default() {
        let line = CommandLine::parse_from(["program"]);
        assert!(line.access.access_file.is_none() && !line.access.allow_unauthenticated);
        assert!(line.credential.token_file.is_none());
        assert!(line.access.access(environment()).unwrap().is_open());
        assert!(line.credential.bearer_token().unwrap().is_none());
    }

    fn environment() -> Environment {
        Environment { clock: Arc::new(|| DateTime::UNIX_EPOCH), http: Arc::new(reqwest::Client::builder) }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let line =
            CommandLine::parse_from(["program", "--access-file=/nowhere/a", "--token-file=/nowhere/t"]);
        let error = line.access.access(environment()).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/a: the file cannot be read"), "{error}");
        let error = line.credential.bearer_token().unwrap_err().to_string();
        assert!(error.starts_with("cannot read the token file /nowhere/t"), "{error}");
    }

    #[test]
    fn flags_say_what_they_are_for() {
        let line = CommandLine::parse_from([
            "program",
            "--access-file=access.yaml",
            "--allow-unauthenticated",
            "--token-file=token",
        ]);
        assert_eq!(line.access.access_file.unwrap().to_str(), Some("access.yaml"));
        assert!(line.access.allow_unauthenticated);
        assert_eq!(line.credential.token_file.unwrap().to_str(), Some("token"));
        let line = CommandLine::parse_from(["program", "--allow-unauthenticated=false"]);
        assert!(!line.access.allow_unauthenticated);
    }
}
