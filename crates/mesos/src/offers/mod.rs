//! Offers: what came, whether it can be used, and that each is answered once.
//!
//! Uses `resources`; the wire layer and the scheduler's backends use it. It
//! knows nothing of tasks or of the wire. Pure: time is an argument.
//!
//! - [`Offer`], [`InverseOffer`], [`Attribute`]: what the master said
//! - [`OfferLedger`]: what is outstanding; [`OfferGroup`]: what can be accepted
//!   together
//! - [`Constraints`], [`Requirement`]: whether an offer can be used
//! - [`DeclineReason`], [`RefusePolicy`]: why not, and for how long it is refused

mod attribute;
mod constraint;
mod filter;
mod fit;
mod group;
mod ledger;
mod offer;

pub use attribute::{Attribute, AttributeValue};
pub use constraint::{Constraint, Constraints, ConstraintsError, Unmet};
pub use filter::{DeclineReason, RefusePolicy};
pub use fit::Requirement;
pub use group::OfferGroup;
pub use ledger::{
    CannotAccept, Departed, OfferLedger, OfferTally, OutstandingInverseOffer, OutstandingOffer,
};
pub use offer::{AgentAddress, FaultDomain, InverseOffer, Offer, Unavailability};

/// Offers for the tests of this module.
#[cfg(test)]
mod test_offers {
    use super::Offer;

    /// An offer with that id, of that agent, of those resources.
    pub(super) fn offer(id: &str, agent: &str, resources: &str) -> Offer {
        Offer {
            id: id.into(),
            agent_id: agent.into(),
            hostname: agent.into(),
            address: None,
            resources: resources.parse().expect("resources"),
            attributes: [].into(),
            executor_ids: Vec::new(),
            role: Some("eng".into()),
            unavailability: None,
            fault_domain: None,
        }
    }
}
