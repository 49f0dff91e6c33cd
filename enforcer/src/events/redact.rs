//! Secrets out of command lines.
//!
//! A command line is evidence of what sent a packet, and often carries a password. This errs on the
//! side of silence: a value that may be a secret is replaced, and its name stays.

mod inline;
mod names;

use names::{is_secret_header, is_secret_name, takes_secret};

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// How deep shell strings inside arguments are followed (`sh -c "sudo sh -c '...'"`).
const MAX_DEPTH: u8 = 4;

/// Programs whose short option takes a password.
const SHORT_OPTIONS: [(&str, &str); 7] = [
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("sshpass", "-p"),
    ("mongo", "-p"),
    ("redis-cli", "-a"),
    ("ldap", "-w"),
    ("smbclient", "-U"),
];

/// Options that begin like `-p<password>`.
const NOT_PASSWORDS: [&str; 20] = [
    "-path",
    "-perm",
    "-pid",
    "-pipe",
    "-policy",
    "-policies",
    "-port",
    "-prefix",
    "-print",
    "-print0",
    "-printf",
    "-product",
    "-profile",
    "-project",
    "-proto",
    "-protocol",
    "-proxy",
    "-prune",
    "-pthread",
    "-publish",
];

/// The arguments of `/proc/<pid>/cmdline` (each ends with NUL) as one line, secrets replaced.
///
/// Bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn command_line(cmdline: &[u8]) -> String {
    let cmdline = cmdline.strip_suffix(b"\0").unwrap_or(cmdline);
    let mut redactor = Redactor::default();
    for (index, argument) in cmdline.split(|&byte| byte == 0).enumerate() {
        if index > 0 {
            redactor.out.push(' ');
        }
        redactor.argument(&String::from_utf8_lossy(argument), 0);
    }
    redactor.out
}

#[derive(Default)]
struct Redactor {
    out: String,
    /// What the option before says of the next argument.
    next: Next,
    /// Set by the program's name.
    password_option: Option<&'static str>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Next {
    /// Nothing.
    #[default]
    Anything,
    /// It is a secret.
    Secret,
    /// It follows `-p`: a password, unless it looks like a port or a path.
    PasswordOrPort,
    /// It may be `user:password`.
    Credentials,
}

impl Redactor {
    fn argument(&mut self, text: &str, depth: u8) {
        let secret = match std::mem::take(&mut self.next) {
            Next::Anything => false,
            Next::Secret => !text.starts_with("--"),
            Next::PasswordOrPort => !is_port(text) && !text.starts_with(['-', '/', '.']),
            Next::Credentials => return self.credentials(text),
        };
        if secret {
            if is_scheme(text) {
                self.next = Next::Secret;
            }
            self.out
                .push_str(if is_scheme(text) { text } else { REDACTED });
            return;
        }
        if let Some((quote, inner)) = quoted(text) {
            self.out.push(quote);
            self.argument(inner, depth);
            self.out.push(quote);
            return;
        }
        if let Some((name, value)) = text.split_once(':')
            && !value.is_empty()
            && is_secret_header(name)
        {
            self.out.push_str(name);
            self.out.push_str(": ");
            self.out.push_str(REDACTED);
            return;
        }
        // An argument of the process is one value, blanks included; in a shell string only quotes
        // make it one.
        let one = depth == 0 || word_end(text) == text.len();
        let name = |(name, _): &(&str, &str)| !name.contains(char::is_whitespace);
        if !text.contains(char::is_whitespace) {
            self.word(text, depth);
        } else if let Some((name, value)) = text.split_once('=').filter(name).filter(|_| one) {
            self.assignment(name, value, depth);
        } else if word_end(text) < text.len() {
            self.words(text, depth);
        } else {
            self.word(text, depth);
        }
    }

    fn assignment(&mut self, name: &str, value: &str, depth: u8) {
        self.out.push_str(name);
        self.out.push('=');
        if is_secret_name(name) || depth == MAX_DEPTH {
            self.out.push_str(REDACTED);
        } else if matches!(name, "-u" | "--user" | "--proxy-user") {
            self.credentials(value);
        } else {
            self.argument(value, depth + 1);
        }
    }

    /// A shell string, or a sentence.
    fn words(&mut self, text: &str, depth: u8) {
        if depth == MAX_DEPTH {
            self.out.push_str(REDACTED);
            return;
        }
        let program = self.password_option;
        let mut rest = text;
        while !rest.is_empty() {
            let blank = rest.len() - rest.trim_start().len();
            let (blanks, words) = rest.split_at(blank);
            let (word, after) = words.split_at(word_end(words));
            self.out.push_str(blanks);
            if !word.is_empty() {
                self.argument(word, depth + 1);
            }
            rest = after;
        }
        self.next = Next::Anything;
        self.password_option = program;
    }

    fn word(&mut self, word: &str, depth: u8) {
        let program = word.rsplit('/').next().unwrap_or(word);
        if let Some((_, option)) = SHORT_OPTIONS
            .iter()
            .find(|(name, _)| program.starts_with(name))
        {
            self.password_option = Some(option);
        }
        if is_scheme(word) || inline::announces_secret(word) {
            self.next = Next::Secret;
            self.out.push_str(word);
        } else if word.starts_with('-') {
            self.option(word, depth);
        } else {
            self.out.push_str(&inline::redact(word));
        }
    }

    fn option(&mut self, option: &str, depth: u8) {
        if let Some((name, value)) = option.split_once('=') {
            self.assignment(name, value, depth);
            return;
        }
        if option.starts_with("--") || option.len() <= 2 {
            self.next = if takes_secret(option) || self.password_option == Some(option) {
                Next::Secret
            } else {
                match option {
                    "-p" => Next::PasswordOrPort,
                    "-u" | "--user" | "--proxy-user" => Next::Credentials,
                    _ => Next::Anything,
                }
            };
            self.out.push_str(option);
            return;
        }
        let known = self
            .password_option
            .is_some_and(|short| option.starts_with(short));
        let (short, value) = option.split_at_checked(2).unwrap_or((option, ""));
        let guess = short == "-p" && !NOT_PASSWORDS.contains(&option) && !is_port(value);
        if known || guess {
            self.out.push_str(short);
            self.out.push_str(REDACTED);
        } else if short == "-u" {
            self.out.push_str(short);
            self.credentials(value);
        } else {
            if takes_secret(option) {
                self.next = Next::Secret;
            }
            self.out.push_str(&inline::redact(option));
        }
    }

    /// `user:password`
    fn credentials(&mut self, text: &str) {
        match text.split_once(':') {
            Some((user, _)) => {
                self.out.push_str(user);
                self.out.push(':');
                self.out.push_str(REDACTED);
            }
            None => self.out.push_str(text),
        }
    }
}

/// Schemes of HTTP authentication (RFC 7617, RFC 6750), which stand before the secret.
fn is_scheme(word: &str) -> bool {
    ["bearer", "basic"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme))
}

fn quoted(text: &str) -> Option<(char, &str)> {
    ['\'', '"'].into_iter().find_map(|quote| {
        let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
        Some((quote, inner))
    })
}

/// Where the first word ends: at a blank outside quotes, or at any blank when a quote never ends.
fn word_end(text: &str) -> usize {
    let mut open = None;
    let mut first_blank = text.len();
    for (at, char) in text.char_indices() {
        if char.is_whitespace() {
            first_blank = first_blank.min(at);
        }
        match open {
            Some(quote) if quote == char => open = None,
            Some(_) => {}
            None if char == '\'' || char == '"' => open = Some(char),
            None if char.is_whitespace() => return at,
            None => {}
        }
    }
    if open.is_some() {
        first_blank
    } else {
        text.len()
    }
}

/// A port, or ports and addresses as container engines publish them.
fn is_port(text: &str) -> bool {
    let number = |part: &str| part.parse::<u16>().is_ok();
    let mut parts = text
        .trim_end_matches("/tcp")
        .trim_end_matches("/udp")
        .split(':')
        .rev();
    parts.next().is_some_and(number)
        && parts.all(|part| number(part) || part.parse::<std::net::IpAddr>().is_ok())
}

#[cfg(test)]
mod tests;
