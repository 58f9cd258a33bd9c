//! Parameters, the environment, paths and included files.

use super::*;
use crate::job_file::dataset::Derived;
use crate::plan::operation::Change;

/// What is read from files, by path.
type Shelf<'s> = &'s [(&'s str, &'s str)];

/// Reads `text` as `jobs/job.toml`.
fn read(text: &str, set: &[(&str, &str)], shelf: Shelf<'_>) -> Result<JobFile, String> {
    let set: Vec<_> = set
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let environment = BTreeMap::from([("HOME".to_owned(), "/home/me".to_owned())]);
    let given = Given {
        name: "jobs/job.toml",
        file: Some(Path::new("jobs/job.toml")),
        set: &set,
        environment: &environment,
        read: &|path| {
            let found = shelf.iter().find(|(name, _)| Path::new(name) == path);
            let found = found.map(|(_, text)| (*text).to_owned());
            found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        },
        real: &places::plain,
    };
    JobFile::read_with(text, given).map_err(|(texts, problems)| texts.show(&problems).concat())
}

fn told(text: &str, set: &[(&str, &str)], shelf: Shelf<'_>) -> String {
    read(text, set, shelf).expect_err("mistakes")
}

fn all_in(told: &str, expected: &[&str]) {
    for one in expected {
        assert!(told.contains(one), "{one}\nis not in\n{told}");
    }
}

/// The command of a `pipe`.
fn command<'f>(file: &'f JobFile, name: &str) -> &'f str {
    match &file.datasets[name].operation {
        OperationSpec::Derived(_, Derived::Change(Change::Pipe(command))) => command,
        other => panic!("{other:?} is no pipe"),
    }
}

fn items<'f>(file: &'f JobFile, name: &str) -> &'f [String] {
    match &file.datasets[name].operation {
        OperationSpec::Source(SourceSpec::Items(items)) => items,
        other => panic!("{other:?} are no items"),
    }
}

const SWEEP: &str = r#"
[params]
day = "monday"
base = "${env:HOME}/data"
in = "${base}/${day}"
parts = 4
packed = false
share = 0.5
[dataset.lines]
text = ["${in}/*.txt", { path = "${in}", hosts = ["${day}"] }]
[dataset.some]
from = "lines"
sample = { fraction = "${share}" }
[dataset.words]
from = "some"
pipe = "echo ${day} ${other:-x} $${day} ${env:HOME} $${no} ${1}"
[dataset.counts]
from = "words"
sort = { partitions = "${parts}", numeric = "${packed}" }
[[action]]
save = "counts"
to = "out/${day}-$${x}"
"#;

#[test]
fn parameters_are_put_in_and_the_shell_keeps_its_own() {
    let file = read(SWEEP, &[("day", "x${y}"), ("parts", "7")], &[]).expect("no mistakes");
    let (_, input) = file.inputs().next().expect("one");
    assert_eq!(input.entries[0].path, "/home/me/data/x${y}/*.txt");
    assert_eq!(input.entries[1].hosts, ["x${y}".into()]);
    let outputs: Vec<_> = file.outputs().map(|(to, _)| to).collect();
    assert_eq!(outputs, ["out/x${y}-${x}"]);
    let command = command(&file, "words");
    assert_eq!(
        command,
        "echo x${y} ${other:-x} ${day} /home/me $${no} ${1}"
    );
    let application = file.application(BTreeMap::new(), None, 1).expect("sound");
    assert_eq!(application.program.shuffles()[0].partitions, 7);
}

#[test]
fn a_file_without_parameters_means_what_it_always_did() {
    let text = "[dataset.a]\nitems = ['${x}', '$${y}', '${', '${no name}']\n[dataset.b]\nfrom = 'a'\n\
                pipe = 'echo ${env} $${x} ${a:-${b}}'\n[[action]]\nsave = 'b'\nto = 'out/${x}'\n";
    let file = read(text, &[], &[]).expect("no mistakes");
    let items = items(&file, "a");
    assert_eq!(items[..], ["${x}", "$${y}", "${", "${no name}"]);
    let command = command(&file, "b");
    assert_eq!(command, "echo ${env} $${x} ${a:-${b}}");
    assert_eq!(file.outputs().next().expect("one").0, "out/${x}");
}

#[test]
fn mistakes_with_parameters_are_told_where_they_stand() {
    let text = r#"
[params]
day = "x"
a-b = 1
list = [1]
number = 3
must = { required = true }
one = "${two}"
two = "${one}"
[dataset.a]
items = ["${dya} ${day}", "${env:NOSUCH}", "${3}", "${open", "${one}${number}${must}"]
[[action]]
count = "a"
"#;
    all_in(
        &told(text, &[("number", "x"), ("dai", "1"), ("list", "2")], &[]),
        &[
            "jobs/job.toml:2:2: `--set dai=...`: there is no parameter `dai`",
            "= did you mean `day`?",
            "jobs/job.toml:4:1: `a-b` cannot be the name of a parameter",
            "jobs/job.toml:5:8: parameter `list` must be text, a number, true, false or",
            "jobs/job.toml:6:1: `--set number=x`: parameter `number` must be a whole number",
            "jobs/job.toml:7:1: parameter `must` has no value",
            "= give it one with `--set must=VALUE`",
            "jobs/job.toml:8:1: parameter `one` is made from itself",
            "jobs/job.toml:11:11: there is no parameter `dya`",
            "jobs/job.toml:11:28: the environment has no variable `NOSUCH`",
            "jobs/job.toml:11:45: `${` begins no parameter",
            "jobs/job.toml:11:53: `${` begins no parameter",
        ],
    );
    let text = "[dataset.a]\nitems = ['${x}']\n[[action]]\ncount = 'a'\n";
    all_in(
        &told(text, &[("x", "1")], &[]),
        &[
            "jobs/job.toml:1:1: `--set x=...`",
            "= the file has no `[params]` with `x`",
        ],
    );
}

#[test]
fn what_is_set_and_never_used_is_a_mistake_and_what_is_only_there_a_warning() {
    let text = "[params]\nx = 1\n[dataset.a]\nitems = [1]\n[[action]]\ncount = 'a'\n";
    all_in(
        &told(text, &[("x", "1")], &[]),
        &["jobs/job.toml:2:1: `--set x=...` has no effect: nothing uses `${x}`"],
    );
    let file = read(text, &[], &[]).expect("no mistakes");
    assert_eq!(file.warnings()[0].message, "parameter `x` is never used");
}

#[test]
fn a_number_is_a_number_only_if_nothing_else_stands_in_its_text() {
    let text = |number: &str| {
        format!(
            "[params]\nn = 3\nt = 'x'\n[dataset.a]\nrange = {{ end = {number} }}\n[dataset.b]\n\
             items = ['${{n}}${{t}}']\n[[action]]\ncount = 'a'\n"
        )
    };
    assert!(read(&text("'${n}'"), &[], &[]).is_ok());
    for wrong in ["'${n}0'", "'3'", "'${t}'"] {
        all_in(
            &told(&text(wrong), &[], &[]),
            &["job.toml:5:17: `end` of `range` of dataset `a` must be a whole number, not text"],
        );
    }
}

#[test]
fn paths_are_relative_to_where_the_file_says() {
    let text = "relative_to = 'file'\ninclude = ['../shared/c.toml']\n[dataset.a]\n\
                text = ['in/*', '/abs', 's3://b/x']\n[[action]]\nsave = 'a'\nto = 'out'\n";
    let shared = "[dataset.c]\ntext = ['in']\n";
    let file = read(text, &[], &[("jobs/../shared/c.toml", shared)]).expect("no mistakes");
    let paths = file.inputs().flat_map(|(_, input)| &input.entries);
    let paths: Vec<_> = paths.map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["jobs/in/*", "/abs", "s3://b/x", "in"]);
    assert_eq!(file.outputs().next().expect("one").0, "jobs/out");
}

#[test]
fn homes_and_other_words_for_relative_are_told() {
    let text = "relative_to = 'files'\n[dataset.a]\ntext = ['~/in']\n[[action]]\nsave = 'a'\n\
                to = '~me/out'\n";
    all_in(
        &told(text, &[], &[]),
        &[
            "job.toml:1:15: `relative_to` of the job file: `files` is not known",
            "job.toml:3:9: `~/in` begins with `~`",
            "= write `${env:HOME}/in`, or `./~/in` for a folder of that name",
            "job.toml:6:6: `~me/out` begins with `~`",
        ],
    );
    let alone =
        JobFile::read("relative_to = 'file'\n[dataset.a]\nitems = []\n[[action]]\ncount='a'");
    let problems = alone.expect_err("no folder");
    assert!(problems[0].message.contains("from stdin"), "{problems:?}");
}

#[test]
fn included_files_share_datasets_and_parameters() {
    let text = "include = ['a.toml', 'b.toml']\n[params]\nx = 'main'\n[dataset.d]\nfrom = 'b'\n\
                pipe = 'echo ${x} ${y}'\n[[action]]\ncount = 'd'\n";
    let shelf = [
        (
            "jobs/a.toml",
            "include = ['deep/c.toml']\n[dataset.a]\nitems = ['${y}']\n",
        ),
        (
            "jobs/b.toml",
            "include = ['deep/c.toml']\n[dataset.b]\nunion = ['a', 'c']\n",
        ),
        (
            "jobs/deep/c.toml",
            "[params]\ny = 2\n[dataset.c]\nitems = ['${x}']\n",
        ),
    ];
    let file = read(text, &[("y", "9")], &shelf).expect("no mistakes");
    assert_eq!(file.datasets.len(), 4);
    let items = items(&file, "a");
    assert_eq!(items[..], ["9"]);
}

#[test]
fn mistakes_of_included_files_are_told_in_the_file_they_are_in() {
    let text = "include = ['a.toml', 'a.toml', 'no.toml', '~/x', 'http://x/y', '${x}', 'job.toml']\n\
                [params]\nx = 1\n[dataset.a]\nitems = ['${x}']\n[[action]]\ncount = 'a'\n";
    let shelf = [
        (
            "jobs/a.toml",
            "name = 'n'\ninclude = ['b.toml']\n[params]\nx = 2\n[dataset.a]\nitems = [1]\n[dataset.z]\n\
         from = 'a'\nfilter = '('\n[[action]]\ncount = 'a'\n",
        ),
        ("jobs/b.toml", "include = ['a.toml']\nnosuch = 1\n"),
    ];
    all_in(
        &told(text, &[], &shelf),
        &[
            "jobs/job.toml:1:22: `a.toml` is included twice",
            "jobs/job.toml:1:32: cannot read jobs/no.toml: ",
            "jobs/job.toml:1:43: `~/x` begins with `~`",
            "jobs/job.toml:1:50: `http://x/y` cannot be included",
            "jobs/job.toml:1:64: `include` takes no parameters",
            "jobs/job.toml:1:72: the file includes itself",
            "jobs/a.toml:1:1: `name` is of no use in a file that others include",
            "jobs/a.toml:2:12: `jobs/b.toml` includes this file in turn",
            "jobs/a.toml:4:1: parameter `x` is there twice",
            "= it is declared in jobs/job.toml:3 already",
            "jobs/a.toml:5:10: dataset `a` is there twice",
            "= it is in jobs/job.toml:4 already",
            "jobs/a.toml:9:10: `filter` of dataset `z` is no regular expression",
            "jobs/a.toml:10:3: `action` is of no use in a file that others include",
            "jobs/b.toml:2:1: an included file has no field `nosuch`",
        ],
    );
    all_in(
        &told(
            "include = ['a.toml']\n[[action]]\ncount = 'a'\n",
            &[],
            &[("jobs/a.toml", "x = [")],
        ),
        &["jobs/a.toml:1:"],
    );
    all_in(
        &told("include = 'a'\n", &[], &[]),
        &["`include` must be a list of texts, not text"],
    );
}

proptest::proptest! {
    #[test]
    fn no_references_make_it_panic(
        values in proptest::collection::vec("(\\$\\{(a|b|env:HOME|env:X)\\}|\\$|\\{|\\}|[a\u{e9}]){0,6}", 4),
        set in "(\\$\\{a\\}|x){0,2}",
    ) {
        let text = format!(
            "[params]\na = \"{}\"\nb = \"{}\"\n[dataset.a]\nitems = [\"{}\"]\n[dataset.b]\nfrom = 'a'\n\
             pipe = \"x{}\"\n[[action]]\ncount = 'b'\n", values[0], values[1], values[2], values[3]
        );
        for set in [&[][..], &[("a", set.as_str())]] {
            if let Err(told) = read(&text, set, &[]) {
                proptest::prop_assert!(told.starts_with("jobs/job.toml:"), "{}", told);
            }
        }
    }
}

/// Values that double each other would fill any memory, and a chain that is found from
/// its end would take for ever.
#[test]
fn values_that_grow_without_measure_are_told_and_long_chains_are_found_in_time() {
    use std::fmt::Write as _;
    let mut text =
        String::from("[dataset.a]\nitems = ['${p0}']\n[[action]]\ncount = 'a'\n[params]\n");
    for at in 0..60 {
        let next = at + 1;
        writeln!(text, "p{at} = '${{p{next}}}${{p{next}}}'").expect("a string");
    }
    text.push_str("p60 = 'x'\n");
    let told = told(&text, &[], &[]);
    let message = "the values of parameters make more text than a job file may have";
    assert_eq!(told.matches(message).count(), 1, "{told}");
    assert!(told.contains("= 64 MiB of them at most"), "{told}");

    let mut chain =
        String::from("[dataset.a]\nitems = ['${p0}']\n[[action]]\ncount = 'a'\n[params]\n");
    for at in 0..40_000 {
        writeln!(chain, "p{at} = '${{p{}}}'", at + 1).expect("a string");
    }
    chain.push_str("p40000 = 'end'\n");
    let file = read(&chain, &[], &[]).expect("no mistakes");
    let items = items(&file, "a");
    assert_eq!(items[..], ["end"]);
}
