//! Networks. Two spellings of IPv4 meet here: `10.0.0.0/8` and `::ffff:10.0.0.0/104` are the same.

use std::net::{IpAddr, Ipv6Addr};

use enforcer_common::abi::Addr;

use crate::policy::{
    diagnostic::Code,
    model::Cidr,
    read::Reader,
    source::{Node, Span, Value},
};

/// Length of `::ffff:0:0/96`, below which IPv4 addresses lie in IPv6.
const MAPPED: u8 = 96;

/// IPv6 networks whose addresses are judged as the IPv4 address inside (see [`Addr::embedded`]).
const EMBEDDING: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
];

enum Problem {
    /// Neither an address nor a network, with what to do about it.
    NotACidr(String),
    /// The network that was probably meant.
    HostBits(Cidr),
}

/// Reads a list of networks.
pub(super) fn cidrs(reader: &mut Reader<'_>, node: &Node, what: &'static str) -> Vec<Cidr> {
    let mut cidrs = Vec::new();
    for item in reader.list(node, what) {
        let Some(text) = reader.text(item, what) else {
            continue;
        };
        match parse(text) {
            Ok(cidr) => {
                embedding(reader, item.span, cidr);
                cidrs.push(cidr);
            }
            Err(Problem::NotACidr(help)) => {
                let message = format!("`{text}` is not a network");
                reader
                    .report(Code::InvalidCidr, item.span, message)
                    .help(help);
            }
            Err(Problem::HostBits(network)) => {
                let message = format!("`{text}` has bits set beyond its length");
                reader
                    .report(Code::HostBits, item.span, message)
                    .help(format!(
                        "write the network, `{network}`, or the address alone"
                    ));
            }
        }
    }
    let all_v6 = !cidrs.iter().any(|cidr| cidr.is_v4());
    let holds_mapped = |cidr: &&Cidr| cidr.length() < MAPPED && contains(**cidr, mapped_root());
    if let Some(cidr) = cidrs.iter().find(holds_mapped)
        && all_v6
    {
        let message = format!("`{cidr}` holds no IPv4 address");
        reader
            .report(Code::Ipv6Only, node.span, message)
            .help("add `0.0.0.0/0` if IPv4 is meant too");
    }
    cidrs
}

impl Cidr {
    /// A network or an address as policies write it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse(text).ok()
    }
}

/// The network of a node that was read before.
pub(super) fn quietly(node: &Node) -> Option<Cidr> {
    match &node.value {
        Value::Scalar { text, .. } => parse(text).ok(),
        Value::Sequence(_) | Value::Mapping(_) | Value::Invalid => None,
    }
}

fn embedding(reader: &mut Reader<'_>, span: Span, cidr: Cidr) {
    let inside = |&(network, length): &(Ipv6Addr, u8)| {
        let outer = Cidr::new(Addr::from_v6(network.octets()), length);
        !cidr.is_v4()
            && cidr.length() >= length
            && outer.is_some_and(|outer| contains(outer, first(cidr)))
    };
    if EMBEDDING.iter().any(inside) {
        let message = format!("no address is judged as one of `{cidr}`");
        reader.report(Code::NeverMatches, span, message).help(
            "such an address is judged as the IPv4 address inside it: write the IPv4 network",
        );
    }
}

fn contains(cidr: Cidr, address: u128) -> bool {
    let (first, last) = cidr.bounds();
    !cidr.is_v4() && first <= address && address <= last
}

fn first(cidr: Cidr) -> u128 {
    cidr.bounds().0
}

fn mapped_root() -> u128 {
    0xffff << 32
}

fn parse(text: &str) -> Result<Cidr, Problem> {
    let (address_text, length_text) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address_text
        .parse()
        .map_err(|_| Problem::NotACidr(explain(address_text)))?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match length_text {
        None => longest,
        Some(text) => Some(text)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|text| text.parse().ok())
            .filter(|&length| length <= longest)
            .ok_or_else(|| {
                Problem::NotACidr(format!("the length after `/` is 0 to {longest} here"))
            })?,
    };
    let (bits, length) = match address {
        IpAddr::V4(v4) => (v4.to_ipv6_mapped().to_bits(), length + MAPPED),
        IpAddr::V6(v6) => (v6.to_bits(), length),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    let network = cidr(bits & mask, length);
    match network {
        Some(network) if bits & mask == bits => Ok(network),
        Some(network) => Err(Problem::HostBits(network)),
        None => Err(Problem::NotACidr(explain(address_text))),
    }
}

/// `length` counts from the start of the 128 bits.
fn cidr(bits: u128, length: u8) -> Option<Cidr> {
    let is_v4 = length >= MAPPED && bits >> 32 == 0xffff;
    let own_length = if is_v4 { length - MAPPED } else { length };
    Cidr::new(Addr::from_v6(bits.to_be_bytes()), own_length)
}

fn explain(address: &str) -> String {
    let has_letters = address.bytes().any(|byte| byte.is_ascii_alphabetic());
    let help = if address.contains('%') {
        "leave the interface after `%` out"
    } else if address.contains('-') && !has_letters {
        "write a range of addresses as one or more networks"
    } else if address.contains('.') && has_letters && !address.contains(':') {
        "that is a name: write it in `fqdns`"
    } else {
        "write an address such as `192.0.2.1`, or a network such as `10.0.0.0/8` or `2001:db8::/32`"
    };
    help.to_owned()
}
