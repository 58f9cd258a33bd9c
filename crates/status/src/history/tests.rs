//! A server on a free port is asked for all there is, and for what there is not.

use std::fs;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Two stages, one task that failed, names that are HTML.
const LOG: &str = r#"{"Event":"SparkListenerLogStart","Spark Version":"mesquite-1"}
{"Event":"SparkListenerEnvironmentUpdate","JVM Information":{},"Spark Properties":{"spark.master":"<i>local</i>"},"System Properties":{},"Classpath Entries":{}}
{"Event":"SparkListenerApplicationStart","App Name":"<script>alert(1)</script>","App ID":"app/1","Timestamp":1000,"User":"u"}
{"Event":"SparkListenerExecutorAdded","Timestamp":1001,"Executor ID":"e<b>","Executor Info":{"Host":"h","Total Cores":2,"Log Urls":{}}}
{"Event":"SparkListenerJobStart","Job ID":0,"Submission Time":1002,"Stage IDs":[0,1],"Stage Infos":[{"Stage ID":0,"Stage Name":"<b>a</b>","Number of Tasks":2},{"Stage ID":1,"Stage Name":"b","Number of Tasks":1,"Parent IDs":[0]}],"Properties":{"spark.job.description":"count of <b>b</b>"}}
{"Event":"SparkListenerStageSubmitted","Stage Info":{"Stage ID":0,"Stage Name":"<b>a</b>","Number of Tasks":2,"Submission Time":1003,"RDD Info":[{"RDD ID":3,"Name":"<u>d</u>"}]}}
{"Event":"SparkListenerTaskStart","Stage ID":0,"Stage Attempt ID":0,"Task Info":{"Task ID":0,"Index":0,"Launch Time":1004,"Executor ID":"e<b>","Host":"h","Locality":"ANY"}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Stage Attempt ID":0,"Task End Reason":{"Reason":"Success"},"Task Info":{"Task ID":0,"Index":0,"Launch Time":1004,"Executor ID":"e<b>","Host":"h","Locality":"ANY","Finish Time":1100},"Task Metrics":{"Executor Run Time":90,"Input Metrics":{"Bytes Read":2048,"Records Read":7}}}
{"Event":"SparkListenerTaskStart","Stage ID":0,"Stage Attempt ID":0,"Task Info":{"Task ID":1,"Index":1,"Launch Time":1004,"Executor ID":"e<b>","Host":"h","Locality":"ANY"}}
{"Event":"SparkListenerTaskEnd","Stage ID":0,"Stage Attempt ID":0,"Task End Reason":{"Reason":"ExceptionFailure","Full Stack Trace":"it wrote <img src=x>"},"Task Info":{"Task ID":1,"Index":1,"Launch Time":1004,"Executor ID":"e<b>","Host":"h","Locality":"ANY","Finish Time":1050,"Failed":true},"Task Metrics":{"Executor Run Time":40}}
{"Event":"SparkListenerStageCompleted","Stage Info":{"Stage ID":0,"Stage Name":"<b>a</b>","Number of Tasks":2,"Submission Time":1003,"Completion Time":1110,"Failure Reason":"<b>no</b>"}}
{"Event":"SparkListenerJobEnd","Job ID":0,"Completion Time":1111,"Job Result":{"Result":"JobFailed","Exception":{"Message":"<b>no</b>"}}}
{"Event":"SparkListenerApplicationEnd","Timestamp":1200}
"#;

const APP: &str = "/history/app%2F1/";

struct Running {
    at: SocketAddr,
    folder: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn running() -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("app"), LOG).expect("written");
    fs::write(folder.path().join("<bad>"), "nonsense\n").expect("written");
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let history = History::start(folder.path(), at).await.expect("it listens");
    let at = history.at();
    let task = tokio::spawn(history.serve());
    Running { at, folder, task }
}

/// What comes back for these bytes, up to the end of the connection.
async fn raw(at: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).await.expect("it listens");
    // It may refuse before it has read all.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

async fn ask(at: SocketAddr, path: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    let answer = raw(at, &request).await;
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head[9..12].parse().expect("a status");
    (status, head.to_lowercase(), body.to_owned())
}

#[tokio::test]
async fn every_page_is_there_and_what_is_html_in_a_log_stays_text() {
    let server = running().await;
    let at = server.at;
    for (path, said) in [
        ("/", "&lt;bad&gt;"),
        (
            APP,
            "It failed after 200 ms: 1 job, 1 stage, 1 task done on 1 executor; 1 attempt failed. Job 0 failed: &lt;b&gt;no&lt;/b&gt;",
        ),
        (&format!("{APP}stages/0/0/"), "it wrote &lt;img src=x&gt;"),
        (&format!("{APP}stages/0/0/"), "2.0 KiB"),
        (&format!("{APP}stages/1/0/"), "reads the output of"),
        (&format!("{APP}stages/0/0/tasks/"), "1 to 2 of 2"),
        (
            &format!("{APP}stages/0/0/tasks/?sort=run&down=1&state=FAILED"),
            "1 to 1 of 1",
        ),
        (
            &format!("{APP}stages/0/0/tasks/?offset=4000000000"),
            "There are none",
        ),
        (&format!("{APP}executors/"), "e&lt;b&gt;"),
        (&format!("{APP}settings/"), "&lt;i&gt;local&lt;/i&gt;"),
    ] {
        let (status, head, body) = ask(at, path).await;
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.contains(said), "{path}: {body}");
        assert!(
            head.contains("content-security-policy: default-src 'none'"),
            "{head}"
        );
        assert!(head.contains("text/html"), "{head}");
        for tag in ["<script", "<b>", "<img", "<i>", "<u>", "<bad>"] {
            assert!(!body.contains(tag), "{path}: {tag} in {body}");
        }
    }
    assert!(ask(at, "/style.css").await.1.contains("text/css"));
    let moved = ask(at, "/history/app%2F1").await;
    assert_eq!(moved.0, 308);
    assert!(moved.1.contains("location: app%2f1/"), "{}", moved.1);
}

#[tokio::test]
async fn the_api_answers_and_a_new_log_appears_by_itself() {
    let server = running().await;
    let json = async |path: &str| -> serde_json::Value {
        let (status, head, body) = ask(server.at, &format!("/api/v1{path}")).await;
        assert_eq!(status, 200, "{path}: {body}");
        assert!(head.contains("application/json"), "{head}");
        // An answer of unknown length comes in pieces.
        let begin = body.find(['[', '{']).expect("JSON");
        let end = body.rfind([']', '}']).expect("JSON");
        serde_json::from_str(&body[begin..=end]).expect("JSON")
    };
    let app = "/applications/app%2F1";
    assert_eq!(json("/applications").await[0]["id"], "app/1");
    assert_eq!(json(app).await["attempts"][0]["duration"], 200);
    let of = async |path: &str| json(&format!("{app}{path}")).await;
    assert_eq!(of("/jobs").await[0]["status"], "FAILED");
    assert_eq!(of("/jobs/0").await["numFailedTasks"], 1);
    assert_eq!(
        of("/stages?status=failed").await.as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(of("/stages/0").await[0]["tasks"]["1"]["status"], "FAILED");
    assert_eq!(
        of("/stages/0/0").await["executorSummary"]["e<b>"]["taskTime"],
        142
    );
    let summaries = of("/stages/0/0?details=false&withSummaries=true").await;
    assert_eq!(summaries["taskMetricsDistributions"]["duration"][4], 96.0);
    assert_eq!(summaries.get("tasks"), None);
    assert_eq!(
        of("/stages/0/0/taskSummary?quantiles=0.5").await["executorRunTime"][0],
        90.0
    );
    assert_eq!(
        of("/stages/0/0/taskList?offset=1&length=1").await[0]["taskId"],
        1
    );
    assert_eq!(of("/executors").await[0]["failedTasks"], 1);
    assert_eq!(of("/allexecutors").await[0]["totalInputBytes"], 2048);
    assert_eq!(
        of("/environment").await["sparkProperties"][0][0],
        "spark.master"
    );
    for none in ["/sql", "/storage/rdd", "/allmiscellaneousprocess"] {
        assert_eq!(of(none).await, serde_json::json!([]));
    }
    assert!(json("/version").await["spark"].is_string());
    let (status, head, body) = ask(server.at, &format!("/api/v1{app}/logs")).await;
    assert_eq!(status, 200);
    assert!(head.contains("filename=eventlogs-app1.zip"), "{head}");
    assert!(
        body.contains("SparkListenerApplicationEnd"),
        "it is stored as it is"
    );
    let other = LOG
        .replace("app/1", "app2")
        .replace("\"Timestamp\":1000", "\"Timestamp\":2000");
    fs::write(server.folder.path().join("other"), other).expect("written");
    assert_eq!(json("/applications").await[0]["id"], "app2");
    assert_eq!(
        json("/applications?limit=1").await.as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        json("/applications?status=running").await,
        serde_json::json!([])
    );
    let metrics = ask(server.at, "/metrics").await.2;
    assert!(
        metrics.contains("mesquite_history_applications{state=\"failed\"} 2"),
        "{metrics}"
    );
    assert!(
        metrics.contains("mesquite_history_unreadable_logs 1"),
        "{metrics}"
    );
    assert_eq!(ask(server.at, "/healthz").await.2, "ok\n");
}

#[tokio::test]
async fn what_is_not_there_or_must_not_be_is_refused() {
    let server = running().await;
    let at = server.at;
    for path in [
        "/nothing",
        "/history/none/",
        "/history/app%2F1/stages/7/0/",
        "/history/..%2F..%2Fetc/",
        "/api/v1/applications/none",
        "/api/v1/applications/app%2F1/7",
        "/api/v1/applications/app%2F1/jobs/7",
        "/api/v1/applications/app%2F1/stages/1/0/taskSummary",
        "/api/v1/applications/..%2fapp/logs",
        "/history/app%2F1/stages/0/0/tasks/?sort=x",
        "/%00",
        "//",
    ] {
        let (status, _, body) = ask(at, path).await;
        let expected = if path == "//" { 200 } else { 404 };
        assert_eq!(status, expected, "{path}: {body}");
    }
    let bad = "/api/v1/applications/app%2F1/stages/0/0/taskList?length=x";
    assert_eq!(ask(at, bad).await.0, 400);
    let first = async |request: String| {
        let answer = raw(at, &request).await;
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    for method in ["POST", "DELETE", "PUT", "OPTIONS"] {
        let request = format!(
            "{method} / HTTP/1.1\r\nhost: {at}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        assert!(first(request).await.contains("405"), "{method}");
    }
    let elsewhere = "GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert!(first(elsewhere.to_owned()).await.contains("403"));
    let long = format!(
        "GET / HTTP/1.1\r\nhost: {at}\r\nx: {}\r\n\r\n",
        "y".repeat(40_000)
    );
    assert!(first(long).await.contains("431"));
    let head = format!("HEAD {APP} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n\r\n");
    let answer = raw(at, &head).await;
    assert!(answer.ends_with(b"\r\n\r\n"), "a head alone");
}

#[tokio::test]
async fn those_who_say_nothing_keep_nobody_out() {
    let server = running().await;
    let mut silent = Vec::new();
    for _ in 0..1000 {
        silent.push(TcpStream::connect(server.at).await.expect("it listens"));
    }
    assert_eq!(ask(server.at, "/healthz").await.0, 200);
}

#[tokio::test]
async fn a_place_that_cannot_be_served_is_told_of() {
    let server = running().await;
    let taken = History::start(server.folder.path(), server.at).await.err();
    let taken = taken.expect("the port is taken").to_string();
    assert!(taken.contains("--port"), "{taken}");
    let none = server.folder.path().join("none");
    assert!(matches!(
        History::start(&none, server.at).await,
        Err(HistoryError::NoFolder(_))
    ));
}

#[test]
fn an_export_stands_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, file) = (folder.path().join("app"), folder.path().join("a.html"));
    fs::write(&log, LOG).expect("written");
    for app in [&*log.to_string_lossy(), "app/1"] {
        export(app, folder.path(), &file).expect("it is written");
        let page = fs::read_to_string(&file).expect("text");
        assert!(page.contains("It failed after") && page.contains("id=\"stage-0-0\""));
        for from_elsewhere in ["http://", "https://", "<link", "<script", "src=\"", "url("] {
            assert!(!page.contains(from_elsewhere), "{from_elsewhere}");
        }
        // Links lead to places in it.
        let links = page.split("href=\"").skip(1);
        for link in links.map(|it| it.split('"').next().unwrap_or_default()) {
            let place = link.strip_prefix('#').unwrap_or_else(|| panic!("{link}"));
            assert!(page.contains(&format!("id=\"{place}\"")), "{link}");
        }
        fs::remove_file(&file).expect("there");
    }
    let none = export("none", folder.path(), &file).expect_err("there is none");
    assert!(
        none.to_string().contains("no application of this id"),
        "{none}"
    );
}
