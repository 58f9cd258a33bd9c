//! What a text names: a path of the file system, or something else.
//!
//! Responsible for telling `file:` URLs, other URLs and paths apart, in one way
//! for inputs and outputs.

use std::path::PathBuf;

use url::Url;

/// The path that a text names; `None` if it is a URL of another kind.
///
/// # Errors
/// It is a `file:` URL that names no file of this machine; why.
pub fn local(text: &str) -> Result<Option<PathBuf>, String> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(Some(text.into()));
    };
    if scheme.eq_ignore_ascii_case("file") {
        return of_file_url(text, rest).map(Some);
    }
    let is_scheme = scheme.starts_with(|it: char| it.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it));
    if is_scheme && rest.starts_with("//") {
        return Ok(None);
    }
    // `a:b` is a file's name like any other.
    Ok(Some(text.into()))
}

/// `file:path` and `file:/path` are taken as they stand; after `//` comes a host,
/// and then a path in which `%20` is a space.
fn of_file_url(text: &str, rest: &str) -> Result<PathBuf, String> {
    let Some(after) = rest.strip_prefix("//") else {
        return Ok(rest.into());
    };
    let (host, path) = after.split_at(after.find('/').unwrap_or(after.len()));
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(format!(
            "`{host}` stands where a `file:` URL has its host: write `file:///{after}` for a path \
             of this machine, and mount what lies on another one"
        ));
    }
    if path.is_empty() {
        return Err("the URL has no path".to_owned());
    }
    // A pattern is no URL: its signs stand for themselves.
    if !path.contains('%') {
        return Ok(path.into());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    url.to_file_path()
        .map_err(|()| "the URL names no file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_files_and_paths_are_paths() {
        for (text, wanted) in [
            ("a/b", "a/b"),
            ("a:b", "a:b"),
            ("./s3://x", "./s3://x"),
            ("file:a/b", "a/b"),
            ("file:/a/b", "/a/b"),
            ("file:///a/b*?", "/a/b*?"),
            ("FILE://localhost/a", "/a"),
            ("file:///with%20space", "/with space"),
        ] {
            assert_eq!(local(text), Ok(Some(wanted.into())), "{text}");
        }
        assert_eq!(local("s3://b/x"), Ok(None));
        assert_eq!(local("hdfs://b/x"), Ok(None));
        let error = local("file://host/x").expect_err("another machine");
        assert!(error.contains("`host`"), "{error}");
        local("file://").expect_err("nothing");
    }
}
