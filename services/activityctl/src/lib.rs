//! The command line: every service in one process, and the client commands.
