//! The places that tell IPv4 from IPv6.

use anyhow::{Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};

use crate::tree::File;

/// Crates in which an address is an address, whatever its family.
const CRATES: &[&str] = &["enforcer-common/src", "enforcer-ebpf/src", "enforcer/src"];

/// Where the family matters, and why.
const PLACES: &[(&str, &str)] = &[
    (
        "enforcer-common/src/abi",
        "what an address is, and the layout of the two tables",
    ),
    (
        "enforcer-common/src/verdict",
        "one search for each table, and IPv4 destinations inside IPv6",
    ),
    ("enforcer-ebpf/src/main", "a socket hook is of one family"),
    (
        "enforcer-ebpf/src/flow",
        "reads contexts and headers, which differ",
    ),
    (
        "enforcer-ebpf/src/bin",
        "test programs, which make flows of either family",
    ),
    (
        "enforcer-common/src/names/answer",
        "A and AAAA records differ",
    ),
    ("enforcer-ebpf/src/dns", "A and AAAA records differ"),
    ("enforcer/src/policy", "literals of either family"),
    ("enforcer/src/geo", "records of either family"),
    ("enforcer/src/compile", "lays out the two tables"),
    ("enforcer/src/events", "`network.type` names the family"),
    (
        "enforcer/src/daemon/confine",
        "names the socket families of the system call",
    ),
];

/// One finding for each token elsewhere that tells the families apart.
///
/// # Errors
/// A file is not Rust.
pub(super) fn findings(files: &[File]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for file in files {
        let judged = CRATES.iter().any(|place| file.is_in(place))
            && !PLACES.iter().any(|(place, _)| file.is_in(place));
        if judged {
            let path = file.path.display();
            let stream = file
                .text
                .parse()
                .map_err(|error| anyhow!("{path}: {error}"))?;
            let mut tokens = Vec::new();
            scan(stream, &mut tokens);
            // One finding for a line suffices.
            tokens.dedup_by_key(|(line, _)| *line);
            findings.extend(tokens.into_iter().map(|(line, token)| {
                format!(
                    "{path}:{line}: `{token}` tells IPv4 from IPv6: let one of the places in \
                     xtask/src/check/families.rs do it"
                )
            }));
        }
    }
    Ok(findings)
}

fn scan(stream: TokenStream, found: &mut Vec<(usize, String)>) {
    for token in stream {
        match token {
            TokenTree::Group(group) => scan(group.stream(), found),
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                if names_a_family(&name) {
                    found.push((ident.span().start().line, name));
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Whether a name has `v4` or `v6` for a word of its own, as in `is_ipv4`, `V6` and `Ipv4Addr`.
fn names_a_family(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    matches!(name.as_str(), "v4" | "v6" | "af_inet" | "af_inet6")
        || name.starts_with("ipv4")
        || name.starts_with("ipv6")
        || name
            .split('_')
            .any(|word| matches!(word, "v4" | "v6" | "ipv4" | "ipv6"))
}

#[cfg(test)]
mod tests {
    use super::{File, findings};

    fn found(path: &str, text: &str) -> usize {
        let file = File {
            path: path.into(),
            text: text.into(),
        };
        findings(&[file]).unwrap().len()
    }

    #[test]
    fn a_family_is_told_apart_only_where_it_matters() {
        let text = "match address {\nFamily::V4(v4) => 1,\nFamily::V6(hi, lo) => 2 }";
        assert_eq!(found("enforcer/src/daemon/reload.rs", text), 2);
        assert_eq!(
            found(
                "enforcer-ebpf/src/gate.rs",
                "use x::Ipv6Addr;\nis_ipv4_mapped(a)"
            ),
            2
        );
        assert_eq!(found("enforcer/src/policy.rs", text), 0);
        assert_eq!(found("enforcer/src/policy/model.rs", text), 0);
        assert_eq!(found("tests/src/model.rs", text), 0);
    }

    #[test]
    fn hooks_and_text_are_no_families() {
        let text = "fn connect4() { let a = \"v4\"; IpAddr::from(x) } // IPv6";
        assert_eq!(found("enforcer-ebpf/src/gate.rs", text), 0);
    }
}
