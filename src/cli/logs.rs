//! `mesquite logs`: what the commands of an attempt wrote to stderr, as long as its run lasts.
//!
//! Responsible for finding the run and for telling why there is nothing to be shown. It is
//! a client of the run's pages like any other; who has a log, and who may read it, is
//! theirs to say.

use std::borrow::Cow;
use std::io::Write;
use std::ops::RangeInclusive;

use mesquite_status::route::NamedAttempt;
use serde_json::Value;

use super::args::LogsArgs;
use super::asking;
use super::exit_code::Failure;
use crate::mesos::http::Http;
use crate::mesos::tls::Tls;
use crate::plain::plain;

/// Where the pages of runs of this machine are, unless they are told to be elsewhere.
const PORTS: RangeInclusive<u16> = 4040..=4056;

/// Prints a log. What a terminal would act on is shown instead if `out` is one.
///
/// # Errors
/// The run, the attempt or the log is not there, or nobody may read it.
pub fn run(args: &LogsArgs, is_terminal: bool, out: &mut impl Write) -> Result<(), Failure> {
    let attempt = NamedAttempt::read(&args.task).ok_or_else(|| {
        Failure::Usage(format!(
            "{:?} is no attempt: name its number, as on the pages of the run, or STAGE.PARTITION, \
             or STAGE.PARTITION.ATTEMPT",
            args.task
        ))
    })?;
    let http = asking::client(args.password_file.as_deref(), Tls::unused())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let log = runtime.block_on(async {
        let url = match &args.url {
            Some(url) => of_url(&http, url.trim_end_matches('/'), &args.app).await?,
            None => of_this_machine(&http, &args.app).await?,
        };
        let log = format!("{url}/api/mesquite/v1/logs/{attempt}");
        match http.ask(&log).await {
            Ok((200, log)) => Ok(log),
            Ok((code, words)) => Err(refused(code, &words)),
            Err(error) => Err(gone(&url, &error.to_string())),
        }
    })?;
    let written = match is_terminal {
        true => shown(&log).try_for_each(|line| writeln!(out, "{line}")),
        false => out.write_all(&log),
    };
    written.and_then(|()| out.flush()).map_err(Failure::Output)
}

/// The lines of a log as a terminal may have them.
fn shown(log: &[u8]) -> impl Iterator<Item = String> {
    let log = log.strip_suffix(b"\n").unwrap_or(log);
    log.split(|it| *it == b'\n').map(|line| {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        plain(&line).into_owned()
    })
}

/// Whose pages these are.
enum Pages {
    Of(String),
    Locked,
    None(String),
}

async fn pages(http: &Http, url: &str) -> Pages {
    match http.ask(&format!("{url}/api/v1/applications")).await {
        Ok((200, body)) => {
            let all: Value = serde_json::from_slice(&body).unwrap_or_default();
            match all[0]["id"].as_str() {
                Some(app) => Pages::Of(app.to_owned()),
                None => Pages::None("it answers, and is no run".to_owned()),
            }
        }
        Ok((401, _)) => Pages::Locked,
        Ok((code, body)) => Pages::None(words(code, &body).into_owned()),
        Err(error) => Pages::None(error.to_string()),
    }
}

/// The pages of a run that are to be there.
async fn of_url(http: &Http, url: &str, app: &str) -> Result<String, Failure> {
    if !url.starts_with("http://") {
        let why = format!("{url} does not begin with http://, as the pages of a run do");
        return Err(Failure::Usage(why));
    }
    match pages(http, url).await {
        Pages::Of(found) if found == app => Ok(url.to_owned()),
        Pages::Of(found) => Err(Failure::Logs(format!(
            "the pages at {url} are those of {}, and not of {}",
            plain(&found),
            plain(app)
        ))),
        Pages::Locked => Err(refused(401, b"")),
        Pages::None(why) => Err(gone(url, &why)),
    }
}

/// The pages of a run of this machine.
async fn of_this_machine(http: &Http, app: &str) -> Result<String, Failure> {
    let mut locked = "";
    for port in PORTS {
        let url = format!("http://127.0.0.1:{port}");
        match pages(http, &url).await {
            Pages::Of(found) if found == app => return Ok(url),
            Pages::Locked => locked = "; some there want a password (--password-file)",
            Pages::Of(_) | Pages::None(_) => {}
        }
    }
    let (first, last) = PORTS.into_inner();
    Err(Failure::Logs(format!(
        "no pages of run {} are at the ports {first} to {last} of this machine{locked}: it is over, \
         or they are elsewhere, as the run told at its start (--url). Of a run that is over, the last \
         lines of attempts that failed are in its event log (mesquite history)",
        plain(app)
    )))
}

fn gone(url: &str, why: &str) -> Failure {
    Failure::Logs(format!(
        "the run cannot be asked at {url}: {}. If it is over, the last lines of attempts that failed \
         are in its event log (mesquite history)",
        plain(why)
    ))
}

fn refused(code: u16, body: &[u8]) -> Failure {
    match code {
        401 => Failure::Logs(
            "the pages of the run want a password: --password-file names the file that has it"
                .to_owned(),
        ),
        code => Failure::Logs(words(code, body).into_owned()),
    }
}

/// What an answer says.
fn words(code: u16, body: &[u8]) -> Cow<'static, str> {
    let text = String::from_utf8_lossy(body);
    match plain(text.trim()) {
        text if text.is_empty() => Cow::Owned(format!("it answers {code}")),
        text => Cow::Owned(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_what_it_would_act_on() {
        let lines: Vec<_> = shown(b"\x1b[2Jgone\r\n<b>\xff</b>\n\nlast\n").collect();
        assert_eq!(lines, ["\\u{1b}[2Jgone", "<b>\u{fffd}</b>", "", "last"]);
        assert_eq!(shown(b"open").collect::<Vec<_>>(), ["open"]);
    }
}
