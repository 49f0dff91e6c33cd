//! How attempts are written.

use std::{
    fmt::{self, Display},
    net::IpAddr,
    str::FromStr,
};

use anyhow::{Context, bail, ensure};

use super::{Attempt, Datagram, Frame, Ping, Reuse, Spoof, Stream};

const STREAMS: [(&str, Stream); 5] = [
    ("tcp4", Stream::Tcp4),
    ("tcp6", Stream::Tcp6),
    ("mptcp", Stream::Mptcp),
    ("fastopen", Stream::FastOpen),
    ("sctp", Stream::Sctp),
];
const DATAGRAMS: [(&str, Datagram); 5] = [
    ("udp", Datagram::Udp),
    ("udpc", Datagram::Connected),
    ("sendmmsg", Datagram::Sendmmsg),
    ("bigudp", Datagram::Big),
    ("udplite", Datagram::Lite),
];
const FRAMES: [(&str, Frame); 5] = [
    ("packet", Frame::Plain),
    ("packet-bypass", Frame::Bypass),
    ("packet-xdp", Frame::Xdp),
    ("packet-vlan", Frame::Vlan),
    ("packet-mpls", Frame::Mpls),
];
const PINGS: [(&str, Ping); 2] = [("ping", Ping::Socket), ("rawping", Ping::Raw)];
const REUSES: [(&str, Reuse); 3] = [
    ("reuse-listener", Reuse::Listener),
    ("reuse-accepted", Reuse::Accepted),
    ("reuse-fastopen", Reuse::AcceptedFastOpen),
];
const SPOOFS: [(&str, Spoof); 2] = [("spoof-udp", Spoof::Udp), ("spoof-syn", Spoof::Syn)];

fn named<T: Copy>(table: &[(&'static str, T)], name: &str) -> Option<T> {
    table
        .iter()
        .find(|(word, _)| *word == name)
        .map(|(_, how)| *how)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], how: &T) -> &'static str {
    table
        .iter()
        .find(|(_, it)| it == how)
        .map_or("?", |(word, _)| word)
}

impl FromStr for Attempt {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let attempt = Self::from_words(&words).with_context(|| format!("attempt `{text}`"))?;
        if let Self::Stream { how, to } = &attempt {
            let fits = match how {
                Stream::Tcp4 => to.is_ipv4(),
                Stream::Tcp6 => to.is_ipv6(),
                Stream::Mptcp | Stream::FastOpen | Stream::Sctp => true,
            };
            ensure!(fits, "attempt `{text}`: {to} is of the other family");
        }
        Ok(attempt)
    }
}

impl Attempt {
    fn from_words(words: &[&str]) -> anyhow::Result<Self> {
        Ok(match *words {
            ["io_uring", to] => Self::Uring { to: to.parse()? },
            ["raw4", to, proto] => Self::Raw {
                to: IpAddr::V4(to.parse()?),
                proto: proto.parse()?,
            },
            ["raw6", to, proto] => Self::Raw {
                to: IpAddr::V6(to.parse()?),
                proto: proto.parse()?,
            },
            ["raw-hdrincl", to] => Self::HdrIncl {
                to: to.parse()?,
                via: None,
            },
            ["raw-hdrincl", to, via] => Self::HdrIncl {
                to: to.parse()?,
                via: Some(via.parse()?),
            },
            ["rawfrag", to] => Self::Fragment { to: to.parse()? },
            ["rawopts", to] => Self::Options { to: to.parse()? },
            ["rthdr", to, via] => Self::RoutingHeader {
                to: to.parse()?,
                via: via.parse()?,
            },
            ["tun", to] => Self::Tun { to: to.parse()? },
            ["handed", at] => Self::Handed { at: at.into() },
            ["listen", port] => Self::Listen {
                port: port.parse()?,
            },
            ["udp-listen", port] => Self::UdpListen {
                port: port.parse()?,
            },
            ["hold", to] => Self::Hold { to: to.parse()? },
            ["udp-hold", to] => Self::UdpHold { to: to.parse()? },
            ["udp-late", port] => Self::UdpLate {
                port: port.parse()?,
            },
            [kind, first, second] => {
                if let Some(how) = named(&REUSES, kind) {
                    Self::Reuse {
                        how,
                        port: first.parse()?,
                        to: second.parse()?,
                    }
                } else if let Some(how) = named(&SPOOFS, kind) {
                    Self::Spoof {
                        how,
                        from: first.parse()?,
                        own: second.parse()?,
                    }
                } else {
                    bail!("unknown kind `{kind}`")
                }
            }
            [kind, to] => {
                if let Some(how) = named(&STREAMS, kind) {
                    Self::Stream {
                        how,
                        to: to.parse()?,
                    }
                } else if let Some(how) = named(&DATAGRAMS, kind) {
                    Self::Datagram {
                        how,
                        to: to.parse()?,
                    }
                } else if let Some(how) = named(&FRAMES, kind) {
                    Self::Packet {
                        how,
                        to: to.parse()?,
                    }
                } else if let Some(how) = named(&PINGS, kind) {
                    Self::Ping {
                        how,
                        to: to.parse()?,
                    }
                } else {
                    bail!("unknown kind `{kind}`")
                }
            }
            _ => bail!("expected a kind, a destination and what the kind needs"),
        })
    }

    /// The kind, and the rest.
    pub(in crate::probe) fn words(&self) -> (String, String) {
        let text = self.to_string();
        let (kind, to) = text.split_once(' ').unwrap_or((&text, ""));
        (kind.to_owned(), to.to_owned())
    }
}

impl Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream { how, to } => write!(f, "{} {to}", name_of(&STREAMS, how)),
            Self::Uring { to } => write!(f, "io_uring {to}"),
            Self::Datagram { how, to } => write!(f, "{} {to}", name_of(&DATAGRAMS, how)),
            Self::Ping { how, to } => write!(f, "{} {to}", name_of(&PINGS, how)),
            Self::Raw { to, proto } if to.is_ipv4() => write!(f, "raw4 {to} {proto}"),
            Self::Raw { to, proto } => write!(f, "raw6 {to} {proto}"),
            Self::HdrIncl { to, via: None } => write!(f, "raw-hdrincl {to}"),
            Self::HdrIncl { to, via: Some(via) } => write!(f, "raw-hdrincl {to} {via}"),
            Self::Fragment { to } => write!(f, "rawfrag {to}"),
            Self::Options { to } => write!(f, "rawopts {to}"),
            Self::RoutingHeader { to, via } => write!(f, "rthdr {to} {via}"),
            Self::Packet { how, to } => write!(f, "{} {to}", name_of(&FRAMES, how)),
            Self::Tun { to } => write!(f, "tun {to}"),
            Self::Handed { at } => write!(f, "handed {}", at.display()),
            Self::Listen { port } => write!(f, "listen {port}"),
            Self::UdpListen { port } => write!(f, "udp-listen {port}"),
            Self::UdpLate { port } => write!(f, "udp-late {port}"),
            Self::Reuse { how, port, to } => write!(f, "{} {port} {to}", name_of(&REUSES, how)),
            Self::Spoof { how, from, own } => write!(f, "{} {from} {own}", name_of(&SPOOFS, how)),
            Self::Hold { to } => write!(f, "hold {to}"),
            Self::UdpHold { to } => write!(f, "udp-hold {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::probe::Attempt;

    #[test]
    fn attempts_are_written_as_they_are_read() {
        let all = [
            "tcp4 3.64.0.1:443",
            "tcp6 [2600:1f14::1]:443",
            "tcp6 [::ffff:3.64.0.1]:443",
            "io_uring 3.64.0.1:443",
            "sendmmsg 3.64.0.1:53",
            "rawping 2600:1f14::1",
            "raw4 3.64.0.1 47",
            "raw6 2600:1f14::1 47",
            "raw-hdrincl 5.0.0.1",
            "raw-hdrincl 5.0.0.1 3.64.0.1",
            "rawfrag 2600:1f14::1",
            "rawopts [2600:1f14::1]:443",
            "rthdr 2600:1f14::1 2600:1f14::2",
            "packet-vlan 2600:1f14::1",
            "tun 3.64.0.1",
            "listen 8080",
            "udp-hold 3.64.0.1:53",
            "udp-late 8053",
            "reuse-accepted 8080 3.64.0.1:443",
            "spoof-syn 3.64.0.1:443 10.213.0.2",
        ];
        for text in all {
            let attempt: Attempt = text.parse().expect(text);
            assert_eq!(attempt.to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "tcp4",
            "tcp4 here",
            "tcp4 [::1]:1",
            "teleport 1.2.3.4:5",
            "rthdr ::1",
        ] {
            assert!(text.parse::<Attempt>().is_err(), "{text}");
        }
    }
}
