//! What can be told of a shell command from its text. Pure.
//!
//! Responsible for two questions: whether a failure of any part of its pipelines
//! is one of the command (`pipefail`), and which programs its last pipeline runs.
//! It is no parser: where a text is not clear the answer is the one that leaves
//! the command as the shell alone would run it.

/// A piece of a command's text.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A word, with its quotes.
    Word(String),
    /// `|`.
    Pipe,
    /// `&&` or `||`.
    Decides,
    /// What ends a pipeline: `;`, `&`, a line's end, brackets.
    End,
}

/// The tokens of a text, and whether they are all there is to know.
struct Tokens {
    tokens: Vec<Token>,
    clear: bool,
}

/// What the end of a pipeline can decide about.
const CONDITIONS: [&str; 4] = ["if", "elif", "while", "until"];

/// With these a command looks after ends itself.
const OWN_WAYS: [&str; 4] = ["!", "set", "trap", "case"];

/// What stands before the program that is run.
const BEFORE: [&str; 6] = ["exec", "command", "env", "time", "nice", "{"];

/// Whether every part of the command's pipelines has to succeed.
///
/// Not if nothing is piped, and not if the end of a pipeline decides about what
/// follows (`a | grep -q b && c`, `if a | b; then`): with `pipefail` other things
/// would follow, since a part that outlives its reader ends by SIGPIPE.
pub(super) fn every_part_counts(command: &str) -> bool {
    let Tokens { tokens, clear } = tokens(command);
    if !clear {
        return false;
    }
    let (mut piped, mut condition) = (false, false);
    for token in &tokens {
        match token {
            Token::Pipe if condition => return false,
            Token::Pipe => piped = true,
            Token::Decides if piped => return false,
            Token::Decides | Token::End => {}
            Token::Word(word) => match word.as_str() {
                own if OWN_WAYS.contains(&own) => return false,
                status if status.contains("$?") || status.contains("PIPESTATUS") => return false,
                word if CONDITIONS.contains(&word) => condition = true,
                "then" | "do" => condition = false,
                _ => {}
            },
        }
    }
    piped
}

/// Whether one of these programs is a part of the last pipeline; its last part,
/// if only that one counts.
pub(super) fn last_pipeline_runs(command: &str, programs: &[&str], any_part: bool) -> bool {
    let tokens = tokens(command).tokens;
    let mut pipelines = tokens.split(|token| matches!(token, Token::End | Token::Decides));
    let Some(last) = pipelines.rfind(|it| !it.is_empty()) else {
        return false;
    };
    let runs = |part: &[Token]| {
        let words = part.iter().filter_map(|token| match token {
            Token::Word(word) => Some(word.as_str()),
            _ => None,
        });
        let mut words = words.skip_while(|word| BEFORE.contains(word) || is_assignment(word));
        let program = words.next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        programs.contains(&name)
    };
    let mut parts = last.split(|token| *token == Token::Pipe);
    if any_part {
        parts.any(runs)
    } else {
        parts.next_back().is_some_and(runs)
    }
}

/// `NAME=value`.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    })
}

fn tokens(command: &str) -> Tokens {
    let mut found = Tokens {
        tokens: Vec::new(),
        clear: true,
    };
    let mut word = String::new();
    let mut rest = command.chars().peekable();
    while let Some(c) = rest.next() {
        // After `>` and `<` these belong to a redirection: `2>&1`, `>|`.
        let redirects = word.ends_with(['>', '<']);
        match c {
            '&' | '|' if redirects => word.push(c),
            '&' | '|' => {
                found.end_word(&mut word);
                let doubled = rest.next_if_eq(&c).is_some();
                found.tokens.push(match (c, doubled) {
                    (_, true) => Token::Decides,
                    ('|', false) => Token::Pipe,
                    _ => Token::End,
                });
            }
            ';' | '\n' | '(' | ')' | '`' => {
                found.end_word(&mut word);
                found.tokens.push(Token::End);
            }
            ' ' | '\t' => found.end_word(&mut word),
            '#' if word.is_empty() => while rest.next_if(|c| *c != '\n').is_some() {},
            '<' if redirects => {
                // What follows is text, and looks like anything.
                found.clear = false;
                word.push(c);
            }
            '\\' => {
                word.push(c);
                word.extend(rest.next());
            }
            '\'' => {
                word.push(c);
                for quoted in rest.by_ref() {
                    word.push(quoted);
                    if quoted == '\'' {
                        break;
                    }
                }
            }
            '"' => {
                let text = quoted(&mut rest);
                found.clear &= !has_commands(&text);
                word.push_str(&format!("\"{text}\""));
            }
            c => word.push(c),
        }
    }
    found.end_word(&mut word);
    found
}

/// The text up to the end of a quotation in `"`.
fn quoted(rest: &mut impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => {
                text.push(c);
                text.extend(rest.next());
            }
            c => text.push(c),
        }
    }
    text
}

/// Whether commands stand in a quotation whose ends might decide something.
fn has_commands(text: &str) -> bool {
    let runs = text.contains("$(") || text.contains('`');
    let decides = ["&&", "||", "if ", "while ", "until ", "! "];
    runs && decides.iter().any(|it| text.contains(it))
}

impl Tokens {
    fn end_word(&mut self, word: &mut String) {
        if !word.is_empty() {
            self.tokens.push(Token::Word(std::mem::take(word)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_where_no_pipeline_decides_about_what_follows() {
        for (command, counts) in [
            ("nosuchcommand | cat", true),
            ("tr a b|sort", true),
            ("a 2>&1 | b > out", true),
            ("cat | while read -r x; do echo $x; done | sort", true),
            ("for x in 1 2; do a | b; done", true),
            ("[ -f x ] && a | b", true),
            ("awk '$1 > 2 && $2 || !x { if (y) print }' | sort", true),
            ("grep \"a || b\" | sort", true),
            ("a # || b\nc | d", true),
            ("(grep x || true) && sort", false),
            ("(grep x || true) | sort", true),
            // Nothing is piped.
            ("cat", false),
            ("a || b", false),
            ("sed 's/|/ /'", false),
            ("echo \\| x >| y", false),
            // The end of a pipeline decides.
            ("a | grep -q b && echo yes", false),
            ("a | b || true", false),
            ("if a | grep -q b; then echo yes; fi", false),
            ("while a | b; do c; done", false),
            ("! a | b", false),
            ("a | b; [ $? = 0 ]", false),
            ("x=\"$(a | b && c)\"; d | e", false),
            // Looks after it itself, or is not clear.
            ("set -e; a | head -1; b", false),
            ("cat <<END | sort\nif it's\nEND", false),
        ] {
            assert_eq!(every_part_counts(command), counts, "{command}");
        }
    }

    #[test]
    fn the_programs_of_the_last_pipeline_are_known() {
        let greps = |command, any| last_pipeline_runs(command, &["grep", "rg"], any);
        assert!(greps("grep x", false));
        assert!(greps("sort; LC_ALL=C /bin/grep -v 'a b'\n", false));
        assert!(greps("cat | exec rg x", false));
        assert!(greps("grep x | sort", true));
        assert!(!greps("grep x | sort", false));
        assert!(!greps("grep x; sort", true));
        assert!(!greps("echo grep", true));
        assert!(!greps("", true));
    }
}
