//! Offers: what came, whether it can be used, and that each is answered once.
//!
//! Uses `resources`; the wire layer and the scheduler's backends use it. It
//! knows nothing of tasks or of the wire. Pure: time is an argument.

mod attribute;
mod constraint;
mod offer;

pub use attribute::{Attribute, AttributeValue};
pub use constraint::{Constraint, Constraints, ConstraintsError, Unmet};
pub use offer::{AgentAddress, FaultDomain, InverseOffer, Offer, Unavailability};
