//! Resources, counted as Mesos counts them.
//!
//! Responsible for amounts, ranges and sets, for lists of resources, and for
//! choosing what a task takes from an offer. Offers, the scheduler and the wire
//! layer build on it; it knows none of them. Pure: values in, values out.
//!
//! - [`Scalar`], [`Ranges`], [`Set`]: the values, with exact arithmetic
//! - [`Resource`]: a named value with its [`Metadata`], kept for an exact echo
//! - [`Resources`]: a list of them: add, subtract, contains, take
//! - [`Demand`]: what to take; [`Shortage`]: why that is impossible
//! - `units`: what items, numbers and whole amounts have in common
//! - `text`: the notation of Mesos's flags, both ways

mod bundle;
mod demand;
mod metadata;
mod ranges;
mod resource;
mod scalar;
mod sets;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod units;

pub use bundle::{NotContained, Resources};
pub use demand::{Demand, Shortage, Tenure};
pub use metadata::{Disk, DiskSource, Metadata, Reservation, ReservationKind};
pub use ranges::{Range, Ranges, RangesError};
pub use resource::{Resource, ResourceName, Value};
pub use scalar::{Scalar, ScalarError};
pub use sets::{Set, SetError};
pub use text::ResourcesTextError;
