//! Inputs that lie in object stores and on web servers.
//!
//! Responsible for finding the objects that a URL names, with their sizes, and
//! for reading one from an offset on. Credentials come from the environment, by
//! the names that each store's own tools use (`AWS_ACCESS_KEY_ID`, ...). It
//! blocks: listing is done by the driver before a run, reading by the threads of
//! tasks.

mod place;
mod told;
mod whole;

use std::future::Future;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, path::Path};
use tokio::runtime::Runtime;
use url::Url;

pub use self::place::{Place, Store};
pub use self::told::told;
pub use self::whole::{Folder, Found};

/// The kinds of URLs that are read.
pub const SCHEMES: [&str; 10] = [
    "http", "https", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl",
];

/// Whether this names something in an object store or on a web server.
pub fn is_remote(entry: &str) -> bool {
    let scheme = entry.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| SCHEMES.iter().any(|it| it.eq_ignore_ascii_case(scheme)))
}

/// An object with its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its URL.
    pub url: String,
    /// Its bytes.
    pub size: u64,
    /// Whether it can be read from its middle on.
    pub in_parts: bool,
}

/// Whose threads do what is waited for elsewhere. One for all, so that
/// connections outlive what they were made for.
///
/// # Errors
/// The system has no more threads.
pub fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("stores")
        .enable_all()
        .build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// Waits for `work` on a thread of its own, for the caller may be one of an
/// async runtime.
///
/// # Errors
/// Those of the work.
pub fn wait<T: Send>(work: impl Future<Output = io::Result<T>> + Send) -> io::Result<T> {
    let runtime = runtime()?;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| runtime.block_on(work));
        let broken = |_| Err(io::Error::other("it broke off"));
        waiting.join().unwrap_or_else(broken)
    })
}

fn is_web(entry: &str) -> bool {
    Place::of(entry).is_none()
}

fn web_server(entry: &str) -> io::Result<(Arc<dyn ObjectStore>, Path)> {
    let url =
        Url::parse(entry).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    place::web_server(&url)
}

/// The objects that an entry names, by name: one object, all of a folder (a URL
/// that ends with `/`, or that names no object), or those that a pattern
/// matches. Names that begin with `.` or `_` are passed over in both. Whether
/// servers give parts of files is asked of those larger than `split`.
///
/// # Errors
/// The store cannot be asked. Web servers are asked for single files only.
pub fn list(entry: &str, split: u64) -> io::Result<Vec<Object>> {
    if is_web(entry) {
        wait(list_web(entry, split))
    } else {
        wait(list_store(entry))
    }
}

async fn list_web(entry: &str, split: u64) -> io::Result<Vec<Object>> {
    if entry.contains(['*', '[']) || entry.ends_with('/') {
        return Err(io::Error::other(
            "web servers tell no list of their files: name each file",
        ));
    }
    let (server, path) = web_server(entry)?;
    let about = server.head(&path).await;
    let size = about.map_err(|error| told(&error, entry))?.size;
    let in_parts = size <= split || gives_parts(&*server, &path).await;
    Ok(vec![Object {
        url: entry.to_owned(),
        size,
        in_parts,
    }])
}

/// Whether a server answers with the part of a file that is asked for.
async fn gives_parts(server: &dyn ObjectStore, path: &Path) -> bool {
    let options = GetOptions {
        range: Some(GetRange::Bounded(1..2)),
        ..GetOptions::default()
    };
    // What else may be wrong with it is told when it is read.
    let got = server.get_opts(path, options).await;
    !matches!(got, Err(Error::NotSupported { .. }))
}

async fn list_store(entry: &str) -> io::Result<Vec<Object>> {
    let place = Place::of(entry).ok_or_else(|| io::Error::other("it is no object store"))?;
    let base = place.base.as_str();
    let is_pattern = place.name.contains(['*', '?', '[']);
    let pattern = is_pattern
        .then(|| glob::Pattern::new(&place.name))
        .transpose()
        .map_err(io::Error::other)?;
    // What stands before the pattern's first folder is asked for.
    let asked = if is_pattern {
        let before = place.name.find(['*', '?', '[']).unwrap_or(0);
        let folder = place.name[..before].rfind('/').unwrap_or(0);
        place.name[..folder].to_owned()
    } else {
        place.name.clone()
    };
    let asked = Place {
        base: place.base.clone(),
        name: asked,
    };
    let (store, path) = (place.store()?, asked.path()?);
    if !is_pattern && !entry.ends_with('/') && !asked.name.is_empty() {
        match store.head(&path).await {
            Ok(about) => {
                return Ok(vec![Object {
                    url: place.url(),
                    size: about.size,
                    in_parts: true,
                }]);
            }
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(told(&error, base)),
        }
    }
    let mut objects = Vec::new();
    let mut listed = store.list(Some(&path));
    while let Some(about) = listed.next().await {
        let about = about.map_err(|error| told(&error, base))?;
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
                in_parts: true,
            });
        }
    }
    objects.sort_by(|a, b| a.url.cmp(&b.url));
    Ok(objects)
}

/// The bytes of an object as they come.
struct Reading {
    runtime: &'static Runtime,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
    rest: Bytes,
    base: String,
}

/// Reads an object from an offset on.
///
/// # Errors
/// It cannot be opened.
pub fn open(url: &str, offset: u64) -> io::Result<Box<dyn Read + Send>> {
    let runtime = runtime()?;
    let (store, path, base): (Arc<dyn ObjectStore>, _, _) = match Place::of(url) {
        Some(place) => (place.store()?, place.path()?, place.base),
        None => {
            let (server, path) = web_server(url)?;
            (server, path, url.to_owned())
        }
    };
    let options = GetOptions {
        range: (offset > 0).then_some(GetRange::Offset(offset)),
        ..GetOptions::default()
    };
    let got = runtime.block_on(store.get_opts(&path, options));
    Ok(Box::new(Reading {
        stream: got.map_err(|error| told(&error, &base))?.into_stream(),
        runtime,
        rest: Bytes::new(),
        base,
    }))
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.runtime.block_on(self.stream.next()) {
                Some(bytes) => self.rest = bytes.map_err(|error| told(&error, &self.base))?,
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
    use crate::plan::split::{Packing, Split};
    use crate::storage::listing::splits_of;
    use crate::storage::source::TextSource;
    use crate::task::{all_lines, test_context};

    /// A web server with one file, `/a.txt`, that is also there as `/whole.txt`,
    /// of which no part is given, and nothing else. It ends with the tests.
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
            let mut asked = None;
            loop {
                let header = lines.next()?.ok()?.to_lowercase();
                if header.is_empty() {
                    break;
                }
                asked = asked.or_else(|| {
                    let (from, to) = header.strip_prefix("range: bytes=")?.split_once('-')?;
                    let last = to.parse().unwrap_or(text.len() - 1);
                    Some((from.parse::<usize>().ok()?, last))
                });
            }
            let is_whole = request.contains(" /whole.txt ");
            let asked = asked.filter(|_| !is_whole);
            let (status, body) = match asked {
                _ if !is_whole && !request.contains(" /a.txt ") => ("404 Not Found", ""),
                None => ("200 OK", text),
                Some((from, last)) => ("206 Partial Content", &text[from..=last]),
            };
            let range = asked.map_or(String::new(), |(from, last)| {
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
        let base = web_server("one\ntwo\nthree\nfour");
        // Where no parts are given, it is one split.
        for (name, count) in [("a.txt", 3), ("whole.txt", 1)] {
            let splits = splits_of(&format!("{base}/{name}"), &[], 7).expect("there");
            let lines = splits.iter().flat_map(|placed| {
                let context = test_context(FilePath::new("/"));
                let source = TextSource::open(&placed.split, &context).expect("there");
                all_lines(source).expect("readable")
            });
            let lines: Vec<_> = lines.collect();
            assert_eq!(lines, ["one", "two", "three", "four"]);
            assert_eq!(splits.len(), count, "{name}");
        }
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
            header: false,
        };
        let context = test_context(FilePath::new("/"));
        assert!(TextSource::open(&split, &context).is_err());
    }

    #[test]
    fn kinds_of_urls_are_told_apart() {
        assert!(is_remote("S3://bucket/a") && is_remote("https://host/a"));
        assert!(!is_remote("file:///a") && !is_remote("a/s3://b") && !is_remote("ftp://a/b"));
    }
}
