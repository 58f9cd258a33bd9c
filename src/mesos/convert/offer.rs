//! Offers and inverse offers.

use std::sync::Arc;
use std::time::Duration;

use super::super::proto;
use super::resource::{ResourceReader, attribute_from_wire};
use super::{ConvertError, required};
use crate::ids::{AgentId, ExecutorId, OfferId, Role};
use crate::offers::{AgentAddress, FaultDomain, InverseOffer, Offer, Unavailability};

pub(super) fn offers_from_wire(offers: Vec<proto::Offer>) -> Result<Vec<Offer>, ConvertError> {
    let mut resources = ResourceReader::default();
    offers
        .into_iter()
        .map(|offer| offer_from_wire(offer, &mut resources))
        .collect()
}

fn offer_from_wire(
    offer: proto::Offer,
    resources: &mut ResourceReader,
) -> Result<Offer, ConvertError> {
    Ok(Offer {
        id: required::<OfferId>("an offer", "id", offer.id.value)?,
        agent_id: required::<AgentId>("an offer", "agent_id", offer.agent_id.value)?,
        hostname: offer.hostname.into(),
        address: offer.url.and_then(address_from_wire),
        resources: resources.read(offer.resources),
        attributes: offer
            .attributes
            .into_iter()
            .filter_map(attribute_from_wire)
            .collect(),
        executor_ids: offer
            .executor_ids
            .into_iter()
            .map(|id| ExecutorId::from(id.value))
            .collect(),
        role: offer
            .allocation_info
            .and_then(|info| info.role)
            .map(Role::from),
        unavailability: offer.unavailability.map(|it| unavailability_from_wire(&it)),
        fault_domain: offer
            .domain
            .and_then(|domain| domain.fault_domain)
            .map(|domain| FaultDomain {
                region: domain.region.name.into(),
                zone: domain.zone.name.into(),
            }),
    })
}

fn address_from_wire(url: proto::Url) -> Option<AgentAddress> {
    let host: Arc<str> = url.address.ip.or(url.address.hostname)?.into();
    let port = u16::try_from(url.address.port).ok()?;
    Some(AgentAddress { host, port })
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
                id: required::<OfferId>("an inverse offer", "id", offer.id.value)?,
                agent_id: offer.agent_id.map(|id| AgentId::from(id.value)),
                unavailability: unavailability_from_wire(&offer.unavailability),
            })
        })
        .collect()
}
