//! Tests of what a context makes of an application: its plan and its functions.

use mesquite_engine::executor::functions::{Input, Library};
use mesquite_workload::plan::operation::{Operation, Source as PlanSource};

use super::*;
use crate::testing::{all, context as task, lines};
use crate::{Placed, Program, Source};

fn described(app: impl Fn(&Context)) -> Result<Described, Vec<String>> {
    let context = Context::of_driver(vec!["a".into()], Some(4));
    app(&context);
    context.finish()
}

fn numbers(cx: &Context) {
    let least = cx.broadcast(|| Ok::<_, BoxError>(3)).expect("a value");
    let numbers = cx.range(0, 10, 2).filter(move |it| *it > *least);
    let pairs = numbers.map(|it| (it % 2 == 0, it)).named("pairs");
    pairs.reduce_by_key(|a, b| a + b).partitions(3).count();
    pairs.persist().values().collect();
}

#[test]
fn a_chain_of_closures_is_one_dataset_and_what_is_kept_ends_it() {
    let described = described(numbers).expect("no mistakes");
    let recipes = described.application.program.datasets().iter();
    // Without the lines where they stand.
    let names: Vec<&str> = recipes
        .map(|it| it.name.split(':').next().unwrap_or_default())
        .collect();
    let reduced = "reduce_by_key at tests.rs";
    assert_eq!(
        names,
        [
            "range at tests.rs",
            reduced,
            reduced,
            reduced,
            "pairs",
            "values at tests.rs"
        ]
    );
    let counted = described.application.actions[0].dataset;
    let counted = described.application.plan.dataset(counted);
    assert_eq!(counted.partitions(), 3);
    let native = described.application.program.native().expect("functions");
    assert_eq!(native.functions.len(), 4);
    assert_eq!(
        (&*native.arguments, &*native.values),
        (&["a".into()][..], &["3".into()][..])
    );
}

#[test]
fn an_executor_comes_by_the_same_functions_and_values() {
    let native = |app: fn(&Context)| {
        let described = described(app).expect("no mistakes");
        described
            .application
            .program
            .native()
            .expect("functions")
            .clone()
    };
    let mut native = native(numbers);
    // The value is the driver's, wherever the function is run.
    native.values = vec!["8".into()];
    let start = |library: &dyn Library, native: &Native| {
        let functions = library.open(native);
        let input = Input::Records(lines(&["7", "8", "9", "10"]));
        functions.start(FunctionId(2), input, &task()).and_then(all)
    };
    let done = start(&Program(numbers), &native).expect("records");
    assert_eq!(done, ["false\t9", "true\t10"]);
    let told = |library: &dyn Library, native: &Native| {
        start(library, native).expect_err("refused").to_string()
    };
    let other = told(&Program(|cx: &Context| numbers_and_more(cx)), &native);
    assert!(
        other.contains("`reduce_by_key at") && other.contains("Context::broadcast"),
        "{other}"
    );
    native.values.clear();
    let less = told(&Program(numbers), &native);
    assert!(less.contains("fewer values"), "{less}");
    native.build = "0".repeat(64);
    let build = told(&Program(numbers), &native);
    assert!(build.contains("another build"), "{build}");
}

fn numbers_and_more(cx: &Context) {
    cx.range(0, 10, 2).map(|it| it).count();
    numbers(cx);
}

#[test]
fn all_mistakes_are_told_with_their_places() {
    let problems = described(|cx| {
        cx.text("no/such/file").count();
        cx.range(0, 1, 1).partitions(7).count();
        cx.range(0, 1, 1).repartition(0).count();
        cx.range(0, 1, 1).coalesce(0).count();
        let taken: Vec<(u8, u8)> = vec![];
        cx.parallelize(taken, 2).group_by_key().count();
    });
    let problems = problems.err().expect("mistakes");
    let places = [
        "text at tests.rs:",
        "partitions at tests.rs:",
        "repartition at tests.rs:",
        "coalesce at tests.rs:",
    ];
    assert_eq!(problems.len(), places.len(), "{problems:?}");
    for (problem, place) in problems.iter().zip(places) {
        assert!(problem.starts_with(place), "{problem}");
    }
    let nothing = described(|cx| drop(cx.range(0, 1, 1)))
        .err()
        .expect("no action");
    assert!(nothing[0].contains("nothing is asked"), "{nothing:?}");
}

#[test]
fn a_source_is_told_of_its_partitions_and_where_they_lie() {
    struct Twice;
    impl Source for Twice {
        type Partition = String;
        type Record = String;
        type Error = BoxError;

        fn partitions(&self) -> Result<Vec<Placed<String>>, BoxError> {
            let placed = Placed {
                partition: "a\nb".to_owned(),
                hosts: vec!["h1".into()],
            };
            Ok(vec![placed, "c".to_owned().into()])
        }

        fn read(
            &self,
            partition: String,
            task: &crate::Task,
        ) -> Result<impl Iterator<Item = Result<String, BoxError>> + Send + 'static, BoxError>
        {
            let count = if partition == "c" {
                1
            } else {
                task.partition + 2
            };
            let bad = (partition == "c").then(|| Err("no luck".into()));
            let lines = (0..count).map(move |_| Ok(partition.replace('\n', " ")));
            Ok(lines.chain(bad))
        }
    }
    let described = described(|cx| drop(cx.source(Twice).count())).expect("no mistakes");
    let application = &described.application;
    let dataset = application.plan.dataset(application.actions[0].dataset);
    assert_eq!(dataset.partitions(), 2);
    assert_eq!(
        dataset.preferred_hosts(mesquite_base::ids::Partition(0)),
        ["h1".into()]
    );
    let Operation::Source(PlanSource::Native(source)) =
        &application.program.datasets()[0].operation
    else {
        panic!("a source");
    };
    let read = |part: usize| {
        let part = Input::Partition(source.partitions[part].clone());
        described
            .functions
            .start(source.function, part, &task())
            .and_then(all)
    };
    assert_eq!(read(0).expect("records"), ["a b", "a b"]);
    let told = read(1).expect_err("an error").to_string();
    assert!(
        told.starts_with("`source at tests.rs:") && told.ends_with("no luck"),
        "{told}"
    );
}
