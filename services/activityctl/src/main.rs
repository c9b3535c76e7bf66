//! The command line of Company Activity.

fn main() {}
