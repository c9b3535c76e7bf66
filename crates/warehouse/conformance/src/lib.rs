//! One suite of behaviours that every storage engine must show.
