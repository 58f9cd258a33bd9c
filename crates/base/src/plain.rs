//! Texts of others, made fit for a terminal and cut to a sensible length. Pure.
//!
//! Responsible for how counts, times and amounts are written, and for what may reach a terminal of what we did not write ourselves:
//! the stderr of commands, names of files, words of masters and agents. Whoever
//! writes for people (`cli::console`, `core::telling`) calls it. Results
//! never come here: they are bytes.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// Whether a terminal would act on a character instead of showing it, or show
/// what follows in another order. Tabs are harmless.
fn acts(c: char) -> bool {
    match c {
        '\t' => false,
        // C0, DEL and C1, the eight-bit forms of escape sequences among them.
        c if c.is_control() => true,
        // What reorders text, so that it reads as something else.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => true,
        '\u{2066}'..='\u{2069}' => true,
        // Line ends that are none, and what cannot be seen at all.
        '\u{2028}' | '\u{2029}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        _ => false,
    }
}

/// The text with all that a terminal would act on escaped: `\n`, `\u{1b}`.
pub fn plain(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(acts) else {
        return Cow::Borrowed(text);
    };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    for c in text[first..].chars() {
        if acts(c) {
            // Writing to a string cannot fail.
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// At most about `most` bytes of a text: its beginning and its end, with what
/// was left out between them.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    // Places within a character move to its end.
    let boundary = |at: usize| (at..text.len()).find(|at| text.is_char_boundary(*at));
    let head = boundary(most / 3).unwrap_or(0);
    let tail = boundary(text.len() - (most - most / 3)).unwrap_or(text.len());
    let left_out = tail - head;
    Cow::Owned(format!(
        "{} [{left_out} bytes left out] {}",
        &text[..head],
        &text[tail..]
    ))
}

/// `1 task`, `2 tasks`.
pub fn counted(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// A time: `35 s`, `2 min 5 s`, `3 h 20 min`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A time that may be less than a second: `12 ms`, `1.5 s`, `35 s`.
pub fn short_span(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        millis @ 1000..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => span(time),
    }
}

/// `once`, `2 times`.
pub fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

/// An amount of data: `12 B`, `1.5 KiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut value = number as f64;
    let mut unit = "";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped_and_all_else_stays() {
        for harmless in ["", "a\tb", "Zoë 東京 ✓", "👩\u{200d}💻"] {
            assert!(matches!(plain(harmless), Cow::Borrowed(same) if same == harmless));
        }
        for (text, shown) in [
            ("\u{1b}[2Jx", "\\u{1b}[2Jx"),
            ("a\u{9b}31mb", "a\\u{9b}31mb"),
            ("a\r\nb\u{7f}\0", "a\\r\\nb\\u{7f}\\u{0}"),
            ("\u{202e}txt.exe\u{2066}", "\\u{202e}txt.exe\\u{2066}"),
            ("a\u{2028}b\u{feff}", "a\\u{2028}b\\u{feff}"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn times_are_said_in_two_units_at_most() {
        let said = [0, 59, 60, 125, 3600, 12_040].map(|it| span(Duration::from_secs(it)));
        let all = [
            "0 s",
            "59 s",
            "1 min 0 s",
            "2 min 5 s",
            "1 h 0 min",
            "3 h 20 min",
        ];
        assert_eq!(said, all);
        let said = [0, 999, 1000, 9999, 10_999].map(|it| short_span(Duration::from_millis(it)));
        assert_eq!(said, ["0 ms", "999 ms", "1.0 s", "9.9 s", "10 s"]);
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(cut("short", 5), "short");
        let long = format!("begin{}end", "ä".repeat(1000));
        let short = cut(&long, 100);
        assert!(
            short.starts_with("beginä") && short.ends_with("äend"),
            "{short}"
        );
        assert!(short.len() < 140, "{}", short.len());
        assert!(short.contains("bytes left out"), "{short}");
    }
}
