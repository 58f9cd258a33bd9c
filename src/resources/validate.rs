//! The rules of form that Mesos has for a resource.
//!
//! Responsible for saying, before anything is sent, what the master would
//! refuse: one malformed resource makes it refuse every task of a launch. What
//! comes from an offer obeys these rules already and is echoed unchanged.

use super::{Disk, Metadata, Reservation, ReservationKind, Resource, ResourceName, Scalar, Value};
use crate::ids::Role;

/// Why Mesos would refuse a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// It has no name.
    #[error("resource has no name")]
    NoName,
    /// Graphics processors are not shared out.
    #[error("gpus:{0} is not a whole number of gpus")]
    FractionOfGpu(Value),
    /// Only the resource called `disk` can be one.
    #[error("{0} is described as a disk; only the resource 'disk' can be")]
    NotADisk(ResourceName),
    /// A persistent volume belongs to a role.
    #[error("persistent volume {0} is not reserved for a role")]
    UnreservedVolume(String),
    /// Revocable resources cannot be reserved.
    #[error("revocable {name} are reserved for {role}")]
    ReservedRevocable {
        /// What is reserved.
        name: ResourceName,
        /// For whom.
        role: Role,
    },
    /// Only persistent volumes can be shared.
    #[error("shared {0} are not a persistent volume")]
    SharedButNoVolume(ResourceName),
    /// The reservation of the old form stands without its role, or holds what
    /// only the new form has.
    #[error(
        "reservation of {0} mixes the form before reservation refinement with the one after it"
    )]
    MixedForms(ResourceName),
    /// A reservation of the new form without a role or a known type, or one for
    /// everybody.
    #[error("reservation of {0} has no type or no role, or is for the role '*'")]
    IncompleteReservation(ResourceName),
    /// A static reservation on top of another one.
    #[error("reservation of {name} for {role} refines another one but is static")]
    StaticRefinement {
        /// What is reserved.
        name: ResourceName,
        /// For whom.
        role: Role,
    },
    /// A reservation on top of another one whose role is not below the other's.
    #[error("reservation of {name} for {role} refines one for {parent}, which is not above it")]
    NotARefinement {
        /// What is reserved.
        name: ResourceName,
        /// For whom.
        role: Role,
        /// The role of the reservation below it.
        parent: Role,
    },
}

impl Resource {
    /// Whether Mesos would accept it in a call.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn validate(&self) -> Result<(), InvalidResource> {
        let name = || self.name.clone();
        let metadata = &*self.metadata;
        if self.name.as_str().is_empty() {
            return Err(InvalidResource::NoName);
        }
        if self.name == ResourceName::GPUS && !self.scalar().is_some_and(Scalar::is_whole) {
            return Err(InvalidResource::FractionOfGpu(self.value.clone()));
        }
        if metadata.disk.is_some() && self.name != ResourceName::DISK {
            return Err(InvalidResource::NotADisk(name()));
        }
        validate_reservations(&self.name, metadata)?;
        let role = metadata.reserved_role();
        if let (true, Some(role)) = (metadata.revocable, role) {
            return Err(InvalidResource::ReservedRevocable {
                name: name(),
                role: role.clone(),
            });
        }
        let volume = metadata.disk.as_ref().and_then(persistence_id);
        match volume {
            Some(id) if role.is_none() => Err(InvalidResource::UnreservedVolume(id.to_owned())),
            None if metadata.shared => Err(InvalidResource::SharedButNoVolume(name())),
            _ => Ok(()),
        }
    }
}

fn persistence_id(disk: &Disk) -> Option<&str> {
    disk.persistence_id.as_deref()
}

fn validate_reservations(name: &ResourceName, metadata: &Metadata) -> Result<(), InvalidResource> {
    let Some(first) = metadata.reservations.first() else {
        return match &metadata.reservation {
            Some(old) if metadata.reserved_role().is_none() || has_new_parts(old) => {
                Err(InvalidResource::MixedForms(name.clone()))
            }
            _ => Ok(()),
        };
    };
    // Masters write both forms in their answers to operators; that is allowed
    // as long as the two say the same.
    let old_role_agrees = metadata.role.is_none()
        || (metadata.reservations.len() == 1 && metadata.role == first.role);
    let old_reservation_agrees = metadata.reservation.as_ref().is_none_or(|old| {
        metadata.role.is_some()
            && first.kind == Some(ReservationKind::Dynamic)
            && old.principal == first.principal
            && old.labels == first.labels
    });
    if !old_role_agrees || !old_reservation_agrees {
        return Err(InvalidResource::MixedForms(name.clone()));
    }
    let mut below: Option<&Role> = None;
    for reservation in &metadata.reservations {
        let (Some(role), Some(ReservationKind::Static | ReservationKind::Dynamic)) =
            (&reservation.role, reservation.kind)
        else {
            return Err(InvalidResource::IncompleteReservation(name.clone()));
        };
        if role.as_str() == "*" {
            return Err(InvalidResource::IncompleteReservation(name.clone()));
        }
        if let Some(parent) = below {
            if reservation.kind == Some(ReservationKind::Static) {
                return Err(InvalidResource::StaticRefinement {
                    name: name.clone(),
                    role: role.clone(),
                });
            }
            if !is_below(role, parent) {
                return Err(InvalidResource::NotARefinement {
                    name: name.clone(),
                    role: role.clone(),
                    parent: parent.clone(),
                });
            }
        }
        below = Some(role);
    }
    Ok(())
}

fn has_new_parts(reservation: &Reservation) -> bool {
    reservation.kind.is_some() || reservation.role.is_some()
}

/// Whether `role` is a strict sub-role of `parent`, as `eng/web` is of `eng`.
fn is_below(role: &Role, parent: &Role) -> bool {
    role.as_str()
        .strip_prefix(parent.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;

    fn reservation(kind: ReservationKind, role: &str) -> Reservation {
        Reservation {
            kind: Some(kind),
            role: Some(role.into()),
            ..Reservation::default()
        }
    }

    fn stack(reservations: &[(ReservationKind, &str)]) -> Metadata {
        Metadata {
            reservations: reservations
                .iter()
                .map(|&(kind, role)| reservation(kind, role))
                .collect(),
            ..Metadata::default()
        }
    }

    fn check(name: &str, metadata: Metadata) -> Result<(), InvalidResource> {
        Resource::new(name, Scalar::new(1), Arc::new(metadata)).validate()
    }

    use ReservationKind::{Dynamic, Static};

    #[test]
    fn every_form_of_reservation_that_mesos_sends_is_valid() {
        let old = |role: &str, reservation| Metadata {
            role: Some(role.into()),
            reservation,
            ..Metadata::default()
        };
        for metadata in [
            Metadata::default(),
            old("*", None),
            old("eng", None),
            old("eng", Some(Reservation::default())),
            stack(&[(Static, "eng")]),
            stack(&[
                (Static, "eng"),
                (Dynamic, "eng/web"),
                (Dynamic, "eng/web/a"),
            ]),
            Metadata {
                role: Some("eng".into()),
                reservation: Some(Reservation::default()),
                ..stack(&[(Dynamic, "eng")])
            },
        ] {
            assert_eq!(check("cpus", metadata.clone()), Ok(()), "{metadata:?}");
        }
    }

    #[test]
    fn reservations_that_mesos_refuses_are_refused() {
        let refused =
            |metadata: Metadata| check("cpus", metadata).expect_err("invalid").to_string();
        assert_eq!(
            refused(stack(&[(Static, "eng"), (Static, "eng/web")])),
            "reservation of cpus for eng/web refines another one but is static"
        );
        assert_eq!(
            refused(stack(&[(Static, "eng"), (Dynamic, "english")])),
            "reservation of cpus for english refines one for eng, which is not above it"
        );
        let incomplete = "reservation of cpus has no type or no role, or is for the role '*'";
        assert_eq!(refused(stack(&[(Static, "*")])), incomplete);
        assert_eq!(
            refused(stack(&[(ReservationKind::Unknown, "eng")])),
            incomplete
        );
        let mixed = "reservation of cpus mixes the form before reservation refinement with the one after it";
        assert_eq!(
            refused(Metadata {
                reservation: Some(Reservation::default()),
                ..Metadata::default()
            }),
            mixed
        );
        assert_eq!(
            refused(Metadata {
                role: Some("ops".into()),
                ..stack(&[(Static, "eng")])
            }),
            mixed
        );
        assert_eq!(
            refused(Metadata {
                revocable: true,
                ..stack(&[(Static, "eng")])
            }),
            "revocable cpus are reserved for eng"
        );
    }

    #[test]
    fn disks_volumes_and_gpus_have_rules_of_their_own() {
        let volume = |metadata: Metadata| Metadata {
            disk: Some(Disk {
                persistence_id: Some("data".into()),
                source: None,
                encoded: Bytes::from_static(b"data"),
            }),
            ..metadata
        };
        assert_eq!(check("disk", volume(stack(&[(Dynamic, "eng")]))), Ok(()));
        assert_eq!(
            check("disk", volume(Metadata::default())),
            Err(InvalidResource::UnreservedVolume("data".into()))
        );
        assert_eq!(
            check("mem", volume(stack(&[(Dynamic, "eng")]))),
            Err(InvalidResource::NotADisk(ResourceName::MEM))
        );
        let shared = Metadata {
            shared: true,
            ..Metadata::default()
        };
        assert_eq!(
            check("disk", shared),
            Err(InvalidResource::SharedButNoVolume(ResourceName::DISK))
        );
        let half = Resource::plain("gpus", Scalar::from_milli(500));
        assert_eq!(
            half.validate().expect_err("invalid").to_string(),
            "gpus:0.5 is not a whole number of gpus"
        );
        assert_eq!(check("", Metadata::default()), Err(InvalidResource::NoName));
    }
}
