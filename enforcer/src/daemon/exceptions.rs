//! What an isolated workload may still reach, as a policy: one more that must allow.

use std::{path::Path, sync::Arc};

use enforcer_common::abi::{Port, Proto, SocketTag};

use crate::policy::{
    Action, Cidr, Mode, Peer, Policy, PolicyName, PortSpec, Position, Replies, Rule,
};

/// What was written is no exception.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no exception: write ADDR, ADDR/LENGTH or ADDR:PORT/PROTO, as in 10.0.0.5:443/tcp or \
     [2001:db8::/48]:53/udp"
)]
pub(super) struct ExceptionError {
    text: String,
}

/// The name of the policy for these exceptions; the same ones have the same name. No file can give
/// a policy such a name. `None` without exceptions.
#[must_use]
pub(super) fn name(allow: &[String]) -> Option<PolicyName> {
    let name = || PolicyName(format!("(isolation: {})", allow.join(" ")).into());
    (!allow.is_empty()).then(name)
}

/// The policy; `None` without exceptions.
///
/// # Errors
/// One of them cannot be meant.
pub(super) fn policy(allow: &[String]) -> Result<Option<Policy>, ExceptionError> {
    let Some(name) = name(allow) else {
        return Ok(None);
    };
    let at = Position {
        file: Path::new("isolation").into(),
        line: 1,
        column: 1,
    };
    let rule = |text: &String| {
        let (cidr, port) = read(text).ok_or_else(|| ExceptionError { text: text.clone() })?;
        Ok(Rule {
            name: Arc::from(text.as_str()),
            at: at.clone(),
            action: Action::Allow,
            peers: vec![Peer {
                at: at.clone(),
                regions: None,
                countries: None,
                anycast: false,
                asns: None,
                ranges: None,
                cidrs: Some(vec![cidr]),
                except: Vec::new(),
                fqdns: None,
                providers: None,
            }],
            ports: port.into_iter().collect(),
        })
    };
    Ok(Some(Policy {
        name,
        at: at.clone(),
        description: String::new(),
        // It selects nothing: tags name it.
        selectors: Vec::new(),
        mode: Mode::Enforce,
        data_categories: Vec::new(),
        legal_basis: Vec::new(),
        default: Action::Deny,
        default_at: at.clone(),
        replies: Replies::Judge,
        tag: SocketTag::NONE,
        dns: None,
        require_dpa: false,
        rules: allow.iter().map(rule).collect::<Result<_, _>>()?,
    }))
}

/// `NETWORK`, `NETWORK:PORT[/PROTO]` or `[NETWORK]:PORT[/PROTO]`.
fn read(text: &str) -> Option<(Cidr, Option<PortSpec>)> {
    if let Some(cidr) = Cidr::parse(text) {
        return Some((cidr, None));
    }
    let (place, service) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => text.split_once(':')?,
    };
    let (port, proto) = service.split_once('/').unwrap_or((service, "tcp"));
    let proto = match proto {
        "tcp" => Proto::TCP,
        "udp" => Proto::UDP,
        "sctp" => Proto::SCTP,
        _ => return None,
    };
    let port = Port(port.parse().ok()?);
    let spec = PortSpec {
        proto,
        ports: Some((port, port)),
    };
    Some((Cidr::parse(place)?, Some(spec)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_ports_and_both() {
        let read = |text: &str| {
            let (cidr, port) = read(text).expect(text);
            let port = port.and_then(|spec| Some((spec.proto, spec.ports?.0.0)));
            (cidr.to_string(), port)
        };
        assert_eq!(read("10.0.0.5"), ("10.0.0.5/32".to_owned(), None));
        assert_eq!(read("2001:db8::/48"), ("2001:db8::/48".to_owned(), None));
        assert_eq!(
            read("10.0.0.0/8:53/udp"),
            ("10.0.0.0/8".to_owned(), Some((Proto::UDP, 53)))
        );
        assert_eq!(
            read("[::1:2]:443"),
            ("::1:2/128".to_owned(), Some((Proto::TCP, 443)))
        );
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in [
            "",
            "example.org",
            "10.0.0.1/8",
            "10.0.0.1:99999",
            "10.0.0.1:1/icmp",
            "[::1",
        ] {
            let error = policy(&[text.to_owned()]).expect_err(text);
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("`{text}` is no exception"))
            );
        }
        assert_eq!(policy(&[]), Ok(None));
    }
}
