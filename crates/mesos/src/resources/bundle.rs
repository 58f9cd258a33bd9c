//! Several resources together: what an offer holds, what a task takes.
//!
//! Responsible for adding, subtracting, comparing and summing up lists of
//! resources by Mesos's rules: entries count as one only if everything about
//! them but the value is equal. `take` chooses which entries to use.

use std::collections::hash_map::Entry;
use std::mem::Discriminant;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Metadata, Ranges, Resource, ResourceName, Scalar, Value};

/// A list of resources in which no two entries could be added up, and none is
/// empty.
///
/// Entries that are used only as a whole (persistent volumes, mounted disks,
/// shared resources) stand for themselves, even if they are equal.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Resources(Vec<Resource>);

/// The resources asked for are not all there; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missing} is not contained in {available}")]
pub struct NotContained {
    /// The first entry that is not contained.
    pub missing: Resource,
    /// What there is.
    pub available: Resources,
}

impl Resources {
    /// No resources. Allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The entries, in the order in which they were first added.
    pub fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.0.iter()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds one entry to those of the same identity. Empty ones are dropped.
    pub fn add(&mut self, resource: Resource) {
        if resource.value.is_empty() {
            return;
        }
        if !resource.metadata.is_indivisible()
            && let Some(entry) = self
                .0
                .iter_mut()
                .find(|entry| entry.same_identity(&resource))
        {
            entry.value.add(&resource.value);
        } else {
            self.0.push(resource);
        }
    }

    /// As [`add`](Self::add), with the places of all entries that can be added to.
    fn add_by(&mut self, places: &mut Places, resource: Resource) {
        if resource.value.is_empty() {
            return;
        }
        if resource.metadata.is_indivisible() {
            self.0.push(resource);
            return;
        }
        match places.entry(identity(&resource)) {
            Entry::Occupied(place) => self.0[*place.get()].value.add(&resource.value),
            Entry::Vacant(place) => {
                place.insert(self.0.len());
                self.0.push(resource);
            }
        }
    }

    /// Adds all entries of `other`.
    pub fn add_all(&mut self, other: &Self) {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else {
            for resource in other {
                self.add(resource.clone());
            }
        }
    }

    /// Whether all of `other` is part of it: each entry within one of the same
    /// identity, as the master checks it.
    pub fn contains(&self, other: &Self) -> bool {
        self.first_missing(other).is_none()
    }

    /// Takes all of `other` away.
    ///
    /// # Errors
    /// If it does not contain all of `other`; nothing is changed then.
    pub fn subtract(&mut self, other: &Self) -> Result<(), NotContained> {
        if let Some(missing) = self.first_missing(other) {
            return Err(NotContained {
                missing: missing.clone(),
                available: self.clone(),
            });
        }
        for resource in other {
            let at = self
                .0
                .iter()
                .position(|entry| holds(entry, resource))
                .expect("what is contained has an entry");
            if resource.metadata.is_indivisible() {
                self.0.remove(at);
            } else {
                self.0[at].value.subtract(&resource.value);
            }
        }
        self.0.retain(|entry| !entry.value.is_empty());
        Ok(())
    }

    /// The sum of all scalars of that name, whatever their metadata.
    pub fn scalar(&self, name: &ResourceName) -> Scalar {
        self.0
            .iter()
            .filter(|entry| entry.name == *name)
            .filter_map(Resource::scalar)
            .sum()
    }

    /// All numbers of that name, whatever their metadata.
    pub fn ranges(&self, name: &ResourceName) -> Ranges {
        let mut all = Ranges::new();
        for entry in self.0.iter().filter(|entry| entry.name == *name) {
            if let Some(ranges) = entry.ranges() {
                all.insert_all(ranges);
            }
        }
        all
    }

    /// The same amounts without their metadata: one entry a name, in the order
    /// in which people look for them.
    pub fn totals(&self) -> Self {
        let mut totals: Self = self
            .iter()
            .map(|entry| Resource::plain(entry.name.clone(), entry.value.clone()))
            .collect();
        totals.0.sort_by(|one, other| one.name.cmp(&other.name));
        totals
    }

    /// Processors, whatever their metadata.
    pub fn cpus(&self) -> Scalar {
        self.scalar(&ResourceName::CPUS)
    }

    /// Memory in MiB, whatever its metadata.
    pub fn mem(&self) -> Scalar {
        self.scalar(&ResourceName::MEM)
    }

    /// Graphics processors, whatever their metadata.
    pub fn gpus(&self) -> Scalar {
        self.scalar(&ResourceName::GPUS)
    }

    /// Ports, whatever their metadata.
    pub fn ports(&self) -> Ranges {
        self.ranges(&ResourceName::PORTS)
    }

    /// The first entry of `other` that is not part of this.
    fn first_missing<'a>(&self, other: &'a Self) -> Option<&'a Resource> {
        other.iter().enumerate().find_map(|(index, resource)| {
            let contained = if resource.metadata.is_indivisible() {
                // Equal ones stand for themselves, so they are counted.
                let wanted = count(&other.0[..=index], resource);
                wanted <= count(&self.0, resource)
            } else {
                self.0.iter().any(|entry| holds(entry, resource))
            };
            (!contained).then_some(resource)
        })
    }

    /// The entries, for `take`, which leaves none of them empty.
    pub(super) fn entries_mut(&mut self) -> &mut Vec<Resource> {
        &mut self.0
    }
}

/// So few entries are found by looking at each.
const FEW: usize = 32;

/// What entries have in common that can be added up.
type Identity = (ResourceName, Discriminant<Value>, Arc<Metadata>);

/// Where the entry of each identity is.
type Places = FxHashMap<Identity, usize>;

fn identity(resource: &Resource) -> Identity {
    let kind = std::mem::discriminant(&resource.value);
    (resource.name.clone(), kind, Arc::clone(&resource.metadata))
}

fn places_of(entries: &[Resource]) -> Places {
    let mut places = Places::default();
    for (place, entry) in entries.iter().enumerate() {
        if !entry.metadata.is_indivisible() {
            places.entry(identity(entry)).or_insert(place);
        }
    }
    places
}

/// Whether `resource` can be cut off `entry`, or is it as a whole.
fn holds(entry: &Resource, resource: &Resource) -> bool {
    if resource.metadata.is_indivisible() {
        entry == resource
    } else {
        entry.same_identity(resource) && entry.value.contains(&resource.value)
    }
}

fn count(entries: &[Resource], resource: &Resource) -> usize {
    entries.iter().filter(|entry| *entry == resource).count()
}

impl PartialEq for Resources {
    /// Whether each contains the other; the order of entries does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.contains(other) && other.contains(self)
    }
}

impl Eq for Resources {}

impl FromIterator<Resource> for Resources {
    fn from_iter<I: IntoIterator<Item = Resource>>(resources: I) -> Self {
        let mut bundle = Self::new();
        bundle.extend(resources);
        bundle
    }
}

impl Extend<Resource> for Resources {
    fn extend<I: IntoIterator<Item = Resource>>(&mut self, resources: I) {
        let resources = resources.into_iter();
        self.0.reserve(resources.size_hint().0);
        let mut places = None;
        for resource in resources {
            if self.0.len() < FEW {
                self.add(resource);
            } else {
                let places = places.get_or_insert_with(|| places_of(&self.0));
                self.add_by(places, resource);
            }
        }
    }
}

impl From<Resource> for Resources {
    fn from(resource: Resource) -> Self {
        Self::from_iter([resource])
    }
}

impl IntoIterator for Resources {
    type Item = Resource;
    type IntoIter = std::vec::IntoIter<Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Resources {
    type Item = &'a Resource;
    type IntoIter = std::slice::Iter<'a, Resource>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
