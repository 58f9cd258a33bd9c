//! Between the wire's types and the domain's. Pure.
//!
//! Responsible for refusing nonsense once, here, so that nothing above has to:
//! proto2's `required` is not checked when a message is read, so a missing id
//! arrives as an empty one. Nobody outside `mesos` sees the wire's types.

mod call;
mod container;
mod event;
mod names;
mod offer;
mod resource;
mod task;

pub(super) use call::call_to_wire;
pub(super) use event::event_from_wire;
pub(super) use offer::OfferReader;
pub(super) use task::{status_from_wire, status_to_wire, uuid_from_wire};

/// A message that lacks what it must have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sent {message} without a usable {field}")]
pub struct ConvertError {
    /// The message.
    pub message: &'static str,
    /// The field.
    pub field: &'static str,
}

/// An id of the domain from an id of the wire, which must not be empty.
pub(super) fn required<'a, T: From<&'a str>>(
    message: &'static str,
    field: &'static str,
    value: &'a str,
) -> Result<T, ConvertError> {
    if value.is_empty() {
        return Err(ConvertError { message, field });
    }
    Ok(T::from(value))
}
