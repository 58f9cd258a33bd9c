//! Resources and attributes.

use std::sync::Arc;

use prost::Message;

use super::super::proto::{self, resource, value};
use super::names::Names;
use crate::ids::Role;
use crate::offers::{Attribute, AttributeValue};
use crate::resources::{
    Disk, DiskSource, Metadata, Ranges, Reservation, ReservationKind, Resource, Resources, Scalar,
    Set, Value,
};

/// Turns the resources of one event into the domain's. The entries of an event
/// are alike but for their values, so equal metadata is made once and shared.
#[derive(Default)]
pub(super) struct ResourceReader {
    seen: Vec<(proto::Resource, Arc<Metadata>)>,
}

/// So many kinds of metadata are remembered; an event has few.
const REMEMBERED: usize = 8;

impl ResourceReader {
    /// A resource that makes no sense is left out: nothing can be made of it,
    /// and what is not used of an offer goes back with the rest.
    pub(super) fn read(&mut self, resources: &[proto::Resource]) -> Resources {
        resources
            .iter()
            .filter_map(|resource| {
                let value = read_value(resource);
                if value.is_none() {
                    tracing::debug!(?resource, "left out a resource that makes no sense");
                }
                Some(Resource {
                    value: value?,
                    name: resource.name.as_str().into(),
                    metadata: self.metadata(resource),
                })
            })
            .collect()
    }

    fn metadata(&mut self, resource: &proto::Resource) -> Arc<Metadata> {
        let seen = self.seen.iter().find(|(seen, _)| are_alike(seen, resource));
        if let Some((_, metadata)) = seen {
            return Arc::clone(metadata);
        }
        let metadata = Arc::new(read_metadata(resource.clone()));
        if self.seen.len() < REMEMBERED {
            self.seen.push((resource.clone(), Arc::clone(&metadata)));
        }
        metadata
    }
}

/// Whether two resources differ in nothing but their names and values.
#[expect(deprecated, reason = "the old format is what older frameworks get")]
fn are_alike(one: &proto::Resource, other: &proto::Resource) -> bool {
    one.allocation_info == other.allocation_info
        && one.reservations == other.reservations
        && one.disk == other.disk
        && one.revocable == other.revocable
        && one.shared == other.shared
        && one.provider_id == other.provider_id
        && one.role == other.role
        && one.reservation == other.reservation
}

fn read_value(resource: &proto::Resource) -> Option<Value> {
    if resource.name.is_empty() {
        return None;
    }
    Some(match value::Type::try_from(resource.r#type).ok()? {
        value::Type::Scalar => Scalar::from_f64(resource.scalar.as_ref()?.value)
            .ok()?
            .into(),
        value::Type::Ranges => read_ranges(resource.ranges.as_ref()?)?.into(),
        value::Type::Set => resource.set.as_ref()?.item.iter().collect::<Set>().into(),
        value::Type::Text => return None,
    })
}

fn read_ranges(ranges: &value::Ranges) -> Option<Ranges> {
    Ranges::from_pairs(ranges.range.iter().map(|range| (range.begin, range.end))).ok()
}

#[expect(deprecated, reason = "the old format is what older frameworks get")]
fn read_metadata(resource: proto::Resource) -> Metadata {
    Metadata {
        provider_id: resource.provider_id.map(|id| id.value.into()),
        role: resource.role.map(Role::from),
        reservation: resource.reservation.map(read_reservation),
        reservations: resource
            .reservations
            .into_iter()
            .map(read_reservation)
            .collect(),
        disk: resource.disk.map(|disk| read_disk(*disk)),
        revocable: resource.revocable.is_some(),
        shared: resource.shared.is_some(),
        allocation_role: resource
            .allocation_info
            .and_then(|info| info.role)
            .map(Role::from),
    }
}

fn read_reservation(info: resource::ReservationInfo) -> Reservation {
    use resource::reservation_info::Type;
    Reservation {
        kind: info.r#type.map(|kind| match Type::try_from(kind) {
            Ok(Type::Static) => ReservationKind::Static,
            Ok(Type::Dynamic) => ReservationKind::Dynamic,
            Ok(Type::Unknown) | Err(_) => ReservationKind::Unknown,
        }),
        role: info.role.map(Role::from),
        principal: info.principal.map(Arc::from),
        labels: info.labels.map(|labels| labels.encode_to_vec().into()),
    }
}

fn read_disk(disk: resource::DiskInfo) -> Disk {
    use resource::disk_info::source::Type;
    let encoded = disk.encode_to_vec().into();
    Disk {
        persistence_id: disk.persistence.map(|it| it.id.into()),
        source: disk
            .source
            .map(|source| match Type::try_from(source.r#type) {
                Ok(Type::Path) => DiskSource::Path,
                Ok(Type::Mount) => DiskSource::Mount,
                Ok(Type::Block) => DiskSource::Block,
                Ok(Type::Raw) => DiskSource::Raw,
                Ok(Type::Unknown) | Err(_) => DiskSource::Unknown,
            }),
        encoded,
    }
}

/// Puts resources on the wire, just as they came from it.
pub(super) fn resources_to_wire(resources: &Resources) -> Vec<proto::Resource> {
    resources.iter().map(resource_to_wire).collect()
}

#[expect(deprecated, reason = "the old format is what older frameworks get")]
fn resource_to_wire(resource: &Resource) -> proto::Resource {
    let metadata = &resource.metadata;
    let mut wire = proto::Resource {
        name: resource.name.as_str().to_owned(),
        provider_id: metadata
            .provider_id
            .as_ref()
            .map(|id| proto::ResourceProviderId {
                value: id.to_string(),
            }),
        role: metadata.role.as_ref().map(ToString::to_string),
        allocation_info: metadata
            .allocation_role
            .as_ref()
            .map(|role| resource::AllocationInfo {
                role: Some(role.to_string()),
            }),
        reservation: metadata.reservation.as_ref().map(reservation_to_wire),
        reservations: metadata
            .reservations
            .iter()
            .map(reservation_to_wire)
            .collect(),
        disk: metadata.disk.as_ref().map(|disk| {
            let disk = resource::DiskInfo::decode(disk.encoded.clone());
            Box::new(disk.expect("we encoded it ourselves"))
        }),
        revocable: metadata.revocable.then(resource::RevocableInfo::default),
        shared: metadata.shared.then(resource::SharedInfo::default),
        ..proto::Resource::default()
    };
    match &resource.value {
        Value::Scalar(amount) => {
            wire.set_type(value::Type::Scalar);
            wire.scalar = Some(value::Scalar {
                value: amount.to_f64(),
            });
        }
        Value::Ranges(ranges) => {
            wire.set_type(value::Type::Ranges);
            let range = ranges
                .iter()
                .map(|range| value::Range {
                    begin: range.begin(),
                    end: range.end(),
                })
                .collect();
            wire.ranges = Some(value::Ranges { range });
        }
        Value::Set(items) => {
            wire.set_type(value::Type::Set);
            let item = items.iter().map(ToOwned::to_owned).collect();
            wire.set = Some(value::Set { item });
        }
    }
    wire
}

fn reservation_to_wire(reservation: &Reservation) -> resource::ReservationInfo {
    use resource::reservation_info::Type;
    resource::ReservationInfo {
        r#type: reservation.kind.map(|kind| {
            match kind {
                ReservationKind::Static => Type::Static,
                ReservationKind::Dynamic => Type::Dynamic,
                ReservationKind::Unknown => Type::Unknown,
            }
            .into()
        }),
        role: reservation.role.as_ref().map(ToString::to_string),
        principal: reservation.principal.as_ref().map(ToString::to_string),
        labels: reservation.labels.as_ref().map(|labels| {
            proto::Labels::decode(labels.clone()).expect("we encoded them ourselves")
        }),
    }
}

/// An attribute; `None` if it makes no sense, as it then can match nothing.
pub(super) fn attribute_from_wire(
    attribute: &proto::Attribute,
    names: &mut Names,
) -> Option<Attribute> {
    let value = match value::Type::try_from(attribute.r#type).ok()? {
        value::Type::Scalar => AttributeValue::Scalar(attribute.scalar.as_ref()?.value),
        value::Type::Ranges => AttributeValue::Ranges(read_ranges(attribute.ranges.as_ref()?)?),
        value::Type::Set => AttributeValue::Set(attribute.set.as_ref()?.item.iter().collect()),
        value::Type::Text => AttributeValue::Text(attribute.text.as_ref()?.value.as_str().into()),
    };
    Some(Attribute::new(names.shared(&attribute.name), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(name: &str, amount: f64) -> proto::Resource {
        proto::Resource {
            name: name.into(),
            r#type: value::Type::Scalar.into(),
            scalar: Some(value::Scalar { value: amount }),
            allocation_info: Some(resource::AllocationInfo {
                role: Some("eng".into()),
            }),
            ..proto::Resource::default()
        }
    }

    /// A resource with something in every field that decisions pass over.
    fn ornate() -> proto::Resource {
        let label = proto::Label {
            key: "k".into(),
            value: Some("v".into()),
        };
        let mut resource = scalar("disk", 512.5);
        resource.provider_id = Some(proto::ResourceProviderId { value: "p".into() });
        resource.reservations = vec![resource::ReservationInfo {
            r#type: Some(resource::reservation_info::Type::Dynamic.into()),
            role: Some("eng".into()),
            principal: Some("me".into()),
            labels: Some(proto::Labels {
                labels: vec![label],
            }),
        }];
        resource.disk = Some(Box::new(resource::DiskInfo {
            persistence: Some(resource::disk_info::Persistence {
                id: "volume".into(),
                principal: None,
            }),
            volume: Some(proto::Volume {
                container_path: "data".into(),
                ..proto::Volume::default()
            }),
            source: None,
        }));
        resource.shared = Some(resource::SharedInfo::default());
        resource
    }

    #[test]
    fn what_is_echoed_is_what_came() {
        let mut ports = scalar("ports", 0.0);
        ports.set_type(value::Type::Ranges);
        ports.scalar = None;
        ports.ranges = Some(value::Ranges {
            range: vec![
                value::Range { begin: 1, end: 5 },
                value::Range { begin: 9, end: 9 },
            ],
        });
        let mut revocable = scalar("cpus", 1.5);
        revocable.revocable = Some(resource::RevocableInfo::default());
        let mut zones = scalar("zones", 0.0);
        zones.set_type(value::Type::Set);
        zones.scalar = None;
        zones.set = Some(value::Set {
            item: vec!["a".into(), "b".into()],
        });
        let wire = vec![scalar("cpus", 0.1), ornate(), ports, revocable, zones];
        let resources = ResourceReader::default().read(&wire);
        assert_eq!(resources_to_wire(&resources), wire);
    }

    #[test]
    fn alike_resources_share_their_metadata() {
        let resources = ResourceReader::default().read(&[scalar("cpus", 1.0), scalar("mem", 2.0)]);
        let mut each = resources.iter().map(|resource| &resource.metadata);
        assert!(Arc::ptr_eq(each.next().unwrap(), each.next().unwrap()));
    }

    #[test]
    fn a_resource_that_makes_no_sense_is_left_out() {
        let mut no_value = scalar("cpus", 1.0);
        no_value.scalar = None;
        let mut odd_type = scalar("cpus", 1.0);
        odd_type.r#type = 77;
        let wire = vec![
            no_value,
            odd_type,
            scalar("cpus", -1.0),
            scalar("", 1.0),
            scalar("mem", 1.0),
        ];
        let resources = ResourceReader::default().read(&wire);
        assert_eq!(resources.len(), 1);
    }

    #[test]
    fn all_four_types_of_attribute_are_read() {
        let attribute = |kind: value::Type| proto::Attribute {
            name: "a".into(),
            r#type: kind.into(),
            scalar: Some(value::Scalar { value: 1.5 }),
            ranges: Some(value::Ranges {
                range: vec![value::Range { begin: 1, end: 2 }],
            }),
            set: Some(value::Set {
                item: vec!["x".into()],
            }),
            text: Some(value::Text { value: "t".into() }),
        };
        let read = |it: &_| attribute_from_wire(it, &mut Names::default());
        let printed = |kind| read(&attribute(kind)).unwrap().to_string();
        assert_eq!(printed(value::Type::Scalar), "a:1.5");
        assert_eq!(printed(value::Type::Ranges), "a:[1-2]");
        assert_eq!(printed(value::Type::Set), "a:{x}");
        assert_eq!(printed(value::Type::Text), "a:t");
        let mut empty = attribute(value::Type::Text);
        empty.text = None;
        assert_eq!(read(&empty), None);
    }
}
