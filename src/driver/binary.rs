//! Our own binary, for agents that lack it.
//!
//! Responsible for serving the running program over HTTP and for the shell
//! command that starts it on an agent: from the same path if the same binary is
//! there, else fetched and checked by its digest. The program is no secret, so
//! it is served to whoever asks.
//!
//! - `GET /mesquite`: the program

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The program and its SHA-256.
#[derive(Clone, Debug)]
pub(super) struct Binary {
    path: PathBuf,
    digest: String,
}

impl Binary {
    /// The program that runs.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn own() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let program = std::fs::read(&path)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &program);
        let digest = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Ok(Self {
            path,
            digest: digest.collect(),
        })
    }

    /// Its SHA-256, in hexadecimal digits.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// The shell command that starts an executor, with the program from `url`
    /// where it is not there already.
    pub(super) fn command(&self, url: &str) -> String {
        let (path, digest) = (quoted(&self.path.to_string_lossy()), &self.digest);
        let short = &digest[..16];
        let url = quoted(url);
        format!(
            "same() {{ [ -x \"$1\" ] && [ \"$(sha256sum < \"$1\")\" = '{digest}  -' ]; }}; \
             if same {path}; then exec {path} executor; fi; \
             f=./mesquite-{short}; \
             {{ curl -fsS -o $f {url} || wget -q -O $f {url}; }} && chmod 755 $f || {{ \
             echo cannot fetch mesquite from {url}: curl or wget is needed, and a way to there >&2; \
             exit 1; }}; \
             if same $f; then exec $f executor; fi; \
             echo what is at {url} is not the mesquite that the driver runs >&2; \
             exit 1"
        )
    }

    /// Serves the program for as long as it is polled.
    pub(super) async fn serve(self, listener: TcpListener) {
        let program = Arc::new(self.path);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, most likely: some will come free.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let program = Arc::clone(&program);
            let service = service_fn(move |request| answer(request, Arc::clone(&program)));
            tokio::spawn(async move {
                let http = hyper::server::conn::http1::Builder::new();
                let served = http.serve_connection(TokioIo::new(stream), service).await;
                if let Err(error) = served {
                    tracing::debug!(%error, "a download ended");
                }
            });
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    program: Arc<PathBuf>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/mesquite" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    let read = tokio::task::spawn_blocking(move || std::fs::read(&*program)).await;
    match read {
        Ok(Ok(bytes)) => *response.body_mut() = Full::new(bytes.into()),
        _ => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    Ok(response)
}

/// For the shell, as one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_runs_what_it_fetched_only_if_the_digest_is_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("a program");
        std::fs::write(&program, "#!/bin/sh\necho ran $1\n").expect("written");
        let digest = ring::digest::digest(
            &ring::digest::SHA256,
            &std::fs::read(&program).expect("readable"),
        );
        let binary = |digest: &[u8]| Binary {
            path: folder.path().join("is not here"),
            digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let run = |binary: &Binary, url: &str| {
            let command = binary.command(url);
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &command])
                .current_dir(folder.path())
                .output()
                .expect("a shell");
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        // curl reads files too; an agent with wget alone is given http.
        if std::process::Command::new("curl")
            .arg("-V")
            .output()
            .is_err()
        {
            return;
        }
        let url = format!("file://{}/a%20program", folder.path().display());
        assert_eq!(run(&binary(digest.as_ref()), &url), "ran executor\n");
        let said = run(&binary(&[0; 32]), &url);
        assert!(said.contains("is not the mesquite"), "{said}");
    }

    #[test]
    fn a_path_is_one_word_to_the_shell() {
        assert_eq!(quoted("a b'c"), "'a b'\\''c'");
    }
}
