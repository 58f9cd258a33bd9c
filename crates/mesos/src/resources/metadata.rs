//! What makes two resources of one name different: reservations, disks, and so on.
//!
//! Responsible for keeping everything that Mesos compares when it checks that a
//! task's resources are part of an offer, so that what is echoed to the master
//! is what came from it. The wire layer fills these types; decisions ask them a
//! few questions. They do no arithmetic.
//!
//! Most entries of an offer have the same metadata, so a `Resource` holds it in
//! an `Arc`: cutting a piece off a resource copies a pointer.

use std::fmt;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use crate::ids::Role;

/// Everything about a resource but its name and value. Equal fields mean the
/// same metadata; resources with different metadata are never added up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Metadata {
    /// The resource provider that offers it; none for the agent itself.
    pub provider_id: Option<Arc<str>>,
    /// `Resource.role`, the old way to say for whom it is reserved. `*` and
    /// absent both mean unreserved but are kept apart for the echo.
    pub role: Option<Role>,
    /// `Resource.reservation`, the old form of a dynamic reservation.
    pub reservation: Option<Reservation>,
    /// `Resource.reservations`: who reserved it, each a refinement of the one
    /// before. Sent to frameworks that can do RESERVATION_REFINEMENT.
    pub reservations: Vec<Reservation>,
    /// The disk it lies on, for `disk` resources other than plain sandbox space.
    pub disk: Option<Disk>,
    /// Whether the agent may take it back at any time (`Resource.revocable`).
    pub revocable: bool,
    /// Whether several tasks may use it at once (`Resource.shared`).
    pub shared: bool,
    /// The role it is offered to: `Resource.allocation_info.role`.
    pub allocation_role: Option<Role>,
}

/// One reservation: `Resource.ReservationInfo`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Reservation {
    /// Who made it: the agent's operator, or a call at run time. Absent in the
    /// old form.
    pub kind: Option<ReservationKind>,
    /// The role it is for. Absent in the old form.
    pub role: Option<Role>,
    /// The principal that made it.
    pub principal: Option<Arc<str>>,
    /// The encoded `Labels` message; nothing is decided by it.
    pub labels: Option<Bytes>,
}

/// `Resource.ReservationInfo.Type`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum ReservationKind {
    /// A kind that this version of Mesquite does not know.
    Unknown,
    /// Made by the agent's flags.
    Static,
    /// Made by a call, and undone by one.
    Dynamic,
}

/// A disk of its own, or a persistent volume: `Resource.DiskInfo`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub struct Disk {
    /// The id of the persistent volume, if it is one: `persistence.id`.
    pub persistence_id: Option<Arc<str>>,
    /// What it lies on, if not the agent's work folder: `source.type`.
    pub source: Option<DiskSource>,
    /// The whole encoded `DiskInfo` message. It is what is echoed, and what
    /// tells disks apart.
    pub encoded: Bytes,
}

/// `Resource.DiskInfo.Source.Type`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum DiskSource {
    /// A kind that this version of Mesquite does not know.
    Unknown,
    /// A folder, which can be shared out.
    Path,
    /// A file system, which is used as a whole.
    Mount,
    /// A block device, which is used as a whole.
    Block,
    /// Storage that still has to be made into a disk of one of the other kinds.
    Raw,
}

impl Metadata {
    /// The metadata of a resource that is just offered by the agent, to nobody
    /// in particular. All such resources can share it.
    pub fn plain() -> Arc<Self> {
        static PLAIN: LazyLock<Arc<Metadata>> = LazyLock::new(Arc::default);
        Arc::clone(&PLAIN)
    }

    /// The metadata of resources that the agent's operator reserved for `role`;
    /// for the role `*`, of unreserved ones.
    pub fn reserved_by_operator(role: &Role) -> Arc<Self> {
        if role.as_str() == UNRESERVED {
            return Self::plain();
        }
        Arc::new(Self {
            reservations: vec![Reservation {
                kind: Some(ReservationKind::Static),
                role: Some(role.clone()),
                ..Reservation::default()
            }],
            ..Self::default()
        })
    }

    /// The role for which it is reserved, in either format; the last, most
    /// refined one if there are several. `None` if it is unreserved.
    pub fn reserved_role(&self) -> Option<&Role> {
        match self.reservations.last() {
            Some(last) => last.role.as_ref(),
            None => self.role.as_ref(),
        }
        .filter(|role| role.as_str() != UNRESERVED)
    }

    /// The reservation that is in force, unless it is a static one in the old
    /// format, which is nothing but a role.
    pub fn last_reservation(&self) -> Option<&Reservation> {
        self.reservations.last().or(self.reservation.as_ref())
    }

    /// Whether it was reserved by a call and not by the agent's operator.
    pub fn is_dynamically_reserved(&self) -> bool {
        match self.reservations.last() {
            Some(last) => last.kind == Some(ReservationKind::Dynamic),
            None => self.reservation.is_some(),
        }
    }

    /// How specific the reservation is: 0 for none, 1 for `eng`, 2 for `eng/web`.
    pub(super) fn reservation_depth(&self) -> usize {
        self.reserved_role()
            .map_or(0, |role| 1 + role.as_str().matches('/').count())
    }

    /// Whether it can only be used as a whole: a persistent volume, a shared
    /// resource, or a disk that Mesos does not split.
    pub fn is_indivisible(&self) -> bool {
        self.shared || self.disk.as_ref().is_some_and(Disk::is_indivisible)
    }
}

/// The role that means "reserved for nobody".
const UNRESERVED: &str = "*";

impl Disk {
    /// Whether it can only be used as a whole.
    fn is_indivisible(&self) -> bool {
        self.persistence_id.is_some() || !matches!(self.source, None | Some(DiskSource::Path))
    }
}

impl fmt::Display for ReservationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Static => "static",
            Self::Dynamic => "dynamic",
        })
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.persistence_id, self.source) {
            (Some(id), _) => write!(f, "volume {id}"),
            (None, Some(source)) => write!(f, "{source} disk"),
            (None, None) => f.write_str("disk"),
        }
    }
}

impl fmt::Display for DiskSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Path => "path",
            Self::Mount => "mount",
            Self::Block => "block",
            Self::Raw => "raw",
        })
    }
}
