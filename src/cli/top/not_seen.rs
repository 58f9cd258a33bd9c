//! Why nothing of an application is seen.

/// Why nothing was seen.
#[derive(Debug, thiserror::Error)]
pub enum NotSeen {
    /// The server cannot be asked.
    #[error(
        "nothing answers at {url}: {why}; a run says where its pages are when it begins, and \
         `spark.ui.enabled=false` is a run without any"
    )]
    Silent {
        /// What was asked for.
        url: String,
        /// Why there is no answer.
        why: String,
    },
    /// It refused.
    #[error("{url} answers {status}{}", hint(*status))]
    Refused {
        /// What was asked for.
        url: String,
        /// The status of the answer.
        status: u16,
    },
    /// It answered something else.
    #[error("{url} does not answer as Spark's API does: {why}")]
    Strange {
        /// What was asked for.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It does not know the application.
    #[error("{url} knows no application {}{}", wanted.as_deref().unwrap_or("at all"), others(known))]
    Unknown {
        /// Which server.
        url: String,
        /// The application, if one was named.
        wanted: Option<String>,
        /// Those that it knows.
        known: Vec<String>,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => ": it wants a password, which --password-file has to name",
        503 => ": there is nothing to be seen yet",
        _ => "",
    }
}

fn others(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!("; it knows {}", known[..known.len().min(5)].join(", ")),
    }
}
