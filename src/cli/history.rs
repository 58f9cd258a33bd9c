//! `mesquite history`: what ran, out of event logs.
//!
//! Responsible for what is typed and told: where it listens, and where a file went. What
//! is served is [`mesquite_status`]'s business.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;

use mesquite_status::history::{History, export};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{HistoryArgs, HistoryCommand};
use super::console::Console;
use super::copied::{self, Copied};
use super::exit_code::Failure;
use crate::descriptors;

/// Serves a folder of event logs until it is interrupted, or writes a file.
///
/// # Errors
/// The folder is not there, the port is taken, or the file cannot be written.
pub fn run(args: &HistoryArgs, console: &Console, out: &mut impl Write) -> Result<(), Failure> {
    if let Some(HistoryCommand::Export(args)) = &args.command {
        let copy = Copied::of(&args.dir)?;
        let folder = copy.as_ref().map_or(&*args.dir, Copied::path);
        export(&args.app, folder, &args.file)?;
        console.line(&format!("wrote {}", args.file.display()));
        return Ok(());
    }
    match &args.dir {
        Some(folder) => serve(folder, SocketAddr::new(args.host, args.port), console, out),
        None => Err(Failure::Usage(
            "name the folder of the event logs".to_owned(),
        )),
    }
}

fn serve(
    folder: &Path,
    at: SocketAddr,
    console: &Console,
    out: &mut impl Write,
) -> Result<(), Failure> {
    // Each connection takes one.
    descriptors::raise(None);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let copy = Copied::of(folder)?;
    let served = runtime.block_on(async {
        let history = match &copy {
            Some(copy) => History::of(copy.folder(), at).await?,
            None => History::start(folder, at).await?,
        };
        let shown = folder.display();
        console.line(&format!(
            "serving the event logs in {shown}; Ctrl-C ends it"
        ));
        // For scripts, which may have asked for any port.
        writeln!(out, "http://{}/", history.at()).map_err(Failure::Output)?;
        out.flush().map_err(Failure::Output)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
        tokio::select! {
            () = history.serve() => {}
            () = copied::keep(copy, |why| console.line(why)) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    });
    // Nobody waits for a log that is being read for somebody.
    runtime.shutdown_background();
    served
}
