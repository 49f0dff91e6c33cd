use std::fmt;

use enforcer_common::abi::{Port, Proto};

use crate::policy::{
    diagnostic::Code,
    model::PortSpec,
    read::{Reader, closest},
    source::Node,
};

/// Protocols by name, with their numbers of the IANA protocol-numbers registry. `icmp` stands for
/// two and is not here.
const PROTOCOLS: [(&str, Proto); 6] = [
    ("tcp", Proto::TCP),
    ("udp", Proto::UDP),
    ("sctp", Proto::SCTP),
    ("udplite", Proto::UDPLITE),
    ("gre", Proto(47)),
    ("esp", Proto(50)),
];

const FORMS: &str = "write `443/tcp`, `9000-9010/udp`, `tcp`, `icmp` or `proto/47`";

/// Reads one element of `ports`.
pub(super) fn port(reader: &mut Reader<'_>, node: &Node, ports: &mut Vec<PortSpec>) {
    let Some(text) = reader.text(node, "`ports`") else {
        return;
    };
    match parse(text) {
        Ok(specs) => ports.extend(specs),
        Err(help) => {
            let message = format!("`{text}` is not a protocol and port");
            reader
                .report(Code::InvalidPort, node.span, message)
                .help(help);
        }
    }
}

/// The error says how to put it right.
fn parse(text: &str) -> Result<Vec<PortSpec>, String> {
    let every = |proto| PortSpec { proto, ports: None };
    let Some((before, after)) = text.split_once('/') else {
        return match text {
            "icmp" => Ok(vec![every(Proto::ICMP), every(Proto::ICMPV6)]),
            _ => match protocol(text) {
                Some(proto) => Ok(vec![every(proto)]),
                None => Err(explain_bare(text)),
            },
        };
    };
    if before == "proto" {
        return number(after).map(|proto| vec![every(proto)]);
    }
    if range(after).is_ok() && is_protocol(before) {
        return Err(format!("the port comes first: `{after}/{before}`"));
    }
    let Some(proto) = protocol(after) else {
        return Err(match (after, closest(after, names())) {
            ("icmp", _) => "ICMP has no ports: write `icmp`".to_owned(),
            (_, Some(name)) => format!("did you mean `{before}/{name}`?"),
            (_, None) => FORMS.to_owned(),
        });
    };
    if !proto.has_ports() {
        return Err(format!("{after} has no ports: write `{after}`"));
    }
    let ports = range(before)?;
    Ok(vec![PortSpec {
        proto,
        ports: Some(ports),
    }])
}

/// As `parse` takes it; both protocols of `icmp` by that name.
impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            None => {}
            Some((first, last)) if first == last => write!(f, "{}/", first.0)?,
            Some((first, last)) => write!(f, "{}-{}/", first.0, last.0)?,
        }
        let name = PROTOCOLS.iter().find(|&&(_, proto)| proto == self.proto);
        match (name, self.proto) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Proto::ICMP | Proto::ICMPV6) => f.write_str("icmp"),
            (None, Proto(number)) => write!(f, "proto/{number}"),
        }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    PROTOCOLS.iter().map(|&(name, _)| name)
}

fn protocol(name: &str) -> Option<Proto> {
    let found = PROTOCOLS.iter().find(|&&(known, _)| known == name);
    found.map(|&(_, proto)| proto)
}

fn is_protocol(name: &str) -> bool {
    name == "icmp" || protocol(name).is_some()
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

fn range(text: &str) -> Result<(Port, Port), String> {
    let one = |text| {
        digits(text)
            .filter(|&port: &u16| port != 0)
            .map(Port)
            .ok_or_else(|| "ports are 1 to 65535".to_owned())
    };
    let Some((low, high)) = text.split_once('-') else {
        let port = one(text)?;
        return Ok((port, port));
    };
    let (low_port, high_port) = (one(low)?, one(high)?);
    if low_port > high_port {
        return Err(format!("the lower port comes first: `{high}-{low}`"));
    }
    Ok((low_port, high_port))
}

fn number(text: &str) -> Result<Proto, String> {
    match digits::<u8>(text) {
        // 0 is the IPv6 hop-by-hop header (RFC 8200, 4.3), never what a packet carries.
        Some(0) | None => Err("protocol numbers are 1 to 255".to_owned()),
        Some(number) => Ok(Proto(number)),
    }
}

fn explain_bare(text: &str) -> String {
    if range(text).is_ok() {
        format!("name the protocol: `{text}/tcp`")
    } else if matches!(text, "icmpv6" | "icmp6" | "ipv6-icmp") {
        "`icmp` stands for ICMP and ICMPv6; ICMPv6 alone is `proto/58`".to_owned()
    } else if let Some(name) = closest(text, names().chain(["icmp"])) {
        format!("did you mean `{name}`?")
    } else {
        FORMS.to_owned()
    }
}
