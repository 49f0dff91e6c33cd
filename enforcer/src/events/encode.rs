//! Records in the vocabularies of consumers. One file each; [`record`](super::record) knows none.

use enforcer_common::abi::Proto;

use super::record::{Observer, Record};

pub mod cef;
pub mod ecs;
pub mod journal;
mod json;
pub mod ocsf;
pub mod otlp;
mod text;
mod time;

/// A vocabulary and its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Elastic Common Schema, a JSON object a line.
    Ecs,
    /// Open Cybersecurity Schema Framework, a JSON object a line.
    Ocsf,
    /// Common Event Format of ArcSight, a line.
    Cef,
    /// A log record of the OpenTelemetry protocol, protobuf.
    Otlp,
    /// Fields of the journal of systemd.
    Journal,
}

impl Format {
    /// The formats that can be chosen, with their names in options.
    pub const CHOICES: [(Self, &'static str); 3] =
        [(Self::Ecs, "ecs"), (Self::Ocsf, "ocsf"), (Self::Cef, "cef")];
}

/// Encodes records of one run in one format.
#[derive(Clone, Debug)]
pub enum Encoder {
    /// [`Format::Ecs`]
    Ecs(ecs::Encoder),
    /// [`Format::Ocsf`]
    Ocsf(ocsf::Encoder),
    /// [`Format::Cef`]
    Cef(cef::Encoder),
    /// [`Format::Otlp`]
    Otlp(otlp::Encoder),
    /// [`Format::Journal`]
    Journal(journal::Encoder),
}

impl Encoder {
    /// An encoder that signs as `observer`.
    #[must_use]
    pub fn new(format: Format, observer: &Observer) -> Self {
        match format {
            Format::Ecs => Self::Ecs(ecs::Encoder::new(observer)),
            Format::Ocsf => Self::Ocsf(ocsf::Encoder::new(observer)),
            Format::Cef => Self::Cef(cef::Encoder::new(observer)),
            Format::Otlp => Self::Otlp(otlp::Encoder::new(observer)),
            Format::Journal => Self::Journal(journal::Encoder::new(observer)),
        }
    }

    /// Appends the record. Text is one line and ends with a line feed.
    pub fn encode(&mut self, record: &Record, sequence: u64, out: &mut Vec<u8>) {
        match self {
            Self::Ecs(encoder) => encoder.encode(record, sequence, out),
            Self::Ocsf(encoder) => encoder.encode(record, sequence, out),
            Self::Cef(encoder) => encoder.encode(record, sequence, out),
            Self::Otlp(encoder) => encoder.encode(record, sequence, out),
            Self::Journal(encoder) => encoder.encode(record, sequence, out),
        }
    }
}

/// Keyword of a protocol in the IANA protocol-numbers registry, lower case; `None` for those that
/// are not expected on a host.
#[must_use]
pub fn transport(proto: Proto) -> Option<&'static str> {
    Some(match proto.0 {
        1 => "icmp",
        2 => "igmp",
        4 => "ipv4",
        6 => "tcp",
        17 => "udp",
        33 => "dccp",
        41 => "ipv6",
        46 => "rsvp",
        47 => "gre",
        50 => "esp",
        51 => "ah",
        58 => "ipv6-icmp",
        89 => "ospfigp",
        94 => "ipip",
        103 => "pim",
        108 => "ipcomp",
        112 => "vrrp",
        115 => "l2tp",
        132 => "sctp",
        136 => "udplite",
        137 => "mpls-in-ip",
        _ => return None,
    })
}
