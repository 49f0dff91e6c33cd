//! Secrets in the middle of a word: URLs, `name=value`, JSON fields, tokens known by their form.

use super::{REDACTED, names::is_secret_name};

/// Beginnings of tokens that say themselves what they are.
const TOKENS: [&str; 18] = [
    "sk-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "hf_",
    "npm_",
    "pypi-",
    "AIza",
    "ya29.",
    "eyJ",
    "dop_v1_",
];

/// Shorter ones are words that happen to begin so.
const TOKEN_LENGTH: usize = 20;

/// The word with its secrets replaced.
pub(super) fn redact(word: &str) -> String {
    tokens(&pairs(&user_info(word)))
}

/// Whether the word after this one is a secret: `"password":` and `Authorization:`.
pub(super) fn announces_secret(word: &str) -> bool {
    word.strip_suffix(':')
        .is_some_and(|name| is_secret_name(name_at_end(name)))
}

/// `scheme://user:password@host`, and `https://token@host`.
fn user_info(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let end = after
            .find(['/', '?', '#', '"', '\'', ','])
            .unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                match user.split_once(':') {
                    Some((user, _)) => {
                        out.push_str(user);
                        out.push(':');
                        out.push_str(REDACTED);
                    }
                    None if before.ends_with("http") || before.ends_with("https") => {
                        out.push_str(REDACTED);
                    }
                    None => out.push_str(user),
                }
                out.push('@');
                out.push_str(host);
            }
            None => out.push_str(authority),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// `name=value` and `"name":"value"`.
fn pairs(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, after) = rest.split_at(at);
        let (separator, after) = after.split_at(1);
        out.push_str(before);
        out.push_str(separator);
        rest = after;
        let name = name_at_end(before);
        let in_query = out.contains('?');
        // A colon also stands between host and port: only a field name says otherwise.
        let field = separator == ":" && (before.ends_with(['"', '\'']) || name == before);
        let secret = is_secret_name(name) || in_query && name == "key";
        if secret && (separator == "=" || field) {
            let quote = after
                .chars()
                .next()
                .filter(|char| matches!(char, '"' | '\''));
            let (value, tail) = match quote {
                Some(quote) => split_quoted(after, quote),
                None => {
                    let ends: &[char] = if in_query {
                        &['&', '#']
                    } else {
                        &['&', ';', ',', '}']
                    };
                    let whole = name == before && separator == "=" && !in_query;
                    let end = after.find(ends).filter(|_| !whole).unwrap_or(after.len());
                    after.split_at(end)
                }
            };
            if !value.is_empty() {
                out.push_str(REDACTED);
            }
            rest = tail;
        }
    }
    out.push_str(rest);
    out
}

fn name_at_end(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'']);
    let part_of_name = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.');
    let start = text.trim_end_matches(part_of_name).len();
    text.get(start..).unwrap_or_default()
}

/// A quoted value and what follows it. A quote behind a backslash does not end it.
fn split_quoted(text: &str, quote: char) -> (&str, &str) {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return text.split_at(at + 1),
            _ => {}
        }
    }
    (text, "")
}

fn tokens(word: &str) -> String {
    let part_of_token =
        |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|char| !part_of_token(char)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let token = run.len() >= TOKEN_LENGTH
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && TOKENS.iter().any(|begin| run.starts_with(begin));
        out.push_str(if token { REDACTED } else { run });
        let mut chars = after.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}
