//! Secrets that are renewed while a framework lives.

use std::fs;
use std::path::{Path, PathBuf};

use mesquite::mesos::call::Call;
use mesquite::mesos::http::{Authentication, Kept};
use mesquite::mesos::response::Refusal;
use mesquite::mesos::subscription::End;
use tempfile::TempDir;

use crate::framework::{Framework, config};
use crate::master::{Master, Request};

/// A file with a token in it.
fn token(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    fs::write(&path, text).expect("written");
    (folder, path)
}

async fn subscribed(master: &mut Master, path: &Path) -> Framework {
    let mut config = config([master.endpoint()]);
    config.http.authentication = Authentication::Bearer(Kept::File(path.to_owned()));
    let (framework, _stream) = Framework::subscribed_as(master, config).await;
    framework
}

fn sent(request: &Request) -> &str {
    request.header("Authorization").expect("it proves itself")
}

#[tokio::test]
async fn a_call_refused_for_an_old_token_is_sent_again_with_the_new_one() {
    let (_folder, path) = token("old\n");
    let mut master = Master::start().await;
    let framework = subscribed(&mut master, &path).await;
    fs::write(&path, "new\n").expect("written");
    let call = framework.send(Call::Revive { roles: vec![] });
    let request = master.next().await;
    assert_eq!(sent(&request), "Bearer old");
    request.answer(401, "expired");
    let request = master.next().await;
    assert_eq!((sent(&request), request.name()), ("Bearer new", "REVIVE"));
    assert_eq!(request.header("Mesos-Stream-Id"), Some("stream-1"));
    request.answer(202, "");
    assert_eq!(call.await, Ok(()));
}

#[tokio::test]
async fn a_new_subscription_begins_with_the_new_token() {
    let (_folder, path) = token("old\n");
    let mut master = Master::start().await;
    let mut settings = config([master.endpoint()]);
    settings.http.authentication = Authentication::Bearer(Kept::File(path.clone()));
    let (mut framework, stream) = Framework::subscribed_as(&mut master, settings).await;
    fs::write(&path, "new\n").expect("written");
    stream.end();
    framework.disconnected().await;
    let request = master.subscribe().await;
    assert_eq!(sent(&request), "Bearer new");
    request.grant("framework-1");
    framework.subscribed().await;
}

#[tokio::test]
async fn a_token_that_stays_refused_ends_it_with_words_and_without_the_token() {
    let (_folder, path) = token("hunter2\n");
    let mut master = Master::start().await;
    let mut settings = config([master.endpoint()]);
    settings.http.authentication = Authentication::Bearer(Kept::File(path.clone()));
    let mut framework = Framework::start(settings);
    // A new one is tried, and tried once.
    let request = master.subscribe().await;
    fs::write(&path, "hunter3\n").expect("written");
    request.answer(401, "expired");
    let request = master.subscribe().await;
    assert_eq!(sent(&request), "Bearer hunter3");
    request.answer(401, "expired");
    let end = framework.ended().await;
    let End::Refused {
        refusal: Refusal::Unauthenticated(why),
        ..
    } = &end
    else {
        panic!("{end:?}")
    };
    assert!(why.contains(&*path.to_string_lossy()), "{why}");
    assert!(why.contains("expired"), "{why}");
    assert!(!format!("{end} {end:?}").contains("hunter"), "{end:?}");
    assert!(!master.has_request());
}

#[tokio::test]
async fn a_secret_file_is_read_again_too() {
    let (_folder, path) = token("open sesame");
    let mut master = Master::start().await;
    let mut settings = config([master.endpoint()]);
    settings.http.authentication = Authentication::Basic {
        principal: "Aladdin".into(),
        secret: Kept::File(path.clone()),
    };
    let mut framework = Framework::start(settings);
    let request = master.subscribe().await;
    // The example of RFC 7617.
    assert_eq!(sent(&request), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    fs::write(&path, "closed").expect("written");
    request.answer(401, "");
    let request = master.subscribe().await;
    assert_eq!(sent(&request), "Basic QWxhZGRpbjpjbG9zZWQ=");
    request.grant("framework-1");
    framework.subscribed().await;
}
