//! How long statements may take.
//!
//! Every connection of the pool begins with limits, so that a query of a caller ends even
//! if its cancellation is lost. Transactions that write, and reads that span the
//! warehouse, lift them for themselves: a publish may take minutes. What the warehouse
//! URL sets (`options=-c statement_timeout=...`) replaces a limit, and holds for
//! everything.

/// A setting, its value for queries, and whether it is only for them.
struct Limit {
    name: &'static str,
    value: &'static str,
    is_lifted: bool,
}

const LIMITS: [Limit; 3] = [
    Limit { name: "statement_timeout", value: "1min", is_lifted: true },
    // Shorter, so that the message says what the statement waited for.
    Limit { name: "lock_timeout", value: "30s", is_lifted: true },
    // How often the server looks whether the client of a running statement is still there.
    // It costs a system call; without it only the attempt to answer would tell.
    Limit { name: "client_connection_check_interval", value: "500ms", is_lifted: false },
];

/// The statements that set and lift the limits.
#[derive(Debug)]
pub(crate) struct StatementLimits {
    /// Sets the limits of a connection.
    pub(crate) set: String,
    /// Lifts them for the rest of the transaction.
    pub(crate) lift_in_transaction: String,
    /// Lifts them for the rest of the connection's life.
    pub(crate) lift: String,
}

impl StatementLimits {
    /// The limits, apart from those among `settings`, which the warehouse URL sets.
    pub(crate) fn beside(settings: &[(String, String)]) -> Self {
        let is_set = |limit: &&Limit| !settings.iter().any(|(name, _)| name.eq_ignore_ascii_case(limit.name));
        let ours = || LIMITS.iter().filter(is_set);
        let lifting = |scope: &str| {
            let lifted = ours().filter(|limit| limit.is_lifted);
            // Not to zero: the role or the database may have a limit of its own.
            joined(lifted.map(|limit| format!("SET {scope}{} TO DEFAULT", limit.name)))
        };
        Self {
            set: joined(ours().map(|Limit { name, value, .. }| format!("SET {name} = '{value}'"))),
            lift_in_transaction: lifting("LOCAL "),
            lift: lifting(""),
        }
    }
}

fn joined(statements: impl Iterator<Item = String>) -> String {
    statements.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_url_sets_is_neither_set_nor_lifted() {
        let limits = StatementLimits::beside(&[]);
        assert_eq!(limits.lift, "SET statement_timeout TO DEFAULT; SET lock_timeout TO DEFAULT");
        let settings = [("Statement_Timeout".to_owned(), "7s".to_owned())];
        let limits = StatementLimits::beside(&settings);
        assert_eq!(limits.set, "SET lock_timeout = '30s'; SET client_connection_check_interval = '500ms'");
        assert_eq!(limits.lift_in_transaction, "SET LOCAL lock_timeout TO DEFAULT");
    }
}
