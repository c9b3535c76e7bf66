//! Behaviours of this area.
