//! Resources with names on agents of Mesos, and the addresses that they have.
//!
//! Responsible for what Mesos calls them, and for the addresses of what is offered and of what
//! was taken. The items of a set and the numbers of a range are addresses themselves. The units
//! of an amount have none: they are counted from 0 on each agent, and a unit has the lowest
//! number that nothing of this run holds there. Used by both modes, which know what is held.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::conf::properties::resources::GPU;
use crate::resources::{ResourceName, Resources, Tenure};

/// Resources with names, each with addresses.
pub type Addresses = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// What Mesos calls a resource.
pub(in crate::backend) fn mesos_name(name: &str) -> ResourceName {
    if name == GPU {
        ResourceName::GPUS
    } else {
        ResourceName::new(name)
    }
}

/// The addresses of a resource among these, the first so many. `held` are those that this
/// run holds on the agent.
pub(super) fn addresses<'a>(
    among: &Resources,
    name: &str,
    most: usize,
    held: impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>)>,
) -> Vec<Arc<str>> {
    let resource = mesos_name(name);
    match among.unit_names(&resource, Tenure::Firm, most) {
        Some(names) => names.into_iter().map(Arc::from).collect(),
        None => {
            let units = among.units(&resource, Tenure::Firm);
            let units = usize::try_from(units).unwrap_or(usize::MAX);
            let held = held.filter(|(of, _)| ***of == *name);
            let held: BTreeSet<&str> = held.map(|(_, address)| &**address).collect();
            let numbers = (0_u64..).map(|it| it.to_string());
            let free = numbers.filter(|it| !held.contains(it.as_str()));
            free.take(units.min(most)).map(Arc::from).collect()
        }
    }
}

/// Each address with the name of its resource.
pub(super) fn each(of: &Addresses) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
    of.iter()
        .flat_map(|(name, addresses)| addresses.iter().map(move |it| (name, it)))
}

/// How many addresses of a resource these are.
pub(super) fn count(of: &Addresses, name: &str) -> u64 {
    let found = of.iter().find(|(known, _)| **known == *name);
    found.map_or(0, |(_, addresses)| addresses.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(among: &str, name: &str, held: &Addresses) -> String {
        let among = among.parse().expect("resources");
        addresses(&among, name, 3, each(held)).join(",")
    }

    #[test]
    fn items_and_numbers_are_addresses_and_units_are_counted_past_what_is_held() {
        let none = Addresses::new();
        assert_eq!(found("fpga:{b,a}", "fpga", &none), "a,b");
        assert_eq!(found("fpga:[7-9,12-99]", "fpga", &none), "7,8,9");
        assert_eq!(found("gpus:2;gpu:{no}", "gpu", &none), "0,1");
        assert_eq!(found("cpus:2", "fpga", &none), "");
        let held = vec![
            ("gpu".into(), vec!["0".into(), "2".into()]),
            ("fpga".into(), vec!["1".into()]),
        ];
        assert_eq!(found("gpus:2", "gpu", &held), "1,3");
        assert_eq!(count(&held, "gpu"), 2);
        assert_eq!(count(&held, "tpu"), 0);
    }
}
