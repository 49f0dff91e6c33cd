//! Which names promise a secret.

/// Words that name a secret wherever they stand in a name.
const WORDS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "credential",
    "credentials",
    "creds",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "jwt",
    "signature",
    "sig",
];

/// Words before `key` that make it a secret one.
const KEYS: [&str; 10] = [
    "api",
    "access",
    "private",
    "secret",
    "account",
    "encryption",
    "signing",
    "subscription",
    "license",
    "master",
];

/// Last words of names that point to a secret, or count and describe it, and are none.
const POINTERS: [&str; 20] = [
    "file", "files", "path", "dir", "stdin", "url", "uri", "endpoint", "issuer", "type", "mode",
    "method", "plugin", "provider", "length", "limit", "count", "ttl", "expiry", "name",
];

/// First words of switches, which have no value.
const SWITCHES: [&str; 7] = [
    "no", "without", "disable", "enable", "require", "skip", "allow",
];

/// Whether the argument after this option is a secret.
pub(super) fn takes_secret(option: &str) -> bool {
    let words = words(option);
    let switch = words
        .first()
        .is_some_and(|first| SWITCHES.contains(&first.as_str()));
    !switch && is_secret_name(option)
}

/// Whether the value of this option, variable or field is a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let pointer = words
        .last()
        .is_some_and(|last| POINTERS.contains(&last.as_str()));
    if pointer {
        return false;
    }
    let named = words.iter().any(|word| {
        WORDS.contains(&word.as_str())
            || ["password", "passwd", "secret", "token", "apikey"]
                .iter()
                .any(|end| word.ends_with(end))
    });
    let keyed = words
        .windows(2)
        .any(|pair| matches!(pair, [which, key] if key == "key" && KEYS.contains(&which.as_str())));
    // `AWS_ACCESS_KEY_ID` is the public half.
    let public = matches!(words.as_slice(), [.., key, id] if key == "key" && id == "id");
    let pass = words.last().is_some_and(|last| last == "pass");
    named || keyed && !public || pass
}

/// Whether this is the name of an HTTP header that carries a secret.
pub(super) fn is_secret_header(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.bytes().all(token) && !name.starts_with('-') && is_secret_name(name)
}

/// `--dbPassword_file` to `db`, `password`, `file`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for char in name.chars() {
        let starts_word = !char.is_alphanumeric() || char.is_uppercase() && after_lower;
        if starts_word && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if char.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(char.to_lowercase());
        }
        after_lower = char.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{is_secret_header, is_secret_name, takes_secret};

    #[test]
    fn names_of_secrets() {
        let secret = [
            "--password",
            "--db-password",
            "-dbPassword",
            "--token",
            "--api-key",
            "--apiKey",
            "apikey",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "PGPASSWORD",
            "MYSQL_PWD",
            "OPENAI_API_KEY",
            "HF_TOKEN",
            "client_secret",
            "secret_id",
            "X-Amz-Signature",
            "sig",
            "--pass",
            "access_token",
            "Authorization",
            "Set-Cookie",
            "--auth-token",
            "GITHUB_TOKEN",
            "--with-access-key",
        ];
        for name in secret {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_of_other_things() {
        let plain = [
            "--max-tokens",
            "--tokenizer",
            "--max-num-batched-tokens",
            "--author",
            "--bypass",
            "--password-file",
            "--password-stdin",
            "--token-path",
            "AWS_ACCESS_KEY_ID",
            "--key",
            "--monkey",
            "--pass-through",
            "--sigma",
            "",
            "--",
            "-",
            "PATH",
            "--auth-type",
        ];
        for name in plain {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn switches_take_nothing() {
        for switch in ["--no-auth", "--enable-auth", "--disable-token-auth"] {
            assert!(!takes_secret(switch), "{switch}");
            assert!(is_secret_name(switch), "{switch}");
        }
        assert!(takes_secret("--auth"));
    }

    #[test]
    fn headers_are_names_without_blanks() {
        assert!(is_secret_header("X-Api-Key"));
        assert!(is_secret_header("authorization"));
        assert!(!is_secret_header("{\"token\""));
        assert!(!is_secret_header("Accept"));
        assert!(!is_secret_header("https"));
        assert!(!is_secret_header(""));
    }
}
