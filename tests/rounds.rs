//! Datasets that are made round by round, by the binary.

#[path = "support/jobs.rs"]
#[allow(dead_code, reason = "only a part of it is needed here")]
mod jobs;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use jobs::{Ended, Job, root};

/// Where to run: threads, and processes that can die.
const MASTERS: [&str; 2] = ["local[2]", "local-cluster[2,2,512]"];

fn stdout(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.output.stdout).into_owned()
}

/// PageRank as its formula has it, in one thread and without a table of anything else.
fn ranks(links: &str, rounds: usize) -> BTreeMap<String, f64> {
    let links: Vec<(&str, &str)> = links.lines().filter_map(|it| it.split_once('\t')).collect();
    let out = |page: &str| links.iter().filter(|(from, _)| *from == page).count() as f64;
    let pages = links.iter().map(|(from, _)| (*from).to_owned());
    let mut ranks: BTreeMap<String, f64> = pages.map(|page| (page, 1.0)).collect();
    for _ in 0..rounds {
        let mut sums: BTreeMap<String, f64> = ranks.keys().map(|it| (it.clone(), 0.0)).collect();
        for (from, to) in &links {
            let rank = ranks.get(*from).copied().unwrap_or_default();
            *sums.entry((*to).to_owned()).or_default() += rank / out(from);
        }
        ranks = sums;
        ranks.values_mut().for_each(|it| *it = 0.15 + 0.85 * *it);
    }
    ranks
}

#[test]
fn the_ranks_of_pages_are_those_of_the_formula() {
    let links = fs::read_to_string(root().join("examples/links.txt")).expect("links");
    for (master, rounds) in [(MASTERS[0], 12), (MASTERS[1], 3)] {
        let set = format!("rounds={rounds}");
        let arguments = ["--master", master, "--set", &set, "--json"];
        let ended = Job::example("pagerank").run(&arguments).succeeded();
        let expected = ranks(&links, rounds);
        let told = stdout(&ended);
        let lines: Vec<_> = told.lines().filter(|it| !it.starts_with('{')).collect();
        assert_eq!(lines.len(), expected.len(), "{told}");
        for line in lines {
            let (page, rank) = line.split_once('\t').expect("a rank");
            let rank: f64 = rank.parse().expect("a number");
            let difference = (rank - expected[page]).abs();
            assert!(difference < 1e-9, "{page}: {rank}, not {}", expected[page]);
        }
        let jobs = &ended.summary()["jobs"];
        let of_rounds = jobs.as_array().expect("jobs").iter();
        let of_rounds = of_rounds.filter(|it| it["round_of"] == "ranks");
        assert_eq!(of_rounds.count(), rounds);
        let folded = format!("ranks: {rounds} rounds in {rounds} jobs");
        assert!(ended.stderr().contains(&folded), "{}", ended.stderr());
    }
}

/// Answers one request for a file of the example's web.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut headers = lines.map_while(Result::ok);
    headers.find(String::is_empty);
    let path = first.split(' ').nth(1).unwrap_or_default();
    let file = root()
        .join("examples/web")
        .join(path.trim_start_matches('/'));
    let (status, body) = match fs::read(file) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    // What is still on its way would break the connection before the answer is read.
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.take(1).read_to_end(&mut Vec::new()).map(|_| ())
}

#[test]
fn a_crawler_reads_each_page_once_and_ends_when_none_is_new() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let web = format!("http://{}", listener.local_addr().expect("an address"));
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    for master in MASTERS {
        let first = format!("first={web}/index.html");
        let arguments = ["--master", master, "--set", &first];
        let ended = Job::example("crawler").run(&arguments).succeeded();
        let told = stdout(&ended).replace(&web, "");
        let mut edges: Vec<&str> = told.lines().map(str::trim).collect();
        assert_eq!(edges.remove(0), "digraph web {");
        assert_eq!(edges.pop(), Some("}"));
        let expected = [
            r#""/about.html" -> "/index.html""#,
            r#""/deep/first.html" -> "/deep/second.html""#,
            r#""/deep/second.html" -> "/deep/first.html""#,
            r#""/deep/second.html" -> "/deep/third.html""#,
            r#""/index.html" -> "/about.html""#,
            r#""/index.html" -> "/deep/first.html""#,
            r#""/index.html" -> "/news.html""#,
            r#""/news.html" -> "/about.html""#,
            r#""/news.html" -> "/gone.html""#,
            r#""/news.html" -> "/index.html""#,
        ];
        assert_eq!(edges, expected);
        // Pages, their links, links of these, and one that links to nothing new.
        let told = ended.stderr();
        assert!(told.contains("web: 4 rounds in 8 jobs"), "{told}");
    }
}

/// A loop whose rounds end when nothing is left, and what its file says beside that.
fn shrinking(times: &str, body: &str) -> Job {
    Job::new(&format!(
        "[dataset.start]\nitems = [5, 9, 2]\n\
         [dataset.numbers]\nfrom = 'start'\n\
         iterate = {{ next = 'rest', until_empty = true{times} }}\n\
         [dataset.less]\nfrom = 'numbers'\npipe = '''{body}'''\n\
         [dataset.rest]\nfrom = 'less'\nrepartition = 2\n\
         [[action]]\ncount = 'numbers'\n"
    ))
}

const LESS: &str = "while read -r n; do [ $n -gt 1 ] && echo $((n - 1)); done; true";

#[test]
fn rounds_end_with_the_one_that_leaves_nothing_or_say_that_there_is_no_end() {
    let ended = shrinking("", LESS)
        .run(&["--master", MASTERS[0]])
        .succeeded();
    assert_eq!(stdout(&ended), "0\n");
    assert!(
        ended.stderr().contains("numbers: 9 rounds"),
        "{}",
        ended.stderr()
    );
    // As many as are wanted may be enough.
    let ended = shrinking(", times = 4", LESS)
        .run(&["--master", MASTERS[0]])
        .succeeded();
    assert_eq!(stdout(&ended), "2\n");
    let ended = shrinking("", "cat").run(&["--master", MASTERS[0]]);
    assert_eq!(ended.code(), Some(1));
    let told = ended.stderr();
    assert!(
        told.contains("is not at its end after 100 rounds"),
        "{told}"
    );
}

#[test]
fn an_executor_that_dies_in_a_round_costs_what_it_ran_and_no_more() {
    // The first one that gets to 6 takes its executor along.
    let dies = "while read -r n; do \
        [ $n != 6 ] || [ -e target/small ] || { mkdir target/small; kill -9 $PPID; sleep 9; }; \
        [ $n -gt 1 ] && echo $((n - 1)); done; true";
    let ended = shrinking(", times = 7", dies)
        .run(&["--master", MASTERS[1]])
        .succeeded();
    assert_eq!(stdout(&ended), "1\n", "{}", ended.stderr());
    let told = ended.stderr();
    assert!(
        told.contains("executor lost through one of its tasks"),
        "{told}"
    );
    let whole = "numbers: 7 rounds in 7 jobs: 14 stages, 29 tasks, ";
    assert!(told.contains(whole), "{told}");
}
