//! How many files and sockets the process may have open, and what of that callers get.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::debug;

/// Enough for every limit of ours. Some machines allow a billion, and the kernel sizes
/// tables by what is in use, so that more would only be a larger number.
const ENOUGH: u64 = 65_536;

/// What files, the database, object storage, telemetry and connections to other services
/// need.
const RESERVE: u64 = 256;

/// Takes as many descriptors as the machine lets this process have. Shells and systemd
/// start programs with 1,024 for the sake of `select`, which nothing here calls.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        debug!(%error, "the limit of open files stays as it is");
    }
}

/// How many connections may be open: at most `most`, and three quarters of what is left
/// after the reserve. The last quarter is for handshakes that are unfinished.
pub(super) fn affordable_connections(most: usize) -> usize {
    affordable(getrlimit(Resource::Nofile).current, most)
}

fn affordable(descriptors: Option<u64>, most: usize) -> usize {
    let Some(descriptors) = descriptors else { return most };
    // With less than the reserve a server is not of much use, but it can be probed.
    let affordable = (descriptors.saturating_sub(RESERVE) / 4 * 3).max(16);
    usize::try_from(affordable).map_or(most, |affordable| affordable.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(affordable(None, 2_048), 2_048);
        assert_eq!(affordable(Some(65_536), 2_048), 2_048);
        assert_eq!(affordable(Some(1_024), 2_048), 576);
        assert_eq!(affordable(Some(64), 2_048), 16);
    }

    #[test]
    fn a_process_takes_the_descriptors_that_it_may_have() {
        raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        let may_have = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
        assert!(limit.current.is_none_or(|current| current >= may_have), "{limit:?}");
    }
}
