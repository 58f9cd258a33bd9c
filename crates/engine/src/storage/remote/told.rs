//! What a store's or a web server's refusal means, for people.
//!
//! Responsible for words: what went wrong, as short as it can be said, and what
//! to do where that is known.

use std::error::Error as _;
use std::io;

use object_store::Error;

/// Where the settings are listed.
const SEE: &str = "(docs/jobs.md, \"Object stores\", lists the settings)";

/// Nothing says who asks.
pub(super) const NO_S3_CREDENTIALS: &str = "there are no credentials for S3: set \
     AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or AWS_SKIP_SIGNATURE=true \
     for a public bucket; no service of the machine gives any, and files of the aws program are \
     not read (docs/jobs.md, \"Object stores\", lists the settings)";

/// Nothing says who asks.
pub(super) const NO_GCS_CREDENTIALS: &str = "there are no credentials for Google Cloud Storage: \
     set GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS to a key file, or \
     GOOGLE_SKIP_SIGNATURE=true for a public bucket; no service of the machine gives any \
     (docs/jobs.md, \"Object stores\", lists the settings)";

/// Nothing says who asks.
pub(super) const NO_AZURE_CREDENTIALS: &str = "there are no credentials for Azure: set \
     AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true for a \
     public container; no service of the machine gives any (docs/jobs.md, \"Object stores\", \
     lists the settings)";

/// An error of a store, in words. `base` is what was asked.
pub fn told(error: &Error, base: &str) -> io::Error {
    let text = chain(error);
    let reason = reason(&text);
    let web = base.starts_with("http");
    let kind = match error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
        _ => io::ErrorKind::Other,
    };
    let words = match error {
        _ if text.contains("NoSuchBucket") || text.contains("ContainerNotFound") => {
            format!("there is no {} that has this name", bucket(base))
        }
        Error::NotFound { .. } if web => format!("it is not there: {reason}"),
        Error::NotFound { .. } => "it is not there".to_owned(),
        Error::Unauthenticated { .. } | Error::PermissionDenied { .. } if web => {
            format!("the server does not allow it: {reason}")
        }
        Error::Unauthenticated { .. } | Error::PermissionDenied { .. } => format!(
            "the store does not allow it: {reason}; check the credentials in the environment, and \
             what they may do {SEE}"
        ),
        _ if text.contains("169.254.") || text.contains("metadata.google") => format!(
            "there are no credentials in the environment, and the machine's service for them did \
             not give any: {reason} {SEE}"
        ),
        _ if text.contains("redirect without LOCATION") || text.contains("PermanentRedirect") => {
            format!("the {} is in another region: set AWS_REGION", bucket(base))
        }
        // All that the client says of a plain URL that it may not use.
        _ if text.contains("builder error") => format!(
            "the address is not one that may be used: is it complete, and is plain http forbidden \
             by AWS_ALLOW_HTTP=false? {SEE}"
        ),
        Error::NotSupported { .. } if web => "the server gives no parts of files (`Range: \
             bytes=...`), so a file must be read in one piece: give the dataset a `split` that is \
             larger than the file"
            .to_owned(),
        _ => reason,
    };
    io::Error::new(kind, words)
}

fn bucket(base: &str) -> &'static str {
    match base.split_once(':') {
        Some(("s3" | "gs", _)) => "bucket",
        Some(("http" | "https", _)) => "host",
        _ => "container",
    }
}

/// All that an error and its causes say, each once.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What a store says itself, in its XML, or the end of the chain.
fn reason(text: &str) -> String {
    let element = |name: &str| {
        let after = text.split_once(&format!("<{name}>"))?.1;
        Some(after.split_once("</")?.0.trim().to_owned())
    };
    if let Some(code) = element("Code") {
        return match element("Message") {
            Some(message) => format!("{message} ({code})"),
            None => code,
        };
    }
    // The client's own words come last; before them stands how often it tried.
    let words = text.split_once(" - ").map_or(text, |(_, words)| words);
    let mut said = Vec::new();
    for part in words.split(": ") {
        if !said.contains(&part) && !part.is_empty() {
            said.push(part);
        }
    }
    let words = said.join(": ");
    match words.strip_prefix("Server returned non-2xx status code: ") {
        Some(status) => format!("it answered {}", status.trim_end_matches([':', ' '])),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic {
            store: "S3",
            source: text.into(),
        }
    }

    #[test]
    fn what_can_be_done_is_said() {
        let words = |error: &Error, base| told(error, base).to_string();
        let no_bucket = Error::NotFound {
            path: "x".into(),
            source: "<Error><Code>NoSuchBucket</Code></Error>".into(),
        };
        assert!(words(&no_bucket, "s3://b/").contains("no bucket"));
        let denied = Error::PermissionDenied {
            path: "x".into(),
            source: "Error performing PUT http://h/ in 1ms - Server returned non-2xx status code: \
                     403 Forbidden: <Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
                .into(),
        };
        let denied = words(&denied, "s3://b/");
        assert!(denied.contains("No. (AccessDenied)") && denied.contains("credentials"));
        let elsewhere = generic("Received redirect without LOCATION, this normally");
        assert!(words(&elsewhere, "s3://b/").contains("AWS_REGION"));
        let plain = generic("Error performing GET http://h/ in 1ms - HTTP error: builder error");
        assert!(words(&plain, "s3://b/").contains("AWS_ALLOW_HTTP"));
        let other = generic("Error performing GET http://h/ in 1ms - HTTP error: refused: refused");
        assert_eq!(words(&other, "s3://b/"), "HTTP error: refused");
    }
}
