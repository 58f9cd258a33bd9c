//! Records to events and calls to bodies, in one step. Pure.
//!
//! Responsible for putting the codec and the conversion together, so that the
//! sockets above deal with bytes and the domain's types alone.

use bytes::Bytes;

use super::call::Call;
use super::codec::{Codec, CodecError};
use super::convert::{self, ConvertError};
use super::event::Event;
use super::proto::scheduler;
use crate::ids::FrameworkId;

/// A record that is no event.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is no message of the kind expected.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// It is a message, but says too little.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

/// Reads an event of the scheduler API.
///
/// # Errors
/// The record is no event. One that this version does not know is no error.
pub fn decode_event(codec: Codec, record: Bytes) -> Result<Event, WireError> {
    let event: scheduler::Event = codec.decode(record)?;
    Ok(convert::event_from_wire(event)?)
}

/// Writes a call of the scheduler API for the framework of that id.
pub fn encode_call(codec: Codec, call: &Call, framework: &FrameworkId) -> Bytes {
    codec.encode(&convert::call_to_wire(call, framework))
}
