//! Words that mean nothing to a reader elsewhere.
//!
//! In each pattern one letter stands in brackets, so that the pattern does not find itself.

use anyhow::{Context, Result};
use regex_lite::Regex;

use crate::tree::File;

/// What must not occur, and what to write instead.
const PATTERNS: &[(&str, &str)] = &[
    (
        r"(^|[^\w.~-])/(wor[k]|roo[t]|farm)/",
        "a path of one machine: name it relative to the repository",
    ),
    (
        r"(?i)\b(issu[e]|ticke[t]|task) #?[0-9]+",
        "a number that needs a tracker: say what it is about",
    ),
    (
        r"(?i)\b(this|our|last|previous) (chat|conversatio[n]|sessio[n])\b|\bthe assistan[t]\b|\bsubagen[t]",
        "about how the text came to be: say what holds now",
    ),
];

/// One finding for each line with such words.
///
/// # Errors
/// A pattern is malformed.
pub(super) fn findings(files: &[File]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for (pattern, instead) in PATTERNS {
        let regex = Regex::new(pattern).with_context(|| format!("pattern {pattern}"))?;
        for file in files {
            for (index, line) in file.text.lines().enumerate() {
                if let Some(found) = regex.find(line) {
                    let (path, number) = (file.path.display(), index + 1);
                    let found = found.as_str().trim();
                    findings.push(format!("{path}:{number}: `{found}`: {instead}"));
                }
            }
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::{File, findings};

    fn found(text: &str) -> usize {
        let file = File {
            path: "docs/x.md".into(),
            text: text.into(),
        };
        findings(&[file]).unwrap().len()
    }

    #[test]
    fn finds_what_only_one_reader_understands() {
        assert_eq!(found(concat!("see /wor", "k/main for it")), 1);
        assert_eq!(found(concat!("fixes issu", "e #12")), 1);
        assert_eq!(found(concat!("as agreed in this sessio", "n")), 1);
    }

    #[test]
    fn leaves_ordinary_text_alone() {
        assert_eq!(found("the network of /sys/fs/bpf and ./work/x"), 0);
        assert_eq!(found("a TLS session; an issue of address space"), 0);
    }
}
