//! `mesquite top`: the overview of a run in a terminal.
//!
//! Responsible for whom is asked, and whether once or until somebody ends it. A client of
//! Spark's API and of nothing else, so it shows any application that has one, and what
//! has ended, too: for a folder of event logs a history is served to itself.

mod asked;
mod drawing;
pub mod not_seen;
mod screen;
mod seen;

use std::io::{IsTerminal, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use mesquite_status::history::History;

use self::asked::Client;
use self::drawing::Drawing;
use super::args::TopArgs;
use super::console::Console;
use super::copied::{self, Copied};
use super::exit_code::Failure;

/// Where the pages of a run are, if nothing else is said.
const USUAL: &str = "http://127.0.0.1:4040";

/// Shows what is asked for.
///
/// # Errors
/// Nothing answers, or it does not know the application.
pub fn run(args: &TopArgs, console: &Console, out: &mut impl Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let whom = args.whom.as_deref().unwrap_or(USUAL);
    let shown = runtime.block_on(async {
        let url = match is_url(whom) {
            true => whom.to_owned(),
            false => served(whom).await?,
        };
        let client = Client::new(&url, args.password_file.as_deref())?;
        if args.once || !(stdout().is_terminal() && stdin().is_terminal()) {
            once(&client, args.app.as_deref(), console.width(), out).await
        } else {
            screen::watch(client, args.app.clone()).await
        }
    });
    // Nobody waits for an answer that is under way.
    runtime.shutdown_background();
    shown
}

fn is_url(whom: &str) -> bool {
    whom.starts_with("http://") || whom.starts_with("https://")
}

/// Serves a folder of event logs to this process alone; where.
async fn served(folder: &str) -> Result<String, Failure> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let place = PathBuf::from(folder);
    let copying = tokio::task::spawn_blocking(move || Copied::of(&place)).await;
    let copy = copying.map_err(|error| Failure::Runtime(error.into()))??;
    let history = match &copy {
        Some(copy) => History::of(copy.folder(), anywhere).await?,
        None => History::start(Path::new(folder), anywhere).await?,
    };
    let url = format!("http://{}", history.at());
    tokio::spawn(async move {
        tokio::join!(history.serve(), copied::keep(copy, |_| ()));
    });
    Ok(url)
}

async fn once(
    client: &Client,
    app: Option<&str>,
    width: usize,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let seen = client.look(app).await.map_err(Failure::NotSeen)?;
    let text = Drawing::still(&seen).text(u16::try_from(width).unwrap_or(u16::MAX));
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Failure::Output)
}
