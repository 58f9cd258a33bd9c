//! What lists of resources do, by example and for arbitrary lists.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::ids::Role;

fn resources(text: &str) -> Resources {
    text.parse().expect("resources")
}

fn scalar(amount: f64) -> Scalar {
    Scalar::from_f64(amount).expect("an amount")
}

fn revocable(name: ResourceName, amount: Scalar) -> Resource {
    let metadata = Metadata {
        revocable: true,
        ..Metadata::default()
    };
    Resource::new(name, amount, Arc::new(metadata))
}

fn disk(persistence_id: Option<&str>, source: Option<DiskSource>) -> Option<Disk> {
    Some(Disk {
        persistence_id: persistence_id.map(Into::into),
        source,
        encoded: Bytes::from(format!("{persistence_id:?} on {source:?}")),
    })
}

fn volume(id: &str, shared: bool) -> Resource {
    let metadata = Metadata {
        disk: disk(Some(id), None),
        shared,
        ..Metadata::clone(&Metadata::reserved_by_operator(&Role::from("eng")))
    };
    Resource::new(ResourceName::DISK, Scalar::new(100), Arc::new(metadata))
}

mod lists {
    use super::*;

    #[test]
    fn entries_of_the_same_identity_are_added_up() {
        let sum = resources("cpus:0.1;cpus:0.2;cpus(eng):1;ports:[1-3];ports:[4-6]");
        assert_eq!(sum.to_string(), "cpus:0.3; cpus(eng):1; ports:[1-6]");
        assert_eq!(sum.cpus(), scalar(1.3));
        assert_eq!(sum.ports().count(), 6);
    }

    #[test]
    fn nothing_is_pooled_across_metadata() {
        let offered = resources("cpus(eng):2;cpus:1");
        assert!(!offered.contains(&resources("cpus:3")));
        assert!(!offered.contains(&resources("cpus(ops):1")));
        assert!(offered.contains(&resources("cpus(eng):2;cpus:1")));
    }

    #[test]
    fn what_is_offered_to_another_role_is_something_else() {
        let allocated = |role: &str| {
            let metadata = Metadata {
                allocation_role: Some(role.into()),
                ..Metadata::default()
            };
            Resources::from(Resource::new("cpus", Scalar::new(1), Arc::new(metadata)))
        };
        assert!(allocated("eng").contains(&allocated("eng")));
        assert!(!allocated("eng").contains(&allocated("ops")));
        assert!(!allocated("eng").contains(&resources("cpus:1")));
    }

    #[test]
    fn values_of_different_types_are_different_things() {
        let mixed = resources("things:3;things:{a,b};things:[1-2]");
        assert_eq!(mixed.len(), 3);
        assert!(!resources("things:3").contains(&resources("things:{a}")));
    }

    #[test]
    fn a_failed_subtraction_changes_nothing_and_says_what_is_missing() {
        let mut offered = resources("cpus:4;mem:1024");
        let error = offered
            .subtract(&resources("cpus:1;mem:2048"))
            .expect_err("too much");
        assert_eq!(
            error.to_string(),
            "mem:2048 is not contained in cpus:4; mem:1024"
        );
        assert_eq!(offered, resources("cpus:4;mem:1024"));
        offered
            .subtract(&resources("cpus:4;mem:24"))
            .expect("enough");
        assert_eq!(offered.to_string(), "mem:1000");
    }

    #[test]
    fn volumes_are_taken_away_as_a_whole() {
        let mut offered: Resources = [volume("a", false), volume("b", false)]
            .into_iter()
            .collect();
        let half = Resources::from(volume("a", false).part(Scalar::new(50)));
        assert!(!offered.contains(&half));
        offered
            .subtract(&volume("a", false).into())
            .expect("it is there");
        assert_eq!(offered, Resources::from(volume("b", false)));
    }

    #[test]
    fn equal_shared_volumes_stand_for_themselves() {
        let copies = |count| -> Resources { (0..count).map(|_| volume("a", true)).collect() };
        let mut two = copies(2);
        assert_eq!(two.len(), 2);
        assert!(!two.contains(&copies(3)));
        two.subtract(&copies(1)).expect("one of two");
        assert_eq!(two, copies(1));
    }

    #[test]
    fn totals_forget_metadata_and_are_in_the_order_people_expect() {
        let offered = resources("zones:{b};ports:[1-2];cpus(eng):1;mem:64;cpus:0.5;zones(eng):{a}");
        assert_eq!(
            offered.totals().to_string(),
            "cpus:1.5; mem:64; ports:[1-2]; zones:{a, b}"
        );
    }

    #[test]
    fn metadata_is_shared_by_what_is_cut_off() {
        let offered = resources("cpus(eng):2");
        let part = offered
            .iter()
            .next()
            .expect("an entry")
            .part(Scalar::new(1));
        assert!(Arc::ptr_eq(
            &part.metadata,
            &offered.iter().next().expect("an entry").metadata
        ));
    }
}

mod taking {
    use super::*;

    #[test]
    fn reserved_resources_are_used_before_unreserved_ones() {
        let mut offered = resources("cpus:4;cpus(eng):1;cpus(eng/web):1;mem:512");
        let taken = offered
            .take_amount(&ResourceName::CPUS, scalar(2.5), Tenure::Firm)
            .expect("enough");
        assert_eq!(taken.to_string(), "cpus(eng/web):1; cpus(eng):1; cpus:0.5");
        assert_eq!(offered.to_string(), "cpus:3.5; mem:512");
    }

    #[test]
    fn a_demand_is_met_as_a_whole_or_not_at_all() {
        let demand = Demand::new()
            .with_cpus(scalar(1.5))
            .with_mem(Scalar::new(1024))
            .with_ports(&"[31000-31001]".parse().expect("ranges"));
        let mut offered = resources("cpus:2;mem:1000;ports:[31001-31005]");
        let shortages = offered.take(&demand).expect_err("too little");
        let texts: Vec<_> = shortages.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "1024 MiB of mem needed, 1000 available",
                "ports [31000-31000] needed, not available"
            ]
        );
        assert_eq!(offered, resources("cpus:2;mem:1000;ports:[31001-31005]"));

        let mut offered =
            resources("cpus:2;mem(eng):1000;mem:50;ports(eng):[31001-31005];ports:[30000-31000]");
        let taken = offered.take(&demand).expect("enough");
        assert_eq!(
            taken.to_string(),
            "cpus:1.5; mem(eng):1000; mem:24; ports(eng):[31001-31001]; ports:[31000-31000]"
        );
        assert_eq!(
            offered.to_string(),
            "cpus:0.5; mem:26; ports(eng):[31002-31005]; ports:[30000-30999]"
        );
    }

    #[test]
    fn revocable_resources_are_taken_only_if_wanted_and_never_mixed_with_firm_ones() {
        let mut offered = resources("cpus:2;mem:512");
        offered.add(revocable(ResourceName::CPUS, Scalar::new(3)));
        let cpus = |count| Demand::new().with_cpus(Scalar::new(count));
        assert_eq!(
            offered.shortages(&cpus(3)),
            [Shortage::Amount {
                name: ResourceName::CPUS,
                needed: Scalar::new(3),
                available: Scalar::new(2)
            }]
        );
        assert!(offered.take(&cpus(5).or_revocable()).is_err());
        let both = cpus(3).with_mem(Scalar::new(12)).or_revocable();
        let taken = offered.take(&both).expect("enough");
        assert_eq!(taken.to_string(), "cpus{REV}:3; mem:12");
        let taken = offered.take(&cpus(2).or_revocable()).expect("enough");
        assert_eq!(taken.to_string(), "cpus:2");
    }

    #[test]
    fn volumes_special_disks_and_shared_resources_are_left_alone() {
        let on_mount = Metadata {
            disk: disk(None, Some(DiskSource::Mount)),
            ..Metadata::default()
        };
        let mut offered = resources("disk:500");
        offered.add(volume("a", false));
        offered.add(Resource::new("disk", Scalar::new(9000), Arc::new(on_mount)));
        assert_eq!(
            offered.available(&ResourceName::DISK, Tenure::Firm),
            Scalar::new(500)
        );
        assert!(
            offered
                .take_amount(&ResourceName::DISK, Scalar::new(501), Tenure::Firm)
                .is_err()
        );
        assert_eq!(
            offered.to_string(),
            "disk:500; disk(eng)[volume a]:100; disk[mount disk]:9000"
        );
    }

    #[test]
    fn any_ports_come_from_reservations_first() {
        let mut offered = resources("ports:[1-9];ports(eng):[20-21]");
        let taken = offered
            .take_any(&ResourceName::PORTS, 3, Tenure::Firm)
            .expect("enough");
        assert_eq!(taken.to_string(), "ports(eng):[20-21]; ports:[1-1]");
        let error = offered
            .take_any(&ResourceName::PORTS, 9, Tenure::Firm)
            .expect_err("too few");
        assert_eq!(error.to_string(), "9 ports needed, 8 available");
    }

    #[test]
    fn demands_of_one_name_add_up_and_zero_is_no_demand() {
        let demand = Demand::new()
            .with_cpus(scalar(0.1))
            .with_cpus(scalar(0.2))
            .with_gpus(0);
        assert_eq!(
            demand.amounts().collect::<Vec<_>>(),
            [(&ResourceName::CPUS, scalar(0.3))]
        );
        assert_eq!(Resources::new().take(&Demand::new()), Ok(Resources::new()));
    }
}

mod notation {
    use super::*;

    #[test]
    fn the_notation_of_agents_flags_is_read() {
        let read =
            resources(" cpus:4; mem(*):1024 ;ports(eng/web) : [31000-32000, 1-2];zones:{b, a};");
        assert_eq!(
            read.to_string(),
            "cpus:4; mem:1024; ports(eng/web):[1-2, 31000-32000]; zones:{a, b}"
        );
        assert_eq!(resources(""), Resources::new());
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let error = |text: &str| {
            text.parse::<Resources>()
                .expect_err("no resources")
                .to_string()
        };
        let form = "is not of the form name:value or name(role):value";
        for entry in [
            "cpus",
            ":4",
            "cpus:",
            "cpus(eng:4",
            "cpus():4",
            "cpus(a,b):4",
            "cpus)x(:4",
        ] {
            assert_eq!(
                error(&format!("mem:1;{entry}")),
                format!("resource '{entry}' {form}")
            );
        }
        assert_eq!(
            error("cpus:4;mem:-1"),
            "resource 'mem:-1': amount -1 is negative"
        );
        assert_eq!(
            error("os:linux"),
            "resource 'os:linux': 'linux' is not a number"
        );
        assert_eq!(
            error("ports:[9-3]"),
            "resource 'ports:[9-3]': range 9-3 ends before it begins"
        );
    }

    #[test]
    fn metadata_that_the_notation_lacks_is_shown_to_people() {
        let dynamic = Metadata {
            role: Some("eng".into()),
            reservation: Some(Reservation {
                principal: Some("ops".into()),
                ..Reservation::default()
            }),
            ..Metadata::default()
        };
        let reserved = Resource::new("cpus", Scalar::new(2), Arc::new(dynamic));
        assert_eq!(reserved.to_string(), "cpus(eng, dynamic by ops):2");
        assert_eq!(
            volume("a", true).to_string(),
            "disk(eng)[volume a]<SHARED>:100"
        );
    }
}

/// Resources without metadata but for a role, as the notation can express them.
/// Numbers of one name never overlap between two entries: `[0-9]` is unreserved,
/// `[10-19]` and `[20-29]` are reserved.
fn any_entry() -> impl Strategy<Value = Resource> {
    let role = prop_oneof![Just(None), Just(Some("eng")), Just(Some("eng/web"))];
    let amounts = (
        prop_oneof![Just("cpus"), Just("mem"), Just("fpga")],
        0..5000u64,
    )
        .prop_map(|(name, milli)| (name, Value::from(Scalar::from_milli(milli))));
    let ports = vec((0..10u64, 0..10u64), 0..3).prop_map(|pairs| {
        let ordered = pairs.into_iter().map(|(a, b)| (a.min(b), a.max(b)));
        let ranges = Ranges::from_pairs(ordered).expect("ranges forwards");
        ("ports", Value::from(ranges))
    });
    let zones = vec("[a-d]", 0..3).prop_map(|items| ("zones", Value::from(Set::from_iter(items))));
    (prop_oneof![3 => amounts, 1 => ports, 1 => zones], role).prop_map(|((name, value), role)| {
        let metadata = role.map_or_else(Metadata::plain, |role| {
            Metadata::reserved_by_operator(&role.into())
        });
        Resource::new(name, value, metadata)
    })
}

/// Lists with volumes, shared and revocable resources among the rest.
fn any_resources() -> impl Strategy<Value = Resources> {
    let special = prop_oneof![
        Just(volume("a", false)),
        Just(volume("b", true)),
        (1..3000u64).prop_map(|milli| revocable(ResourceName::CPUS, Scalar::from_milli(milli))),
    ];
    vec(prop_oneof![5 => any_entry(), 1 => special], 0..8)
        .prop_map(|entries| entries.into_iter().collect())
}

/// Whether adding loses nothing: numbers and items that are in both lists are
/// in their sum only once.
fn overlaps(one: &Resources, other: &Resources) -> bool {
    one.iter().any(|entry| {
        other.iter().any(|next| {
            entry.same_identity(next)
                && match (&entry.value, &next.value) {
                    (Value::Ranges(a), Value::Ranges(b)) => !a.is_disjoint(b),
                    (Value::Set(a), Value::Set(b)) => a.iter().any(|item| b.contains(item)),
                    _ => false,
                }
        })
    })
}

fn any_demand() -> impl Strategy<Value = Demand> {
    (
        0..6000u64,
        0..6000u64,
        vec((0..10u64, 0..3u64), 0..2),
        any::<bool>(),
    )
        .prop_map(|(cpus, mem, ports, revocable)| {
            let ports = ports.into_iter().map(|(begin, more)| (begin, begin + more));
            let demand = Demand::new()
                .with_cpus(Scalar::from_milli(cpus))
                .with_mem(Scalar::from_milli(mem))
                .with_ports(&Ranges::from_pairs(ports).expect("ranges forwards"));
            if revocable {
                demand.or_revocable()
            } else {
                demand
            }
        })
}

proptest! {
    #[test]
    fn subtracting_what_was_added_gives_the_start(start in any_resources(), more in any_resources()) {
        prop_assume!(!overlaps(&start, &more));
        let mut sum = start.clone();
        sum.add_all(&more);
        prop_assert!(sum.contains(&start) && sum.contains(&more));
        prop_assert_eq!(sum.subtract(&more), Ok(()));
        prop_assert_eq!(sum, start);
    }

    #[test]
    fn subtraction_works_exactly_if_all_is_contained(all in any_resources(), part in any_resources()) {
        let mut rest = all.clone();
        prop_assert_eq!(rest.subtract(&part).is_ok(), all.contains(&part));
        if all.contains(&part) {
            rest.add_all(&part);
        }
        prop_assert_eq!(rest, all);
    }

    #[test]
    fn no_entry_is_empty_and_no_two_could_be_added_up(a in any_resources(), b in any_resources()) {
        let mut rest = a.clone();
        rest.add_all(&b);
        rest.subtract(&a).expect("it was added");
        for bundle in [&a, &b, &rest] {
            let entries: Vec<_> = bundle.iter().collect();
            for (index, entry) in entries.iter().enumerate() {
                prop_assert!(!entry.value.is_empty());
                prop_assert!(entry.metadata.is_indivisible()
                    || !entries[..index].iter().any(|before| before.same_identity(entry)));
            }
        }
    }

    #[test]
    fn what_is_taken_is_what_was_demanded_and_the_rest_stays(
        start in any_resources(),
        demand in any_demand(),
    ) {
        let mut rest = start.clone();
        prop_assert_eq!(rest.suffice_for(&demand), rest.shortages(&demand).is_empty());
        match rest.take(&demand) {
            Ok(taken) => {
                prop_assert!(start.contains(&taken));
                for (name, amount) in demand.amounts() {
                    prop_assert_eq!(taken.scalar(name), amount);
                }
                prop_assert_eq!(&taken.ports(), demand.ports());
                for name in [ResourceName::CPUS, ResourceName::MEM] {
                    let parts = taken.iter().filter(|part| part.name == name);
                    let kinds: std::collections::BTreeSet<_> =
                        parts.map(|part| part.metadata.revocable).collect();
                    prop_assert!(kinds.len() <= 1, "firm and revocable mixed: {taken}");
                }
                rest.add_all(&taken);
            }
            Err(shortages) => prop_assert!(!shortages.is_empty()),
        }
        prop_assert_eq!(rest, start);
    }

    #[test]
    fn so_many_numbers_are_taken_as_were_asked_for(start in any_resources(), count in 0..20u64) {
        let mut rest = start.clone();
        if let Ok(taken) = rest.take_any(&ResourceName::PORTS, count, Tenure::Firm) {
            let numbers: u64 = taken.iter().filter_map(Resource::ranges).map(Ranges::count).sum();
            prop_assert_eq!(numbers, count);
            rest.add_all(&taken);
        }
        prop_assert_eq!(rest, start);
    }

    #[test]
    fn resources_are_read_as_they_are_printed(entries in vec(any_entry(), 0..8)) {
        let resources: Resources = entries.into_iter().collect();
        prop_assert_eq!(resources.to_string().parse(), Ok(resources));
    }

    #[test]
    fn no_text_breaks_the_reader(text in r"[a-c0-9:;(){}\[\],.\- ]{0,40}") {
        if let Ok(resources) = text.parse::<Resources>() {
            prop_assert_eq!(resources.to_string().parse(), Ok(resources));
        }
    }
}

#[test]
fn many_reservations_are_told_apart_in_linear_time() {
    let role = |id: u32| Metadata::reserved_by_operator(&Role::from(format!("role-{id}")));
    let count = 50_000;
    let entries = (0..2 * count).map(|id| {
        // Equal, and not the same in memory.
        let metadata = Arc::new(Metadata::clone(&role(id % count)));
        Resource::new(ResourceName::CPUS, Scalar::new(1_u32), metadata)
    });
    let all: Resources = entries.collect();
    assert_eq!(all.len(), count as usize);
    assert!(all.iter().all(|it| it.scalar() == Some(Scalar::new(2_u32))));
}

proptest! {
    /// What is found by looking at each entry is found by its place too.
    #[test]
    fn many_entries_add_up_as_few_do(ids in vec((0_u32..60, any::<bool>()), 0..200)) {
        let entries = ids.iter().map(|(id, whole)| match whole {
            true => volume(&format!("v{id}"), false),
            false => {
                let role = Role::from(format!("role-{id}"));
                Resource::new(
                    ResourceName::CPUS,
                    Scalar::new(1_u32),
                    Arc::new(Metadata::clone(&Metadata::reserved_by_operator(&role))),
                )
            }
        });
        let entries: Vec<_> = entries.collect();
        let mut one_by_one = Resources::new();
        for entry in &entries {
            one_by_one.add(entry.clone());
        }
        let together: Resources = entries.into_iter().collect();
        prop_assert!(one_by_one.iter().eq(together.iter()));
    }
}
