//! The codec of all our services: Protobuf, whose requests are held to their bounds.

use std::{fmt, marker::PhantomData};

use prost::{Message, Name, bytes::Buf};
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstEncoder;
use tonic_types::{ErrorDetails, StatusExt};

use crate::{bounds::REQUESTS, wire};

/// Encodes and decodes messages. A request that breaks a bound of [`crate::bounds`] is
/// refused with `INVALID_ARGUMENT` and the field, undecoded.
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> fmt::Debug for BoundedCodec<T, U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedCodec")
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Name + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> ProstEncoder<T> {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> BoundedDecoder<U> {
        BoundedDecoder(PhantomData)
    }
}

/// Decodes messages.
#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<U: Message + Name + Default> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        // Responses have no bounds: they come from our own services, and are streamed.
        let bounded = REQUESTS.iter().find(|one| one.package == U::PACKAGE && one.name == U::NAME);
        if let Some(bounded) = bounded {
            wire::check(bounded, &bytes).map_err(refused)?;
        }
        U::decode(bytes).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

fn refused(excess: wire::Excess) -> Status {
    let wire::Excess { field, problem } = excess;
    let message = format!("{field}: {problem}");
    let details = ErrorDetails::with_bad_request_violation(field, problem);
    Status::with_error_details(tonic::Code::InvalidArgument, message, details)
}
