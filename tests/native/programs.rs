//! Programs that do everything, or something wrong.

use std::collections::BTreeMap;

use mesquite::{BoxError, Context, Line};
use serde::{Deserialize, Serialize};

/// Does what the first argument names.
pub fn app(cx: &Context) -> Result<(), BoxError> {
    match cx.arguments().first().map(String::as_str) {
        Some("everything") => everything(cx)?,
        Some("panics") => {
            let numbers = cx.range(0, 10, 2);
            numbers
                .map(|it| if it == 7 { panic!("no seven") } else { it })
                .count();
        }
        Some("drifts") => {
            let is_executor = std::env::args().nth(1).as_deref() == Some("executor");
            let numbers = cx.range(0, 10, 2);
            let numbers = if is_executor {
                numbers.map(|it| it)
            } else {
                numbers.filter(|it| *it > 3)
            };
            numbers.count();
        }
        Some("mistakes") => {
            cx.text("no/such/file").count();
            cx.range(0, 1, 1).partitions(2).count();
        }
        Some("shares") => {
            cx.range(0, 1, 1).save("target/shared/x");
            cx.range(0, 1, 1).save("target/shared");
        }
        Some("answers") => {
            let count = cx.range(0, 3, 1).count();
            count.then(|count| Err::<(), _>(format!("too many: {count}")));
        }
        _ => return Err("there is no such program".into()),
    }
    Ok(())
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    customer: String,
    items: Vec<(String, u32)>,
    note: Option<String>,
}

fn orders() -> Vec<Order> {
    let order = |customer: &str, items: &[(&str, u32)], note: Option<&str>| Order {
        customer: customer.into(),
        items: items
            .iter()
            .map(|(item, count)| ((*item).into(), *count))
            .collect(),
        note: note.map(Into::into),
    };
    vec![
        order("a\tb\nc", &[("nut,s", 2), ("bolts", 1)], Some("")),
        order("d", &[], None),
        order("a\tb\nc", &[("bolts", 4)], Some("two\nlines")),
    ]
}

/// What it prints, whatever runs it.
pub const EVERYTHING: &str = r#"notes: ["", "two\nlines"]
items: [("bolts", 5), ("nut,s", 2)]
sums: [(0, 18), (1, 12), (2, 15)]
folded: [(0, 18), (1, 12), (2, 15)]
most: [(0, 9), (1, 7), (2, 8)]
groups: [(0, 4), (1, 3), (2, 3)]
joined: [(0, (18, "zero")), (2, (15, "two"))]
left: [(0, (18, Some("zero"))), (1, (12, None)), (2, (15, Some("two")))]
full: [(0, (Some(18), Some("zero"))), (1, (Some(12), None)), (2, (Some(15), Some("two"))), (7, (None, Some("")))]
sorted: [9, 8, 7]
top: [9, 0]
all: [45]
mean: [4.5]
once: 3
parts: [(0, 10), (1, 35)]
bytes: [255, 10]
piped: ["2", "1"]
seen: 10
"#;

/// Records that lines have to be taught to hold.
fn texts(cx: &Context) {
    let orders = cx.parallelize(orders(), 2);
    let notes = orders.filter_map(|order| order.note);
    notes
        .map(|note| (note,))
        .sort_by(|it| it.0.clone())
        .collect()
        .then(|notes| {
            let notes: Vec<_> = notes.into_iter().map(|it| it.0).collect();
            println!("notes: {notes:?}");
        });
    let items = orders
        .flat_map(|order| order.items)
        .reduce_by_key(|a, b| a + b);
    items
        .sort_by(|it| it.0.clone())
        .collect()
        .then(|it| println!("items: {it:?}"));
}

fn everything(cx: &Context) -> Result<(), BoxError> {
    texts(cx);
    let parts = cx.broadcast(|| Ok::<_, BoxError>(3_i64))?;
    let numbers = cx.range(0, 10, 2).named("numbers").persist();
    let pairs = numbers.map(move |it| (it % *parts, it));
    let sums = pairs.reduce_by_key(|a, b| a + b).partitions(3).persist();
    let by_key = |it: &(i64, i64)| it.0;
    sums.sort_by(by_key)
        .collect()
        .then(|it| println!("sums: {it:?}"));
    let folded = pairs.fold_by_key(0, |a, b| a + b).sort_by(by_key);
    folded.collect().then(|it| println!("folded: {it:?}"));
    let most = |most: &mut i64, it| *most = (*most).max(it);
    let most = pairs.aggregate_by_key(|| 0, most, most).sort_by(by_key);
    most.collect().then(|it| println!("most: {it:?}"));
    let groups = pairs
        .group_by_key()
        .map_values(|all| all.len())
        .sort_by(|it| it.0);
    groups.collect().then(|it| println!("groups: {it:?}"));

    let names = [
        (0, "zero".to_owned()),
        (2, "two".to_owned()),
        (7, String::new()),
    ];
    let names = cx.parallelize(names, 1);
    let joined = sums.join(&names).sort_by(|it| it.0);
    joined.collect().then(|it| println!("joined: {it:?}"));
    let joined = sums.left_join(&names).sort_by(|it| it.0);
    joined.collect().then(|it| println!("left: {it:?}"));
    let joined = sums.full_join(&names).sort_by(|it| it.0);
    joined.collect().then(|it| println!("full: {it:?}"));

    let twice = numbers.union(&numbers).repartition(3).distinct();
    let sorted = twice.sort_by(|it| std::cmp::Reverse(*it)).partitions(2);
    sorted
        .collect()
        .limit(3)
        .then(|it| println!("sorted: {it:?}"));
    let top = numbers.top(2, |it| (*it == 0 || *it == 9, *it));
    top.collect().then(|it| println!("top: {it:?}"));
    numbers
        .reduce(|a, b| a + b)
        .collect()
        .then(|it| println!("all: {it:?}"));
    let mean = numbers.aggregate(
        || (0, 0),
        |(sum, count), it| (*sum, *count) = (*sum + it, *count + 1),
        |(sum, count), more| (*sum, *count) = (*sum + more.0, *count + more.1),
    );
    let mean = mean.map(|(sum, count): (i64, i64)| sum as f64 / count as f64);
    mean.collect().then(|it| println!("mean: {it:?}"));
    pairs
        .keys()
        .distinct()
        .count()
        .then(|it| println!("once: {it}"));
    let parts = numbers.map_partitions(|task, records| [(task.partition, records.sum::<i64>())]);
    let parts = parts.coalesce(1);
    parts.collect().then(|it| println!("parts: {it:?}"));
    let bytes = cx
        .parallelize([Line(vec![255]), Line(vec![10])], 2)
        .map(|it| it.0[0]);
    bytes.collect().then(|it| println!("bytes: {it:?}"));
    let piped = numbers
        .filter(|it| *it < 3 && *it > 0)
        .map(|it| it.to_string());
    piped
        .repartition(1)
        .pipe("sort -rn")
        .collect()
        .then(|it| println!("piped: {it:?}"));
    effects(cx, &numbers)
}

/// What a closure does to files of its own is seen behind it.
fn effects(cx: &Context, numbers: &mesquite::Dataset<i64>) -> Result<(), BoxError> {
    let folder = cx.broadcast(|| {
        let folder = tempfile::tempdir()?.keep();
        folder
            .into_os_string()
            .into_string()
            .map_err(|_| BoxError::from("no text"))
    })?;
    let seen = folder.clone();
    let written = numbers.for_each_partition(move |task, records| {
        let counts: BTreeMap<i64, u64> = records.map(|it| (it, 1)).collect();
        std::fs::write(
            format!("{}/{}", *folder, task.partition),
            counts.len().to_string(),
        )
    });
    // A job that comes behind it, whose result is told after all jobs are done.
    numbers.count().after(&written).then(move |_| {
        let mut all = 0;
        for file in std::fs::read_dir(&*seen)? {
            all += std::fs::read_to_string(file?.path())?.parse::<u64>()?;
        }
        std::fs::remove_dir_all(&*seen)?;
        println!("seen: {all}");
        Ok::<_, BoxError>(())
    });
    Ok(())
}
