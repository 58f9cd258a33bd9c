//! Job files that are good, and every mistake of those that are not.

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
        Err(problems) => show("job.toml", text, &problems),
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
    let application = file.application(BTreeMap::new(), None).expect("sound");
    let names: Vec<_> = application
        .program
        .datasets
        .iter()
        .map(|it| &*it.name)
        .collect();
    assert_eq!(names, ["lines", "words", "counts"]);
    assert!(application.program.datasets[1].persisted);
    assert_eq!(application.program.shuffles[0].partitions, 8);
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
sort = { by = "value", partitions = 0 }
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
        "job.toml:13:15: `by` of `sort` of dataset `d`: `value` is not known",
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
        "another action saves to `out/` already",
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
    let application = file.application(BTreeMap::new(), None).expect("sound");
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

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "(\\[\\[?(dataset\\.a|action|conf)\\]\\]?\n|(from|text|pipe|sort|join|save|to|count) = (\"a\"|\\[\"a\"\\]|true|-1|\\{ by = 1 \\})\n|.{0,5}){0,8}"
    ) {
        let _ = mistakes(&text);
    }
}
