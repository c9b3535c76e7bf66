//! Where a server may listen.

use std::net::{IpAddr, SocketAddr};

/// What an operator should know about a server that starts all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenWarning {
    /// Nobody is asked who they are.
    #[error(
        "--allow-unauthenticated: whoever reaches {0} may do everything. Configure who may call with --access-file"
    )]
    Unauthenticated(SocketAddr),
    /// Tokens travel in the clear.
    #[error(
        "{0} is served without TLS: whoever can read the network can read and reuse the tokens that callers send"
    )]
    TokensInTheClear(SocketAddr),
}

/// Why a server does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// It would serve the network without asking anybody who they are.
    #[error(
        "{0} can be reached by others, and nothing says who may call: name a policy with --access-file, or accept callers without a credential with --allow-unauthenticated"
    )]
    Unauthenticated(SocketAddr),
    /// The arguments contradict each other.
    #[error("--access-file and --allow-unauthenticated contradict each other: leave one of them out")]
    Contradiction,
}

/// Whether a server may listen on an address, and what to warn of if it does.
///
/// # Errors
/// If it would serve others without authentication that nobody waived, or both is asked for.
pub const fn may_listen(
    address: SocketAddr,
    access_configured: bool,
    tls: bool,
    allow_unauthenticated: bool,
) -> Result<Option<ListenWarning>, ListenError> {
    match (access_configured, allow_unauthenticated) {
        (true, true) => Err(ListenError::Contradiction),
        _ if is_loopback(address.ip()) => Ok(None),
        (true, false) if tls => Ok(None),
        (true, false) => Ok(Some(ListenWarning::TokensInTheClear(address))),
        (false, true) => Ok(Some(ListenWarning::Unauthenticated(address))),
        (false, false) => Err(ListenError::Unauthenticated(address)),
    }
}

const fn is_loopback(ip: IpAddr) -> bool {
    // An IPv4 address can be dressed as an IPv6 one.
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(
        address: &str,
        access: bool,
        tls: bool,
        allow: bool,
    ) -> Result<Option<ListenWarning>, ListenError> {
        may_listen(address.parse().unwrap(), access, tls, allow)
    }

    #[test]
    fn a_server_that_others_reach_asks_who_they_are_or_does_not_start() {
        for address in ["0.0.0.0:50051", "[::]:50051", "10.0.0.7:1", "[::ffff:10.0.0.7]:1", "[2001:db8::1]:1"]
        {
            for tls in [false, true] {
                let error = ask(address, false, tls, false).unwrap_err();
                let message = error.to_string();
                assert!(message.contains("--access-file") && message.contains("--allow-unauthenticated"));
            }
            assert_eq!(ask(address, true, true, false), Ok(None));
            let address_itself = address.parse().unwrap();
            let clear = ListenWarning::TokensInTheClear(address_itself);
            assert_eq!(ask(address, true, false, false), Ok(Some(clear)));
            let open = ListenWarning::Unauthenticated(address_itself);
            assert_eq!(ask(address, false, true, true), Ok(Some(open)));
            assert_eq!(ask(address, false, false, true), Ok(Some(open)));
        }
    }

    #[test]
    fn loopback_needs_nothing() {
        for address in ["127.0.0.1:0", "127.8.8.8:1", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            for (access, tls, allow) in [(false, false, false), (false, false, true), (true, false, false)] {
                assert_eq!(ask(address, access, tls, allow), Ok(None));
            }
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused_everywhere() {
        for address in ["127.0.0.1:0", "0.0.0.0:0"] {
            assert_eq!(ask(address, true, true, true), Err(ListenError::Contradiction));
        }
    }
}
