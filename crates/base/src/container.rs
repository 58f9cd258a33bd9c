//! What settings say of containers: volumes, labels, parameters.
//!
//! Responsible for how they are written, which is Spark's; but what cannot be understood is
//! refused, where Spark passes over it with a warning. What Mesos is told of a container is
//! made of it elsewhere. Pure.

/// A folder or file of an agent that a container sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Where the container sees it.
    pub container_path: String,
    /// Where it is on the agent; an empty folder of the sandbox if that is not said.
    pub host_path: Option<String>,
    /// Whether the container may not write there.
    pub read_only: bool,
}

/// A name and a value, for whoever looks at Mesos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Reads a list of volumes: `[host:]container[:ro|:rw]`, separated by commas.
///
/// # Errors
/// One is no volume.
pub fn volumes(text: &str) -> Result<Vec<Volume>, &'static str> {
    text.split(',').map(|item| volume(item.trim())).collect()
}

fn volume(text: &str) -> Result<Volume, &'static str> {
    let wrong = "volumes as [/on/the/agent:]/in/the/container[:ro or :rw], separated by commas";
    let mut parts: Vec<_> = text.split(':').collect();
    let mode = parts.pop_if(|last| parts_mode(last).is_some());
    let (host, container) = match *parts {
        [container] => (None, container),
        [host, container] => (Some(host), container),
        _ => return Err(wrong),
    };
    // A name without a slash would be a volume of a driver's, or a folder of the sandbox.
    if !container.starts_with('/') || host.is_some_and(|it| !it.starts_with('/')) {
        return Err(wrong);
    }
    Ok(Volume {
        container_path: container.to_owned(),
        host_path: host.map(ToOwned::to_owned),
        read_only: mode.and_then(parts_mode).unwrap_or(false),
    })
}

/// Whether a mode allows no writing, if it is one.
fn parts_mode(text: &str) -> Option<bool> {
    match text {
        "ro" => Some(true),
        "rw" => Some(false),
        _ => None,
    }
}

/// Reads labels: `key:value`, separated by commas; `\,` and `\:` are part of a text.
///
/// # Errors
/// One is no label.
pub fn labels(text: &str) -> Result<Vec<Label>, &'static str> {
    let wrong = "labels as key:value, separated by commas, with \\, and \\: for these in a text";
    let mut labels = Vec::new();
    for item in unescaped(text, ',') {
        let parts = unescaped(&item, ':');
        let [key, value] = &*parts else {
            return Err(wrong);
        };
        if key.is_empty() {
            return Err(wrong);
        }
        let plain = |part: &str| part.replace("\\,", ",").replace("\\:", ":");
        labels.push(Label {
            key: plain(key),
            value: plain(value),
        });
    }
    Ok(labels)
}

/// The parts of a text between separators that have no backslash before them.
fn unescaped(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut last = ' ';
    for char in text.chars() {
        if char == separator && last != '\\' {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(char);
        }
        last = char;
    }
    parts
}

/// Reads parameters of `docker run`: `key=value`, separated by commas, each split at its first
/// `=`.
///
/// # Errors
/// One is no parameter.
pub fn parameters(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let wrong = "parameters of `docker run` as key=value, without --, separated by commas";
    let parameter = |item: &str| match item.trim().split_once('=') {
        Some((key, value)) if !key.is_empty() && !key.starts_with('-') => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err(wrong),
    };
    text.split(',').map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_written_as_for_spark() {
        let volume = |container: &str, host: Option<&str>, read_only| Volume {
            container_path: container.into(),
            host_path: host.map(Into::into),
            read_only,
        };
        for (text, wanted) in [
            ("/in", volume("/in", None, false)),
            ("/in:ro", volume("/in", None, true)),
            ("/on:/in", volume("/in", Some("/on"), false)),
            ("/on:/in:rw", volume("/in", Some("/on"), false)),
            (" /on:/in:ro ", volume("/in", Some("/on"), true)),
        ] {
            assert_eq!(volumes(text), Ok(vec![wanted]), "{text}");
        }
        assert_eq!(volumes("/a,/b:/c:ro").map(|it| it.len()), Ok(2));
        for bad in ["", "/a,", "a:/b", "/a:b", "/a:/b:rx", "/a:/b:/c:ro", "ro"] {
            assert!(volumes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn separators_in_labels_have_a_backslash_before_them() {
        let label = |key: &str, value: &str| Label {
            key: key.into(),
            value: value.into(),
        };
        assert_eq!(
            labels("team:a b,path:C\\:\\,D"),
            Ok(vec![label("team", "a b"), label("path", "C:,D")])
        );
        assert_eq!(labels("empty:"), Ok(vec![label("empty", "")]));
        for bad in ["", "a", "a:b:c", ":b", "a:b,"] {
            assert!(labels(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_parameter_is_split_at_its_first_sign() {
        assert_eq!(
            parameters("env=A=1,ipc=host"),
            Ok(vec![
                ("env".into(), "A=1".into()),
                ("ipc".into(), "host".into())
            ])
        );
        for bad in ["", "ipc", "=host", "--ipc=host", "a=b,"] {
            assert!(parameters(bad).is_err(), "{bad}");
        }
    }
}
