//! The read side: company activity over gRPC.
