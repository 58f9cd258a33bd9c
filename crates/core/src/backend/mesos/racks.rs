//! In which racks the hosts of agents stand. Pure.
//!
//! Responsible for what offers say of that: an attribute that the user names
//! (`mesquite.locality.rack.attribute`), or the zone of the agent's fault domain. The desk
//! asks it at each offer; the task scheduler learns what is news (`RACK_LOCAL`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ids::Host;
use crate::offers::Offer;

/// See the module.
#[derive(Debug)]
pub(super) struct Racks {
    attribute: Option<Arc<str>>,
    known: BTreeMap<Arc<str>, Arc<str>>,
}

impl Racks {
    /// None are known. By an agent's zone if there is no attribute.
    pub(super) const fn new(attribute: Option<Arc<str>>) -> Self {
        Self {
            attribute,
            known: BTreeMap::new(),
        }
    }

    /// Hosts whose racks these offers are the first to tell, or tell otherwise than before.
    pub(super) fn news<'a>(
        &mut self,
        offers: impl Iterator<Item = &'a Offer>,
    ) -> Vec<(Host, Arc<str>)> {
        let mut news = Vec::new();
        for offer in offers {
            let Some(rack) = self.rack_of(offer) else {
                continue;
            };
            if self.known.get(&offer.hostname) != Some(&rack) {
                let host = Arc::clone(&offer.hostname);
                news.push((Host::from(&*host), Arc::clone(&rack)));
                self.known.insert(host, rack);
            }
        }
        news
    }

    fn rack_of(&self, offer: &Offer) -> Option<Arc<str>> {
        match &self.attribute {
            Some(wanted) => {
                let mut all = offer.attributes.iter();
                let found = all.find(|it| it.name == *wanted)?;
                Some(found.value.to_string().into())
            }
            // Zones of two regions may be called alike.
            None => Some(offer.fault_domain.as_ref()?.to_string().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offers::{Attribute, AttributeValue, FaultDomain};
    use crate::resources::Resources;

    fn offer(host: &str, rack: &str, zone: Option<&str>) -> Offer {
        let rack = AttributeValue::Text(rack.into());
        Offer {
            hostname: host.into(),
            attributes: [Attribute::new("rack", rack)].into(),
            fault_domain: zone.map(|zone| FaultDomain {
                region: "r".into(),
                zone: zone.into(),
            }),
            id: "o".into(),
            agent_id: host.into(),
            address: None,
            resources: Resources::new(),
            executor_ids: Vec::new(),
            role: None,
            unavailability: None,
        }
    }

    fn told(racks: &mut Racks, offer: &Offer) -> Vec<String> {
        let news = racks.news(std::iter::once(offer)).into_iter();
        news.map(|(host, rack)| format!("{host}={rack}")).collect()
    }

    #[test]
    fn what_is_known_is_told_once_and_a_move_again() {
        let mut racks = Racks::new(Some("rack".into()));
        let (first, moved) = (offer("a", "1", None), offer("a", "2", None));
        assert_eq!(told(&mut racks, &first), ["a=1"]);
        assert_eq!(told(&mut racks, &first), [""; 0]);
        assert_eq!(told(&mut racks, &offer("b", "1", None)), ["b=1"]);
        assert_eq!(told(&mut racks, &moved), ["a=2"]);
    }

    #[test]
    fn without_an_attribute_it_is_the_zone_if_there_is_one() {
        let mut racks = Racks::new(None);
        assert_eq!(told(&mut racks, &offer("a", "1", None)), [""; 0]);
        assert_eq!(told(&mut racks, &offer("a", "1", Some("z"))), ["a=r/z"]);
        let mut racks = Racks::new(Some("row".into()));
        assert_eq!(told(&mut racks, &offer("a", "1", Some("z"))), [""; 0]);
    }
}
