//! The overview on a terminal, brought up to date until somebody ends it.
//!
//! Responsible for keys, for the terminal, which is put back whatever happens, and for
//! asking once a second. A server that is gone leaves what was seen last, with the
//! reason; it is asked again.

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::asked::Client;
use super::drawing::Drawing;
use super::not_seen::NotSeen;
use super::seen::Seen;
use crate::cli::exit_code::Failure;

/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);

/// Shows it until a key or a signal ends it.
///
/// # Errors
/// Nothing answers at first, or the terminal cannot be drawn on.
pub async fn watch(client: Client, app: Option<String>) -> Result<(), Failure> {
    // What cannot be seen at all is told before the terminal is taken.
    let first = client
        .look(app.as_deref())
        .await
        .map_err(Failure::NotSeen)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let (look, looked) = watch::channel(Wanted {
        app,
        stands_still: false,
    });
    let (show, shown) = watch::channel((first, None));
    let asking = tokio::spawn(ask(client, looked, show));
    let mut terminal = ratatui::try_init().map_err(Failure::Output)?;
    let end = tokio::select! {
        end = follow(&mut terminal, &look, shown) => end,
        _ = terminated.recv() => Ok(()),
    };
    ratatui::restore();
    asking.abort();
    end
}

/// What people want to see.
struct Wanted {
    app: Option<String>,
    stands_still: bool,
}

/// What was seen last, and why there is nothing newer.
type Shown = (Seen, Option<String>);

/// Asks once a second, and when something else is wanted.
async fn ask(client: Client, mut wanted: watch::Receiver<Wanted>, show: watch::Sender<Shown>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            changed = wanted.changed() => if changed.is_err() { return; },
        }
        let app = {
            let wanted = wanted.borrow_and_update();
            if wanted.stands_still {
                continue;
            }
            wanted.app.clone()
        };
        match client.look(app.as_deref()).await {
            Ok(seen) => show.send_replace((seen, None)),
            Err(why) => {
                let last = show.borrow().0.clone();
                show.send_replace((last, Some(gone(&why))))
            }
        };
    }
}

fn gone(why: &NotSeen) -> String {
    match why {
        NotSeen::Silent { why, .. } => {
            format!("the run is over, or cannot be reached ({why}): this is how it was last")
        }
        other => format!("{other}: this is how it was last"),
    }
}

async fn follow(
    terminal: &mut DefaultTerminal,
    look: &watch::Sender<Wanted>,
    mut shown: watch::Receiver<Shown>,
) -> Result<(), Failure> {
    let mut events = events();
    loop {
        {
            let shown = shown.borrow_and_update();
            let (seen, trouble) = &*shown;
            let foot = foot(seen, look.borrow().stands_still);
            let drawing = Drawing::live(seen, foot, trouble.clone());
            let drawn = terminal.draw(|frame| frame.render_widget(&drawing, frame.area()));
            drawn.map_err(Failure::Output)?;
        }
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return Ok(()); },
            event = events.recv() => match event {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => match meant(key) {
                    Meant::End => return Ok(()),
                    Meant::Still => look.send_modify(|it| it.stands_still = !it.stands_still),
                    Meant::Next(by) => {
                        let next = next(&shown.borrow().0, by);
                        look.send_modify(|it| it.app = next);
                    }
                    Meant::Nothing => {}
                },
                // Its size changed, say: it is drawn anew.
                Some(_) => {}
                None => return Ok(()),
            },
        }
    }
}

/// What a terminal tells. The thread waits for it as long as the process lives.
fn events() -> mpsc::UnboundedReceiver<Event> {
    let (tell, told) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if tell.send(event).is_err() {
                return;
            }
        }
    });
    told
}

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meant {
    End,
    Still,
    /// The application so many places on.
    Next(isize),
    Nothing,
}

fn meant(key: KeyEvent) -> Meant {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if is_control => Meant::End,
        KeyCode::Char('q') | KeyCode::Esc => Meant::End,
        KeyCode::Char(' ') => Meant::Still,
        KeyCode::Char('n') | KeyCode::Right => Meant::Next(1),
        KeyCode::Char('p') | KeyCode::Left => Meant::Next(-1),
        _ => Meant::Nothing,
    }
}

/// The application so many places from the one that is shown, in a circle.
fn next(seen: &Seen, by: isize) -> Option<String> {
    let at = seen.ids.iter().position(|it| *it == seen.application.id);
    let count = isize::try_from(seen.ids.len()).unwrap_or(isize::MAX).max(1);
    let at = at.and_then(|it| isize::try_from(it).ok()).unwrap_or(0);
    let next = usize::try_from((at + by).rem_euclid(count)).unwrap_or(0);
    seen.ids.get(next).cloned()
}

/// Which keys there are.
fn foot(seen: &Seen, stands_still: bool) -> String {
    let still = if stands_still { "go on" } else { "stand still" };
    let mut foot = format!("q ends this   space: {still}");
    if seen.ids.len() > 1 {
        let count = seen.ids.len();
        foot.push_str(&format!("   n, p: next and last of {count} applications"));
    }
    foot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_end_it_stop_it_and_lead_to_other_applications() {
        let key = |code| meant(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(key(KeyCode::Char('q')), Meant::End);
        assert_eq!(key(KeyCode::Char('c')), Meant::Nothing);
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(meant(control), Meant::End);
        assert_eq!(key(KeyCode::Char(' ')), Meant::Still);

        let mut seen = Seen {
            ids: vec!["a".to_owned(), "b".to_owned()],
            ..Seen::default()
        };
        seen.application.id = "b".to_owned();
        assert_eq!(next(&seen, 1).as_deref(), Some("a"));
        assert_eq!(next(&seen, -1).as_deref(), Some("a"));
        assert_eq!(next(&Seen::default(), 1), None);
    }
}
