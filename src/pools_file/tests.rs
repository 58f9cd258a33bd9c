//! Pools files that are good, and every mistake of those that are not.

use super::*;
use crate::job_file::show;

fn pool(name: &str, mode: SchedulingMode, min_share: u32, weight: u32) -> PoolDefinition {
    PoolDefinition {
        mode,
        min_share,
        weight,
        ..PoolDefinition::new(name)
    }
}

/// The mistakes as people read them.
fn mistakes(file: &str, text: &str) -> String {
    match read(file, text) {
        Ok(pools) => format!("none: {pools:?}"),
        Err(problems) => show(file, text, &problems).concat(),
    }
}

#[test]
fn a_valid_xml_file_defines_its_pools() {
    let pools = read(
        "fairscheduler.xml",
        r#"<?xml version="1.0"?>
        <!-- who gets what -->
        <allocations>
          <pool name="pool1">
            <minShare>3</minShare><weight>1</weight><schedulingMode>FIFO</schedulingMode>
          </pool>
          <pool name="pool2"><!-- more -->
            <minShare>4</minShare><weight>2</weight><schedulingMode>FAIR</schedulingMode>
          </pool>
          <pool name="pool3">
            <minShare> 2 </minShare><weight>3</weight><schedulingMode>fair</schedulingMode>
          </pool>
          <pool name="bare"/>
        </allocations>"#,
    );
    assert_eq!(
        pools.expect("no mistakes"),
        [
            pool("pool1", SchedulingMode::Fifo, 3, 1),
            pool("pool2", SchedulingMode::Fair, 4, 2),
            pool("pool3", SchedulingMode::Fair, 2, 3),
            PoolDefinition::new("bare"),
        ]
    );
}

#[test]
fn all_mistakes_of_an_xml_file_are_told_at_once_with_their_places() {
    let told = mistakes(
        "fair.xml",
        r#"<allocations>
<pool name="a"><schedulingMode>FAIRR</schedulingMode><weight>0</weight></pool>
<pool name="b"><minShare>-1</minShare><weight>x</weight><wieght>2</wieght></pool>
<pool name="a" weight="2"><weight>1</weight><weight>2</weight></pool>
<pool><pool name="inner"/></pool>
<queue name="q"/> stray
<pool name="c"><weight/><minShare>99999999999</minShare><schedulingMode>NONE</schedulingMode></pool>
</allocations>"#,
    );
    for expected in [
        "fair.xml:2:16: `schedulingMode` of pool `a` is `FAIRR`\n",
        "  = `FIFO` or `FAIR`\n",
        "fair.xml:2:54: `weight` of pool `a` is `0`\n",
        "  = a whole number from 1 to 4294967295\n",
        "fair.xml:3:16: `minShare` of pool `b` is `-1`\n",
        "fair.xml:3:39: `weight` of pool `b` is `x`\n",
        "fair.xml:3:57: pool `b` has no element `wieght`\n",
        "fair.xml:4:1: pool `a` is defined twice\n",
        "fair.xml:4:16: pool `a` has no attribute `weight`\n",
        "fair.xml:4:45: pool `a` has two `weight`\n",
        "fair.xml:5:1: a pool has no name\n",
        "pools inside pools are written in TOML\n",
        "fair.xml:6:1: the pools file has no element `queue`\n",
        "fair.xml:6:19: the pools file has text between its elements\n",
        "`weight` of pool `c` is ``\n",
        "`minShare` of pool `c` is `99999999999`\n",
        "`schedulingMode` of pool `c` is `NONE`\n",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn a_file_that_cannot_be_parsed_is_told_with_its_place() {
    let told = mistakes("fair.xml", "<allocations>\n<pool></allocations>");
    assert!(told.starts_with("fair.xml:2:"), "{told}");
    assert!(told.contains("no XML: "), "{told}");
    let told = mistakes("p.toml", "\n[pool");
    assert!(told.starts_with("p.toml:2:"), "{told}");
    assert!(told.contains("no TOML: "), "{told}");
    // An XML file that is called TOML, and the other way round.
    assert!(mistakes("p.TOML", "<allocations/>").contains("no TOML: "));
    assert!(mistakes("p", "[pool.a]").contains("is read as TOML"));
}

#[test]
fn toml_pools_may_hold_pools() {
    let pools = read(
        "pools.toml",
        "[pool.z]\n[pool.a]\nmode = \"fair\"\nweight = 2\n[pool.a.pool.b]\nmin_share = 3\n",
    );
    assert_eq!(
        pools.expect("no mistakes"),
        [
            PoolDefinition::new("z"),
            PoolDefinition {
                pools: vec![pool("b", SchedulingMode::Fifo, 3, 1)],
                ..pool("a", SchedulingMode::Fair, 0, 2)
            }
        ]
    );
}

#[test]
fn all_mistakes_of_a_toml_file_are_told_at_once_with_their_places() {
    let told = mistakes(
        "pools.toml",
        r#"pools = 3
[pool.a]
mode = "FAIRY"
wieght = 2
weight = 0
min_share = 1.5
[pool."a/b"]
min_share = -1
mode = 1
[pool.a.pool.b]
[pool.c]
pool = 3
[pool]
d = 1
"#,
    );
    for expected in [
        "pools.toml:1:1: the pools file has no field `pools`\n",
        "pools.toml:3:8: `mode` of pool `a` is `FAIRY`\n",
        "= `FIFO` or `FAIR`\n",
        "pools.toml:4:1: pool `a` has no field `wieght`\n",
        "= did you mean `weight`?\n",
        "pools.toml:5:10: `weight` of pool `a` is `0`\n",
        "`min_share` of pool `a` must be a whole number from 0 to 4294967295, not a decimal number\n",
        "`min_share` of pool `a/b` is `-1`\n",
        "`mode` of pool `a/b` must be `FIFO` or `FAIR`, not a whole number\n",
        "pool `a/b` is defined twice\n",
        "`pool` of pool `c` must be a table of pools, not a whole number\n",
        "pool `d` must be a table, not a whole number\n",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn a_large_file_takes_time_in_proportion() {
    let pools: String = (0..100_000)
        .map(|at| format!("<pool name=\"p{at}\"><weight>x</weight></pool>\n"))
        .collect();
    let text = format!("<allocations>{pools}</allocations>");
    let problems = read("p.xml", &text).expect_err("no weights");
    assert_eq!(problems.len(), 100_000);
    assert_eq!(show("p.xml", &text, &problems).len(), 100_000);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        xml in "(</?(pool|allocations|weight|minShare)( name=\"a\"| weight=\"1\")?/?>|[a-z0-9 -]{0,3}|&[a-z]{0,2};|\\PC){0,12}",
        toml in "(\\[(pool|pool\\.a|pool\\.a\\.pool\\.b|x)\\]\n|(mode|weight|min_share|pool) = (\"FAIR\"|-1|1|0x1|\\{\\}|\\[\\]|1e9)\n|.{0,5}){0,8}",
    ) {
        let _ = mistakes("p.xml", &xml);
        let _ = mistakes("p.xml", &format!("<allocations>{xml}</allocations>"));
        let _ = mistakes("p.toml", &toml);
    }
}
