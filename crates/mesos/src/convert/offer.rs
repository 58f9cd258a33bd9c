//! Offers and inverse offers.

use std::time::Duration;

use super::super::proto;
use super::names::Names;
use super::resource::{ResourceReader, attribute_from_wire};
use super::{ConvertError, required};
use crate::ids::{AgentId, ExecutorId, OfferId, Role};
use crate::offers::{AgentAddress, FaultDomain, InverseOffer, Offer, Unavailability};

/// Turns the offers of one event into the domain's, which share what is alike.
#[derive(Default)]
pub(in super::super) struct OfferReader {
    resources: ResourceReader,
    names: Names,
}

impl OfferReader {
    pub(in super::super) fn read(&mut self, offer: &proto::Offer) -> Result<Offer, ConvertError> {
        Ok(Offer {
            id: required::<OfferId>("an offer", "id", &offer.id.value)?,
            agent_id: required::<AgentId>("an offer", "agent_id", &offer.agent_id.value)?,
            hostname: offer.hostname.as_str().into(),
            address: offer.url.as_ref().and_then(address_from_wire),
            resources: self.resources.read(&offer.resources),
            attributes: offer
                .attributes
                .iter()
                .filter_map(|attribute| attribute_from_wire(attribute, &mut self.names))
                .collect(),
            executor_ids: offer
                .executor_ids
                .iter()
                .map(|id| ExecutorId::from(id.value.as_str()))
                .collect(),
            role: offer
                .allocation_info
                .as_ref()
                .and_then(|info| info.role.as_deref())
                .map(|role| Role::new(self.names.shared(role))),
            unavailability: offer.unavailability.as_ref().map(unavailability_from_wire),
            fault_domain: offer
                .domain
                .as_ref()
                .and_then(|domain| domain.fault_domain.as_ref())
                .map(|domain| FaultDomain {
                    region: self.names.shared(&domain.region.name),
                    zone: self.names.shared(&domain.zone.name),
                }),
        })
    }
}

fn address_from_wire(url: &proto::Url) -> Option<AgentAddress> {
    let address = &url.address;
    let host = address.ip.as_deref().or(address.hostname.as_deref())?;
    let port = u16::try_from(address.port).ok()?;
    Some(AgentAddress {
        host: host.into(),
        port,
        tls: url.scheme == "https",
    })
}

fn unavailability_from_wire(unavailability: &proto::Unavailability) -> Unavailability {
    // A moment before 1970 is as past as 1970.
    let nanoseconds = |number: i64| Duration::from_nanos(u64::try_from(number).unwrap_or(0));
    Unavailability {
        start: nanoseconds(unavailability.start.nanoseconds),
        duration: unavailability
            .duration
            .map(|it| nanoseconds(it.nanoseconds)),
    }
}

pub(super) fn inverse_offers_from_wire(
    offers: Vec<proto::InverseOffer>,
) -> Result<Vec<InverseOffer>, ConvertError> {
    offers
        .into_iter()
        .map(|offer| {
            Ok(InverseOffer {
                id: required::<OfferId>("an inverse offer", "id", &offer.id.value)?,
                agent_id: offer.agent_id.map(|id| AgentId::from(id.value)),
                unavailability: unavailability_from_wire(&offer.unavailability),
            })
        })
        .collect()
}
