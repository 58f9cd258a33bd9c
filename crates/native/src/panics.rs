//! Panics of closures, caught where the task that runs them can fail by them.
//!
//! Responsible for what is known of a panic: its message and its place. Without
//! unwinding (`panic = "abort"`) nothing is caught, and a panic ends the executor.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind};
use std::sync::Once;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What unwinds through a closure that reads records when there are no more to be
/// had, for a reason that is told elsewhere.
struct Cut;

/// A caught panic.
#[derive(Debug)]
pub(crate) struct Panic {
    /// Where it was, and its message.
    pub(crate) told: String,
}

/// Has panics that are caught here keep quiet on stderr: they are told as the errors
/// of their tasks.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            if WATCHED.get() {
                let place = panic.location().map(ToString::to_string);
                PLACE.with_borrow_mut(|known| *known = place);
            } else {
                before(panic);
            }
        }));
    });
}

/// Runs something of the user's.
///
/// # Errors
/// It panicked.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Panic> {
    install();
    let before = WATCHED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(run));
    WATCHED.set(before);
    done.map_err(|panic| Panic {
        told: told(&*panic),
    })
}

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "no message".into());
    match PLACE.take() {
        Some(place) => format!("panicked at {place}: {text}"),
        None => format!("panicked: {text}"),
    }
}

/// Unwinds to whoever runs the task, without a word.
pub(crate) fn cut() -> ! {
    resume_unwind(Box::new(Cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_place() {
        let panic = caught(|| panic!("no {}", "luck")).expect_err("a panic");
        assert!(panic.told.contains("panics.rs"), "{}", panic.told);
        assert!(panic.told.ends_with(": no luck"), "{}", panic.told);
        assert_eq!(caught(|| 7).expect("no panic"), 7);
        let panic = caught(|| cut()).map(|()| 0).expect_err("cut");
        assert_eq!(panic.told, "panicked: no message");
    }
}
