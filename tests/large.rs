//! Long records and large messages, from outside: they pass, or what they belong
//! to fails in words.

#[path = "support/jobs.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod jobs;

use std::fmt::Write as _;

use jobs::Job;

const CLUSTER: &str = "local-cluster[2,2,512]";

#[test]
fn a_sort_of_long_lines_sends_no_long_lines_around() {
    let job = Job::new(
        "[conf]\n'spark.rpc.message.maxSize' = '1m'\n[dataset.n]\n\
         range = { end = 16, partitions = 4 }\n[dataset.long]\nfrom = 'n'\n\
         pipe = 'while read n; do printf %s $n; head -c 3000000 /dev/zero | tr \"\\0\" x; echo; done'\n\
         [dataset.sorted]\nfrom = 'long'\nsort = { by = 'line', partitions = 4 }\n\
         [dataset.seen]\nfrom = 'sorted'\npipe = 'cut -c 1-2'\n[[action]]\ncollect = 'seen'\n",
    );
    let ended = job.run(&["--master", CLUSTER, "--json"]).succeeded();
    let mut wanted: Vec<_> = (0..16).map(|it| format!("{it}x")[..2].to_owned()).collect();
    wanted.sort();
    assert_eq!(ended.results["stdout"], wanted);
    assert_eq!(ended.summary()["jobs"][1]["failed_attempts"], 0);
}

#[test]
fn a_task_that_fits_into_no_message_fails_its_job_in_words() {
    // So many bounds, each as long as is left to it.
    let job = Job::new(
        "[conf]\n'spark.rpc.message.maxSize' = '1m'\n[dataset.n]\n\
         range = { end = 40000, partitions = 2 }\n[dataset.long]\nfrom = 'n'\n\
         pipe = \"sed 's/^/--------------------------------------------------/'\"\n\
         [dataset.sorted]\nfrom = 'long'\nsort = { by = 'line', partitions = 40000 }\n\
         [[action]]\ncount = 'sorted'\n[[action]]\ncount = 'n'\n",
    );
    let ended = job.run(&["--master", CLUSTER, "--json"]);
    assert_eq!(ended.code(), Some(1));
    let stderr = ended.stderr();
    for part in ["failed 4 times", "spark.rpc.message.maxSize"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    let summary = ended.summary();
    let status = |dataset: &str| {
        let jobs = summary["jobs"].as_array().expect("jobs");
        let of = jobs.iter().rfind(|job| job["dataset"] == dataset);
        of.expect("a job")["status"].clone()
    };
    assert_eq!(status("n"), "succeeded", "another job goes on");
    assert_eq!(status("sorted"), "failed");
}

#[test]
fn a_program_that_fits_into_no_message_is_refused() {
    let mut items = String::new();
    for _ in 0..20 {
        let _ = write!(items, "'{}', ", "x".repeat(60_000));
    }
    let text = format!("[dataset.a]\nitems = [{items}]\n[[action]]\ncount = 'a'\n");
    let job = Job::new(&text);
    let small = ["--conf", "spark.rpc.message.maxSize=1m", "--master"];
    let ended = job.run(&[&small[..], &[CLUSTER]].concat());
    assert_eq!(ended.code(), Some(2));
    assert!(ended.stderr().contains("put long items into files"));
    // Threads are sent nothing.
    job.run(&[&small[..], &["local"]].concat()).succeeded();
}
