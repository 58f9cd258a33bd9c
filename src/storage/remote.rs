//! Inputs that lie in object stores and on web servers.
//!
//! Responsible for finding the objects that a URL names, with their sizes, and
//! for reading one from an offset on. Credentials come from the environment, by
//! the names that each store's own tools use (`AWS_ACCESS_KEY_ID`, ...). It
//! blocks: listing is done by the driver before a run, reading by the threads of
//! tasks.

use std::future::Future;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, path::Path};
use url::Url;

/// The kinds of URLs that are read.
pub const SCHEMES: [&str; 10] = [
    "http", "https", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl",
];

/// Whether this names something in an object store or on a web server.
pub fn is_remote(entry: &str) -> bool {
    let scheme = entry.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| SCHEMES.contains(&it))
}

/// An object with its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its URL.
    pub url: String,
    /// Its bytes.
    pub size: u64,
}

fn failed(error: impl std::error::Error) -> io::Error {
    // The interesting part stands at the end of the chain.
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    io::Error::other(text)
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

/// The store of a URL, and the path in it as it is written: a pattern perhaps.
fn store(url: &Url) -> io::Result<(Box<dyn ObjectStore>, Path)> {
    // Of several users in one process the first to come installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options: Vec<(String, String)> = std::env::vars()
        .filter(|(name, _)| {
            ["AWS_", "GOOGLE_", "AZURE_"]
                .iter()
                .any(|it| name.starts_with(it))
        })
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    if url.scheme() == "http" {
        options.push(("allow_http".into(), "true".into()));
    }
    object_store::parse_url_opts(url, options).map_err(failed)
}

fn url_of(entry: &str) -> io::Result<Url> {
    Url::parse(entry).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// The objects that an entry names, by name: one object, all of a folder (a URL
/// that ends with `/`, or that names no object), or those that a pattern
/// matches. Names that begin with `.` or `_` are passed over in both.
///
/// # Errors
/// The store cannot be asked. Web servers are asked for single files only.
pub fn list(entry: &str) -> io::Result<Vec<Object>> {
    let entry = entry.to_owned();
    // A thread of its own, for the caller may be one of an async runtime.
    let listing = std::thread::spawn(move || runtime()?.block_on(list_async(&entry)));
    listing
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the listing broke off")))
}

async fn list_async(entry: &str) -> io::Result<Vec<Object>> {
    let is_pattern =
        entry.contains(['*', '[']) || (entry.contains('?') && !entry.starts_with("http"));
    // What stands before the pattern's first folder is asked for.
    let asked = if is_pattern {
        let before = entry.find(['*', '?', '[']).unwrap_or(entry.len());
        &entry[..=entry[..before].rfind('/').unwrap_or(0)]
    } else {
        entry
    };
    let url = url_of(asked)?;
    let (store, path) = store(&url)?;
    if !is_pattern && !asked.ends_with('/') {
        match store.head(&path).await {
            Ok(about) => {
                return Ok(vec![Object {
                    url: entry.to_owned(),
                    size: about.size,
                }]);
            }
            Err(object_store::Error::NotFound { .. }) if !entry.starts_with("http") => {}
            Err(error) => return Err(failed(error)),
        }
    }
    if entry.starts_with("http") {
        return Err(io::Error::other(
            "web servers tell no list of their files: name each file",
        ));
    }
    let base = base_of(&url, &path);
    let pattern = is_pattern
        .then(|| glob::Pattern::new(&entry[base.len()..]))
        .transpose()
        .map_err(failed)?;
    let mut objects = Vec::new();
    let mut listed = store.list(Some(&path));
    while let Some(about) = listed.next().await {
        let about = about.map_err(failed)?;
        let name = about.location.as_ref();
        let below = name.strip_prefix(path.as_ref()).unwrap_or(name);
        let hidden = below.split('/').any(|it| it.starts_with(['.', '_']));
        let options = glob::MatchOptions {
            require_literal_separator: true,
            ..glob::MatchOptions::new()
        };
        let fits = pattern
            .as_ref()
            .is_none_or(|it| it.matches_with(name, options));
        if !hidden && fits {
            objects.push(Object {
                url: format!("{base}{name}"),
                size: about.size,
            });
        }
    }
    objects.sort_by(|a, b| a.url.cmp(&b.url));
    Ok(objects)
}

/// What a URL has before the path within its store.
fn base_of(url: &Url, path: &Path) -> String {
    let text = url.as_str().trim_end_matches('/');
    let base = text.strip_suffix(path.as_ref()).unwrap_or(text);
    format!("{}/", base.trim_end_matches('/'))
}

/// The bytes of an object as they come.
struct Reading {
    runtime: tokio::runtime::Runtime,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    rest: Bytes,
}

/// Reads an object from an offset on.
///
/// # Errors
/// It cannot be opened.
pub fn open(url: &str, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let runtime = runtime()?;
    let (store, path) = store(&url_of(url)?)?;
    let options = GetOptions {
        range: (offset > 0).then_some(GetRange::Offset(offset)),
        ..GetOptions::default()
    };
    let got = within(&runtime, store.get_opts(&path, options))?;
    Ok(Box::new(Reading {
        stream: got.into_stream(),
        runtime,
        rest: Bytes::new(),
    }))
}

fn within<T>(
    runtime: &tokio::runtime::Runtime,
    work: impl Future<Output = object_store::Result<T>>,
) -> io::Result<T> {
    runtime.block_on(work).map_err(failed)
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(bytes) => self.rest = bytes.map_err(failed)?,
                None => return Ok(0),
            }
        }
        let count = into.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut into[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::Path as FilePath;
    use std::sync::Arc;

    use super::*;
    use crate::plan::operation::{Packing, Split};
    use crate::storage::listing::splits_of;
    use crate::storage::source::TextSource;
    use crate::task::{all_lines, test_context};

    /// A web server with one file, `/a.txt`, and nothing else. It ends with the
    /// tests.
    fn web_server(text: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || serve(stream, text));
            }
        });
        format!("http://{address}")
    }

    fn serve(mut stream: std::net::TcpStream, text: &str) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        loop {
            let request = lines.next()?.ok()?;
            let mut from = None;
            loop {
                let header = lines.next()?.ok()?.to_lowercase();
                if header.is_empty() {
                    break;
                }
                if let Some(range) = header.strip_prefix("range: bytes=") {
                    from = range.trim_end_matches('-').parse::<usize>().ok();
                }
            }
            let (status, body) = match from {
                _ if !request.contains(" /a.txt ") => ("404 Not Found", ""),
                None => ("200 OK", text),
                Some(from) => ("206 Partial Content", &text[from..]),
            };
            let range = from.map_or(String::new(), |from| {
                let last = text.len() - 1;
                format!("content-range: bytes {from}-{last}/{}\r\n", text.len())
            });
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"1\"\r\n{range}\r\n",
                body.len()
            )
            .ok()?;
            if request.starts_with("GET") {
                stream.write_all(body.as_bytes()).ok()?;
            }
        }
    }

    #[test]
    fn a_file_of_a_web_server_is_cut_and_read_like_any_other() {
        let url = format!("{}/a.txt", web_server("one\ntwo\nthree\nfour"));
        let splits = splits_of(&url, &[], 7).expect("there");
        let lines = splits.iter().flat_map(|placed| {
            let context = test_context(FilePath::new("/"));
            let source = TextSource::open(&placed.split, &context).expect("there");
            all_lines(source).expect("readable")
        });
        assert_eq!(splits.len(), 3);
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines, ["one", "two", "three", "four"]);
    }

    #[test]
    fn what_a_web_server_does_not_have_is_an_error_with_its_name() {
        let base = web_server("");
        let url = format!("{base}/b.txt");
        let error = splits_of(&url, &[], 7).expect_err("not there").to_string();
        assert!(error.contains(&url) && error.contains("404"), "{error}");
        let error = splits_of(&format!("{base}/"), &[], 7).expect_err("no file");
        assert!(error.to_string().contains("name each file"), "{error}");
        let split = Split {
            path: Arc::from(url.as_str()),
            start: 0,
            length: None,
            packing: Packing::Plain,
        };
        let context = test_context(FilePath::new("/"));
        assert!(TextSource::open(&split, &context).is_err());
    }

    #[test]
    fn kinds_of_urls_are_told_apart() {
        assert!(is_remote("s3://bucket/a") && is_remote("https://host/a"));
        assert!(!is_remote("file:///a") && !is_remote("a/s3://b") && !is_remote("ftp://a/b"));
    }

    #[test]
    fn what_stands_before_the_path_is_kept() {
        let base = |url: &str| {
            let url = Url::parse(url).expect("a URL");
            let (_, path) = store(&url).expect("a store");
            base_of(&url, &path)
        };
        assert_eq!(base("gs://bucket/some/folder/"), "gs://bucket/");
        assert_eq!(base("gs://bucket"), "gs://bucket/");
        assert_eq!(base("gs://bucket/b"), "gs://bucket/");
    }
}
