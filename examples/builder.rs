//! The word count of `wordcount.toml`, built from Rust instead of a job file.
//!
//! ```text
//! cargo run --release --example builder -- 'docs/*.md'
//! cargo run --release --example builder -- 'docs/*.md' mesos://127.0.0.1:5050
//! ```
//!
//! Executors run the driver's own program, so a program that is to run on a
//! cluster hands `executor` on to the library, as `main` does here.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use bytes::Bytes;
use mesquite::cli::{self, connection::lasting_client_config};
use mesquite::conf::Conf;
use mesquite::conf::layer::Layer;
use mesquite::conf::properties::application::MASTER;
use mesquite::driver::listener::Listener;
use mesquite::driver::report::{Progress, Report};
use mesquite::driver::run::run;
use mesquite::plan::ApplicationBuilder;
use mesquite::plan::application::{ActionKind, Application};
use mesquite::plan::operation::{SortBy, SortOrder};
use mesquite::storage::listing::splits_of;
use tokio::sync::mpsc;

/// Prints results and says nothing else.
struct Printer;

impl Listener for Printer {
    fn progress(&mut self, _: Progress) {}

    fn counted(&mut self, _: usize, records: u64) -> io::Result<()> {
        writeln!(io::stdout(), "words: {records}")
    }

    fn collected(&mut self, _: usize, records: &[Bytes]) -> io::Result<()> {
        let mut records = records.iter();
        records.try_for_each(|lines| io::stdout().write_all(lines))
    }
}

/// The ten most frequent words of some files, and how many words there are.
fn word_count(files: &str) -> Result<Application, Box<dyn Error>> {
    let mut builder = ApplicationBuilder::new();
    builder.name("word count");
    let lines = builder.text("lines", splits_of(files, &[], 32 << 20)?)?;
    let words = builder.pipe("words", lines, "tr -cs '[:alpha:]' '\\n'")?;
    let counts = builder.count_by_key("counts", words, Some(4))?;
    let by_count = builder.pipe("by count", counts, "awk '{ print $2 \"\\t\" $1 }'")?;
    let order = SortOrder {
        by: SortBy::Key,
        numeric: true,
        descending: true,
    };
    let sorted = builder.sort("sorted", by_count, order, Some(2))?;
    builder.action(words, ActionKind::Count, None);
    builder.action(sorted, ActionKind::Collect { limit: Some(10) }, None);
    Ok(builder.build())
}

async fn driver(files: &str, master: &str) -> Result<Report, Box<dyn Error>> {
    let conf = Conf::builder()
        .set(Layer::Option("master"), MASTER.name(), master)
        .build()?;
    let mesos = match master {
        local if local.starts_with("local") => None,
        _ => Some(lasting_client_config(&conf)?),
    };
    // Whoever holds the sender may end the run in good order.
    let (_interrupt, interrupts) = mpsc::unbounded_channel();
    let finished = run(
        word_count(files)?,
        None,
        &conf,
        mesos,
        &mut Printer,
        interrupts,
    )
    .await?;
    let report = finished.report.clone();
    // With a recovery folder nothing of the run is kept from here on.
    finished.told();
    Ok(report)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (files, master) = match arguments[..] {
        [_, "executor"] => return Ok(cli::main(std::env::args_os(), &std::env::vars().collect())),
        [_, files] => (files, "local[*]"),
        [_, files, master] => (files, master),
        _ => return Err("usage: builder FILES [MASTER]".into()),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(driver(files, master))?;
    writeln!(
        io::stderr(),
        "{:?} after {:.2} s",
        report.status,
        report.seconds
    )?;
    Ok(ExitCode::SUCCESS)
}
