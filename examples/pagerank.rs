//! The ranks of pages that link to each other, after some rounds.
//!
//! ```text
//! cargo run --release --example pagerank -- examples/links.tsv 10
//! ```
//!
//! The file has a link a line: a page, a tab, the page that it leads to.

#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::process::ExitCode;

use mesquite::{BoxError, Context, Dataset};

type Page = String;

fn link(line: &str) -> Option<(Page, Page)> {
    let (from, to) = line.split_once('\t')?;
    Some((from.to_owned(), to.to_owned()))
}

/// What each page gives to those that it leads to.
fn shares((_, (to, rank)): (Page, (Vec<Page>, f64))) -> Vec<(Page, f64)> {
    let share = rank / to.len() as f64;
    to.into_iter().map(|page| (page, share)).collect()
}

fn page_rank(cx: &Context) -> Result<(), BoxError> {
    let [file, rounds] = cx.arguments() else {
        return Err("give a file of links, and how many rounds".into());
    };
    let rounds: u32 = rounds.parse()?;
    let links = cx.text(file).filter_map(|line| link(&line)).distinct();
    let links = links.group_by_key().named("links").persist();
    let mut ranks: Dataset<(Page, f64)> = links.map_values(|_| 1.0);
    for round in 1..=rounds {
        let shares = links.join(&ranks).flat_map(shares);
        let sums = shares.reduce_by_key(|a, b| a + b);
        ranks = sums.map_values(|sum| 0.15 + 0.85 * sum);
        ranks = ranks.named(format!("ranks after round {round}"));
    }
    let first = ranks.sort_by(|(page, rank)| (std::cmp::Reverse(*rank), page.clone()));
    first.collect().limit(10).then(|pages| {
        for (page, rank) in pages {
            println!("{rank:.4} {page}");
        }
    });
    Ok(())
}

fn main() -> ExitCode {
    mesquite::main(page_rank)
}
