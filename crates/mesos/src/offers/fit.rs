//! Whether an offer can be used for something, and if not, why not.
//!
//! Responsible for comparing one offer with one requirement. Only what can be
//! seen in the offer counts here; limits of the application and the health of
//! agents are added by who knows them.

use std::time::Duration;

use super::{Constraints, DeclineReason, Offer};
use crate::ids::Role;
use crate::resources::Demand;

/// What an offer must have to be of use for one executor or task.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Requirement {
    /// The resources, all of one agent.
    pub demand: Demand,
    /// What is demanded of the agent's attributes.
    pub constraints: Constraints,
    /// The role it has to be offered to, if not any.
    pub role: Option<Role>,
    /// Agents that go down for maintenance within that time are not used. Zero
    /// leaves out only those that should be down already.
    pub maintenance_margin: Duration,
}

impl Requirement {
    /// Whether the offer can be used. `unix_time` is the present moment, counted
    /// from the Unix epoch.
    ///
    /// The same as asking whether there are no [`Requirement::reasons_against`]
    /// it, but without the cost of listing them.
    pub fn is_met_by(&self, offer: &Offer, unix_time: Duration) -> bool {
        self.is_for_role(offer)
            && self.maintenance_in(offer, unix_time).is_none()
            && offer.resources.suffice_for(&self.demand)
            && self.constraints.are_met_by(&offer.attributes)
    }

    /// All reasons why the offer cannot be used; none if it can. `unix_time` is
    /// the present moment, counted from the Unix epoch.
    pub fn reasons_against(&self, offer: &Offer, unix_time: Duration) -> Vec<DeclineReason> {
        let mut reasons = Vec::new();
        if let Some(wanted) = self.role.as_ref().filter(|_| !self.is_for_role(offer)) {
            reasons.push(DeclineReason::OtherRole {
                offered: offer.role.clone(),
                wanted: wanted.clone(),
            });
        }
        reasons.extend(
            self.maintenance_in(offer, unix_time)
                .map(|starts_in| DeclineReason::Maintenance { starts_in }),
        );
        let unmet = self.constraints.unmet_by(&offer.attributes);
        reasons.extend(unmet.into_iter().map(DeclineReason::UnmetConstraint));
        let shortages = offer.resources.shortages(&self.demand);
        reasons.extend(shortages.into_iter().map(DeclineReason::Shortage));
        reasons
    }

    fn is_for_role(&self, offer: &Offer) -> bool {
        match (&self.role, &offer.role) {
            (Some(wanted), Some(offered)) => wanted == offered,
            // Masters name no role to frameworks that can have only one.
            (None, _) | (_, None) => true,
        }
    }

    /// The time until the agent goes down, if that is too soon.
    fn maintenance_in(&self, offer: &Offer, unix_time: Duration) -> Option<Duration> {
        let planned = offer.unavailability?;
        let until = unix_time.saturating_add(self.maintenance_margin);
        planned
            .overlaps(unix_time, until)
            .then(|| planned.start.saturating_sub(unix_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offers::test_offers::offer;
    use crate::offers::{Attribute, AttributeValue, Unavailability};
    use crate::resources::{Ranges, Scalar};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn requirement() -> Requirement {
        Requirement {
            demand: Demand::new()
                .with_cpus(Scalar::new(4))
                .with_mem(Scalar::new(1408)),
            ..Requirement::default()
        }
    }

    fn reasons(requirement: &Requirement, offer: &Offer) -> Vec<String> {
        let reasons = requirement.reasons_against(offer, NOW);
        assert_eq!(requirement.is_met_by(offer, NOW), reasons.is_empty());
        reasons.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_offer_with_exactly_enough_can_be_used() {
        let offer = offer("o1", "a1", "cpus:1;cpus(eng):3;mem:1408");
        assert_eq!(reasons(&requirement(), &offer), [""; 0]);
    }

    #[test]
    fn all_reasons_are_given_at_once() {
        let mut offer = offer("o1", "a1", "cpus:2;mem:1024;ports:[31000-31009]");
        offer.role = Some("ops".into());
        offer.attributes = [Attribute::new("zone", AttributeValue::Text("c".into()))].into();
        offer.unavailability = Some(Unavailability {
            start: NOW + Duration::from_secs(30),
            duration: None,
        });
        let mut requirement = requirement();
        requirement.role = Some("eng".into());
        requirement.constraints = "zone:a;ssd:".parse().expect("constraints");
        requirement.maintenance_margin = Duration::from_secs(60);
        let port: Ranges = "[7337-7337]".parse().expect("ranges");
        requirement.demand = requirement.demand.with_gpus(1).with_ports(&port);
        assert_eq!(
            reasons(&requirement, &offer),
            [
                "offered to role ops, wanted for role eng",
                "agent goes down for maintenance in 30 s",
                "attribute zone must be a, is c",
                "attribute ssd is missing",
                "4 cpus needed, 2 available",
                "1408 MiB of mem needed, 1024 available",
                "1 gpus needed, 0 available",
                "ports [7337-7337] needed, not available",
            ]
        );
    }

    #[test]
    fn an_offer_that_names_no_role_is_for_ours() {
        let mut requirement = requirement();
        requirement.role = Some("eng".into());
        let mut offer = offer("o1", "a1", "cpus:8;mem:4096");
        offer.role = None;
        assert_eq!(reasons(&requirement, &offer), [""; 0]);
    }

    #[test]
    fn maintenance_counts_from_its_margin_to_its_end() {
        let mut requirement = requirement();
        requirement.maintenance_margin = Duration::from_secs(60);
        let at = |start: i64, duration| {
            let mut offer = offer("o1", "a1", "cpus:8;mem:4096");
            let start = NOW.as_secs().saturating_add_signed(start);
            offer.unavailability = Some(Unavailability {
                start: Duration::from_secs(start),
                duration,
            });
            reasons(&requirement, &offer)
        };
        assert_eq!(at(61, None), [""; 0]);
        assert_eq!(at(60, None), ["agent goes down for maintenance in 60 s"]);
        assert_eq!(at(-10, None), ["agent is down for maintenance"]);
        assert_eq!(
            at(-10, Some(Duration::from_secs(11))),
            ["agent is down for maintenance"]
        );
        assert_eq!(at(-10, Some(Duration::from_secs(10))), [""; 0]);
    }
}
