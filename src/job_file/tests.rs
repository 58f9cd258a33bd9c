//! Job files that are good, and every mistake of those that are not.

mod given;

use super::*;

const WORD_COUNT: &str = r#"
name = "wordcount"
[conf]
spark.task.cpus = 1
"spark.app.name" = "w"
[[action]]
save = "counts"
to = "out"
compress = "gzip"
pool = "p"
[dataset.counts]
from = "words"
count_by_key = { partitions = 8 }
[dataset.words]
from = "lines"
pipe = "tr ' ' '\n'"
persist = true
[dataset.lines]
text = ["a", { path = "b", hosts = ["h1"] }]
split = "1m"
"#;

fn mistakes(text: &str) -> String {
    match JobFile::read(text) {
        Ok(_) => "none".into(),
        Err(problems) => show("job.toml", text, &problems).concat(),
    }
}

#[test]
fn a_job_file_becomes_an_application_whatever_the_order_of_its_tables() {
    let file = JobFile::read(WORD_COUNT).expect("no mistakes");
    assert_eq!(file.name(), Some("wordcount"));
    let conf: Vec<_> = file
        .conf()
        .iter()
        .map(|it| format!("{}={}:{}", it.name, it.value, it.line))
        .collect();
    assert_eq!(conf, ["spark.task.cpus=1:4", "spark.app.name=w:5"]);
    let (name, input) = file.inputs().next().expect("one input");
    assert_eq!(
        (name, input.split, input.entries.len()),
        ("lines", 1 << 20, 2)
    );
    assert_eq!(input.entries[1].hosts, ["h1".into()]);
    let application = file.application(BTreeMap::new(), None, 1).expect("sound");
    let names: Vec<_> = application
        .program
        .datasets()
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, ["lines", "words", "counts"]);
    assert!(application.program.datasets()[1].persisted);
    assert_eq!(application.program.shuffles()[0].partitions, 8);
    assert_eq!(application.actions[0].pool.as_deref(), Some("p"));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_places() {
    let text = r#"nam = "x"
[dataset.a]
text = "file"
[dataset.b]
form = "a"
pipe = ""
[dataset.c]
from = "a"
filter = "("
sort = true
[dataset.d]
from = "a"
sort = { by = "valeu", partitions = 0 }
[[action]]
save = "a"
[[action]]
count = "a"
limit = 3
"#;
    let told = mistakes(text);
    for expected in [
        "job.toml:1:1: the job file has no field `nam`",
        "= did you mean `name`?",
        "job.toml:3:8: `text` of dataset `a` must be a list of files, not text",
        "job.toml:5:1: dataset `b` has no field `form`",
        "= did you mean `from`?",
        "job.toml:4:10: dataset `b` has no `from`",
        "job.toml:6:8: `pipe` of dataset `b` is empty",
        "job.toml:10:1: dataset `c` has both `filter` and `sort`",
        "job.toml:13:15: `by` of `sort` of dataset `d`: `valeu` is not known",
        "job.toml:13:37: `partitions` of `sort` of dataset `d` is out of range",
        "job.toml:14:1: an action has no `to`",
        "job.toml:18:1: `limit` is of no use here",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn names_that_nobody_has_and_circles_are_told() {
    let text = r#"
[dataset.lines]
items = ["a"]
[dataset.x]
from = "line"
pipe = "cat"
[dataset.y]
union = ["z", "lines"]
[dataset.z]
from = "y"
distinct = true
[dataset.after]
from = "z"
pipe = "cat"
[[action]]
count = "nothing"
[[action]]
save = "x"
to = "out"
[[action]]
save = "x"
to = "out/"
"#;
    let told = mistakes(text);
    for expected in [
        "there is no dataset `line`",
        "= did you mean `lines`?",
        "dataset `y` is made from itself",
        "dataset `z` is made from itself",
        "there is no dataset `nothing`",
        "another action saves to `out` already",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
    assert!(
        !told.contains("dataset `after` is made from itself"),
        "{told}"
    );
}

#[test]
fn every_operation_is_read() {
    let text = r#"
[dataset.numbers]
range = { end = 1_000, start = -5, partitions = 3 }
[dataset.array]
items = ["a", 2, 2.5]
[dataset.some]
from = "numbers"
sample = { fraction = 0.5, seed = 3 }
[dataset.keyed]
from = "array"
key_by = { field = 2, separator = "," }
[dataset.summed]
from = "keyed"
sum_by_key = true
[dataset.reduced]
from = "keyed"
reduce_by_key = { pipe = "cat", partitions = 2 }
[dataset.even]
from = "reduced"
repartition = 5
[dataset.joined]
from = "even"
join = { with = "summed", kind = "full" }
[dataset.sorted]
from = "joined"
sort = { by = "line", numeric = true, descending = true, partitions = 4 }
[[action]]
collect = "sorted"
limit = 10
[[action]]
count = "some"
"#;
    let file = JobFile::read(text).expect("no mistakes");
    let application = file.application(BTreeMap::new(), None, 1).expect("sound");
    let plan = &application.plan;
    let partitions = |name: &str| {
        let found = plan.datasets().find(|(_, it)| &**it.name() == name);
        found.expect("there").1.partitions()
    };
    assert_eq!(partitions("numbers"), 3);
    assert_eq!(partitions("array"), 3);
    assert_eq!(partitions("summed"), 3);
    assert_eq!(partitions("reduced"), 2);
    assert_eq!(partitions("joined"), 5);
    assert_eq!(partitions("sorted"), 4);
    let limit = application.actions[0].kind.clone();
    assert_eq!(
        limit,
        crate::plan::application::ActionKind::Collect { limit: Some(10) }
    );
}

#[test]
fn what_is_no_toml_or_asks_for_nothing_is_told() {
    assert!(mistakes("a = [").starts_with("job.toml:1:"));
    assert!(mistakes("").contains("asks for nothing"));
    assert!(mistakes("[action]\ncount = \"x\"").contains("two brackets"));
}

#[test]
fn what_is_false_takes_nothing_away_and_is_told_as_such() {
    let told = mistakes(
        "[dataset.a]\nitems = [1]\n[dataset.b]\nfrom = 'a'\nsort = false\n[dataset.c]\nfrom = 'a'\n\
         distinct = false\n[[action]]\ncount = 'b'\n",
    );
    assert!(
        told.contains(
            "job.toml:5:8: `sort` of dataset `b` must be `true` or { by, numeric, descending, \
             partitions }, not `false`"
        ),
        "{told}"
    );
    assert!(
        told.contains("must be `true` or { partitions = N }, not `false`"),
        "{told}"
    );
}

#[test]
fn without_any_dataset_no_list_of_none_is_told() {
    let told = mistakes("[[action]]\ncount = 'nosuch'\n");
    assert!(told.contains("there is no dataset `nosuch`"), "{told}");
    assert!(
        told.contains("= the file has no `[dataset.NAME]`\n"),
        "{told}"
    );
    assert!(!told.contains("known are \n"), "{told}");
}

#[test]
fn a_name_that_is_given_twice_is_told_with_its_place() {
    let told = mistakes("[dataset.a]\nitems = [1]\n[dataset.a]\nitems = [2]\n");
    assert!(
        told.starts_with("job.toml:3:10: `a` is there twice"),
        "{told}"
    );
    let told = mistakes("[dataset.a]\nitems = [1]\nitems = [2]\n");
    assert!(
        told.starts_with("job.toml:3:1: `items` is there twice"),
        "{told}"
    );
}

#[test]
fn outputs_that_meet_are_told() {
    let told = mistakes(
        "[dataset.a]\nitems = [1]\n[[action]]\nsave = 'a'\nto = 'a'\n\
         [[action]]\nsave = 'a'\nto = './a/'\n[[action]]\nsave = 'a'\nto = 'x/../a/./b'\n",
    );
    for expected in [
        "job.toml:8:6: another action saves to `a` already",
        "job.toml:11:6: `x/../a/./b` is inside `a`, to which another action saves",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn more_partitions_and_longer_commands_than_can_be_are_told() {
    let long = "x".repeat(200_000);
    let told = mistakes(&format!(
        "[dataset.a]\nrange = {{ end = 1, partitions = 4294967295 }}\n[dataset.b]\nfrom = 'a'\n\
         repartition = 4294967295\n[dataset.c]\nfrom = 'b'\npipe = '{long}'\n[[action]]\ncount = 'c'\n"
    ));
    for expected in [
        "job.toml:2:33: `partitions` of `range` of dataset `a` is out of range",
        "= a whole number from 1 to 5000000\n",
        "= a whole number from 1 to 1000000\n",
        "`pipe` of dataset `c` has 200000 bytes, and the system takes a command of at most 130048",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
    assert!(
        told.len() < 2_000,
        "a long line is cut: {} bytes",
        told.len()
    );
}

/// The application of a file, or what is wrong with it.
fn application(text: &str) -> Result<Application, String> {
    let file = JobFile::read(text).map_err(|problems| show("j", text, &problems).concat())?;
    let problem = |problem| show("j", text, &[problem]).concat();
    file.application(BTreeMap::new(), None, 1).map_err(problem)
}

#[test]
fn a_hundred_thousand_datasets_are_read_and_a_chain_too_long_is_told() {
    use std::fmt::Write as _;
    let chain = |count: u32, operation: &str| {
        let mut text = String::from("[dataset.d0]\nitems = [1]\n");
        for at in 1..count {
            let before = at - 1;
            writeln!(text, "[dataset.d{at}]\nfrom = 'd{before}'\n{operation}").expect("a string");
        }
        writeln!(text, "[[action]]\ncount = 'd{}'", count - 1).expect("a string");
        text
    };
    assert!(application(&chain(1_000, "filter = 'a'")).is_ok());
    let error = application(&chain(12_000, "filter = 'a'")).expect_err("too long");
    assert!(
        error.contains("the operation 1001 in a row without a shuffle"),
        "{error}"
    );
    let application = application(&chain(100_000, "distinct = true")).expect("as long as wanted");
    assert_eq!(application.program.datasets().len(), 100_000);
}

/// Mistakes without number are found, shown and compared with names in time in
/// proportion to the file. What was quadratic took minutes of each of these.
#[test]
fn files_with_many_mistakes_are_read_in_time() {
    let many = |of: &dyn Fn(u32) -> String| (0..40_000).map(of).collect::<String>();
    let one_line = format!("x = {{ {} }}\n", many(&|at| format!("k{at} = 1, ")));
    let files = [
        many(&|at| format!("nosuchfield{at} = 1\n")),
        one_line,
        format!("[conf]\n{}", many(&|at| format!("a.b{at} = 1\n"))),
        many(&|at| format!("[dataset.d{at}]\nfrom = 'other{at}'\nfilter = 'a'\n")),
        many(&|at| {
            format!(
                "[dataset.d{at}]\nfrom = 'd{}'\ncount_by_key = true\n",
                (at + 1) % 40_000
            )
        }),
        many(&|at| format!("[[action]]\ncount = 'd{at}'\n")),
        many(&|at| format!("[[action]]\nsave = 'd'\nto = 'out/{at}'\n")),
    ];
    for text in files {
        let _ = mistakes(&text);
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "(\\[\\[?(dataset\\.a|action|conf)\\]\\]?\n|(from|text|pipe|sort|join|save|to|count) = (\"a\"|\\[\"a\"\\]|true|-1|\\{ by = 1 \\})\n|.{0,5}){0,8}"
    ) {
        let _ = mistakes(&text);
    }

    /// Files that hang together, with the numbers at which things break: whatever
    /// they ask for, they are read, or refused with a place, and cost little.
    #[test]
    fn no_numbers_make_a_plan_that_takes_all_memory(
        source in "range = \\{ (start = NUM, )?end = NUM(, partitions = NUM)? \\}|items = \\[(1, ){0,9}\\]",
        operations in proptest::collection::vec(
            "(repartition|coalesce) = NUM|(distinct|sum_by_key|sort) = (true|\\{ partitions = NUM \\})|join = \\{ with = 'd0', partitions = NUM \\}|sample = \\{ fraction = (0|1|0.5|1e308|-0.0|nan|inf), seed = NUM \\}|key_by = \\{ field = NUM \\}|filter = '(a|\\(|a\\{9999\\}\\{9999\\}|\\[[a-z]{0,2}\\])'|union = \\[('d0', ){0,3}\\]|reduce_by_key = \\{ pipe = '[a-z]{0,3}', partitions = NUM \\}",
            0..6,
        ),
        numbers in proptest::collection::vec(
            proptest::sample::select(vec![
                "0", "1", "-1", "2", "1000", "999_999", "1000000", "5000000", "4294967295", "4294967296",
                "9223372036854775807", "-9223372036854775808", "99999999999999999999", "0x7fffffff",
            ]),
            16,
        ),
        limit in "(limit = NUM)?",
    ) {
        let mut text = format!("[dataset.d0]\n{source}\n");
        for (at, operation) in operations.iter().enumerate() {
            let from = if operation.starts_with("union") { String::new() } else { format!("from = 'd{at}'\n") };
            text.push_str(&format!("[dataset.d{}]\n{from}{operation}\n", at + 1));
        }
        text.push_str(&format!("[[action]]\ncollect = 'd{}'\n{limit}\n", operations.len()));
        for number in numbers.iter().cycle() {
            if !text.contains("NUM") {
                break;
            }
            text = text.replacen("NUM", number, 1);
        }
        match application(&text) {
            Ok(application) => {
                for (_, dataset) in application.plan.datasets() {
                    proptest::prop_assert!(dataset.partitions() <= crate::plan::limits::MOST_PARTITIONS);
                }
            }
            Err(told) => proptest::prop_assert!(told.starts_with("j:"), "{told}"),
        }
    }

    #[test]
    fn names_however_deep_and_values_however_nested_are_read_or_refused(
        depth in 1..3000_usize,
        before in "(\\[conf\\]\n|\\[dataset\\.a\\]\n|\\[pool\\]\n)?",
        open in "(a\\.|\\[|\\{a=|\"\"\\.)",
    ) {
        let _ = mistakes(&format!("{before}{}a = 1", open.repeat(depth)));
        let _ = mistakes(&format!("{before}a = {}", open.repeat(depth)));
    }
}

#[test]
fn mistakes_with_the_order_of_actions_are_told() {
    let told = mistakes(
        "[dataset.a]\nitems = [1]\n[[action]]\nname = 'x'\ncount = 'a'\nafter = ['y']\n[[action]]\n\
         name = 'x'\ncount = 'a'\nafter = 'x'\n[[action]]\nname = ' '\nsave = 'a'\nto = 'o'\n\
         to_stdout = false\n",
    );
    for expected in [
        "job.toml:8:8: two actions have the name `x`",
        "= the other one is in the job file:4",
        "job.toml:10:9: `after` of an action must be a list of texts, not text",
        "job.toml:12:8: `name` of an action is empty",
        "job.toml:15:1: `to_stdout` is of no use here",
        "= it belongs to `collect` and `count`",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
    let told = mistakes(
        "[dataset.a]\nitems = [1]\n[[action]]\nname = 'one'\ncount = 'a'\nafter = ['two']\n\
         [[action]]\nname = 'two'\ncount = 'a'\nafter = ['one']\n",
    );
    assert!(
        told.contains("job.toml:4:8: action `one` comes after itself"),
        "{told}"
    );
    assert!(
        told.contains("job.toml:8:8: action `two` comes after itself"),
        "{told}"
    );
    let told = mistakes(
        "[dataset.a]\nitems = [1]\n[[action]]\nname = 'one'\ncount = 'a'\nafter = ['on']\n",
    );
    assert!(
        told.contains("job.toml:6:10: there is no action `on`"),
        "{told}"
    );
    assert!(told.contains("= did you mean `one`?"), "{told}");
}

#[test]
fn tasks_of_a_dataset_need_what_it_says_and_all_others_what_the_settings_do() {
    let text = "[dataset.a]\nitems = [1]\n\
        [dataset.b]\nfrom = 'a'\npipe = 'cat'\nresources = { gpu = 2, cpus = 3, fpga = 0.25 }\n\
        [dataset.c]\nfrom = 'b'\nrepartition = 2\nresources = { tpu = 0 }\n\
        [[action]]\ncount = 'c'\n";
    let file = JobFile::read(text).expect("sound");
    let application = file.application(BTreeMap::new(), None, 5).expect("sound");
    let needs = application.plan.datasets().map(|(_, it)| {
        let needs = it.needs()?;
        let named = needs.resources.iter();
        let named = named.map(|(name, amount)| format!("{name} {amount}"));
        Some((needs.cpus, named.collect::<Vec<_>>().join(", ")))
    });
    let needs: Vec<_> = needs.collect();
    let b = Some((3, "fpga 1/4, gpu 2".to_owned()));
    assert_eq!(needs, [None, b, Some((5, String::new()))]);
}
