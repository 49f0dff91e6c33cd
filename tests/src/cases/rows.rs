//! The rows.

use enforcer::geo::Agreement;
use enforcer_common::abi::{Port, Ports, Proto};

use super::Expect::{self, Allow, Deny, Loopback, WouldDeny};

/// One flow and what ought to happen to it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The clause that it shows.
    pub because: &'static str,
    /// The policies that select the workload, as indices into [`policies`](super::policies).
    pub class: &'static [usize],
    /// How databases are combined.
    pub agreement: Agreement,
    /// Destination.
    pub to: &'static str,
    /// IP protocol.
    pub proto: Proto,
    /// Destination port.
    pub ports: Ports,
    /// Names of the destination.
    pub names: &'static [&'static str],
    /// The answer.
    pub expect: Expect,
}

const REGION: &[usize] = &[0];
const OPEN: &[usize] = &[2];
const NAMES: &[usize] = &[3];
const P443: Ports = Ports::is(Port(443));

const fn tcp(
    because: &'static str,
    class: &'static [usize],
    to: &'static str,
    expect: Expect,
) -> Row {
    row(because, class, to, Proto::TCP, P443, expect)
}

const fn row(
    because: &'static str,
    class: &'static [usize],
    to: &'static str,
    proto: Proto,
    ports: Ports,
    expect: Expect,
) -> Row {
    Row {
        because,
        class,
        agreement: Agreement::All,
        to,
        proto,
        ports,
        names: &[],
        expect,
    }
}

const fn named(
    because: &'static str,
    class: &'static [usize],
    to: &'static str,
    names: &'static [&'static str],
    expect: Expect,
) -> Row {
    Row {
        names,
        ..tcp(because, class, to, expect)
    }
}

const fn any_database(row: Row) -> Row {
    Row {
        agreement: Agreement::Any,
        ..row
    }
}

/// Every row.
// One row, one line.
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    // Loopback.
    tcp("loopback", REGION, "127.0.0.1", Loopback),
    tcp("loopback", REGION, "127.255.255.255", Loopback),
    tcp("loopback", REGION, "::1", Loopback),
    tcp("loopback", REGION, "::ffff:127.0.0.1", Loopback),
    tcp("next to loopback", REGION, "126.255.255.255", Deny("region/default")),
    tcp("next to loopback", REGION, "128.0.0.0", Deny("region/default")),
    tcp("next to loopback", REGION, "::2", Deny("region/default")),
    tcp("loopback inside NAT64 leaves the host", REGION, "64:ff9b::7f00:1", Deny("region/default")),
    // Bounds of a database's range.
    tcp("before a range", REGION, "3.63.255.255", Deny("region/default")),
    tcp("first of a range", REGION, "3.64.0.0", Allow("region/in-region")),
    tcp("last of a range", REGION, "3.64.255.255", Allow("region/in-region")),
    tcp("after a range", REGION, "3.65.0.0", Deny("region/default")),
    tcp("another country", REGION, "5.0.0.1", Deny("region/default")),
    tcp("before a range", REGION, "2600:1f13:ffff:ffff:ffff:ffff:ffff:ffff", Deny("region/default")),
    tcp("first of a range", REGION, "2600:1f14::", Allow("region/in-region")),
    tcp("inside a /64, before the split", REGION, "2600:1f14:0:1:7fff:ffff:ffff:ffff", Allow("region/in-region")),
    tcp("inside a /64, after the split", REGION, "2600:1f14:0:1:8000::", Deny("region/default")),
    tcp("the /64 after the split", REGION, "2600:1f14:0:2::", Allow("region/in-region")),
    tcp("unknown address", REGION, "6.6.6.6", Deny("region/default")),
    tcp("first address", REGION, "0.0.0.0", Deny("region/default")),
    tcp("last address", REGION, "255.255.255.255", Deny("region/default")),
    // Ports and protocols.
    row("port before", REGION, "3.64.0.1", Proto::TCP, Ports::is(Port(442)), Deny("region/default")),
    row("last port", REGION, "3.64.0.1", Proto::TCP, Ports::is(Port(444)), Allow("region/in-region")),
    row("port after", REGION, "3.64.0.1", Proto::TCP, Ports::is(Port(445)), Deny("region/default")),
    row("first match wins", REGION, "3.64.0.1", Proto::TCP, Ports::is(Port(9001)), Deny("region/no-9001")),
    row("another protocol", REGION, "3.64.0.1", Proto::UDP, P443, Deny("region/default")),
    row("fragment: a denied port might be in it", REGION, "3.64.0.1", Proto::TCP, Ports::UNKNOWN, Deny("region/no-9001")),
    row("fragment: ports play no part", OPEN, "10.0.0.1", Proto::TCP, Ports::UNKNOWN, Allow("open/private")),
    row("no ports", REGION, "3.64.0.1", Proto::ICMP, Ports::ABSENT, Allow("region/ping")),
    row("no ports", REGION, "5.0.0.1", Proto::ICMP, Ports::ABSENT, Deny("region/default")),
    row("fragment of ICMP", REGION, "3.64.0.1", Proto::ICMP, Ports::UNKNOWN, Allow("region/ping")),
    row("no rule names it", REGION, "3.64.0.1", Proto(47), Ports::ABSENT, Deny("region/default")),
    // CIDRs and except.
    tcp("first of a CIDR", REGION, "10.0.0.0", Allow("region/inside")),
    tcp("last of a CIDR", REGION, "10.255.255.255", Allow("region/inside")),
    tcp("before a CIDR", REGION, "9.255.255.255", Deny("region/default")),
    tcp("after a CIDR", REGION, "11.0.0.0", Deny("region/default")),
    tcp("before except", REGION, "10.65.255.255", Allow("region/inside")),
    tcp("first of except", REGION, "10.66.0.0", Deny("region/default")),
    tcp("last of except", REGION, "10.66.255.255", Deny("region/default")),
    tcp("after except", REGION, "10.67.0.0", Allow("region/inside")),
    // Special-purpose ranges.
    tcp("special-purpose is in no region", REGION, "168.63.129.16", Deny("region/default")),
    tcp("its neighbour is where the database says", REGION, "168.63.129.17", Allow("region/in-region")),
    tcp("metadata", OPEN, "169.254.169.254", Deny("open/no-metadata")),
    tcp("link-local is not metadata", OPEN, "169.254.1.1", Allow("open/default")),
    tcp("metadata in private space", OPEN, "fd00:ec2::254", Deny("open/no-metadata")),
    tcp("private", OPEN, "fd00:ec2::255", Allow("open/private")),
    tcp("metadata in CGNAT space", OPEN, "100.100.100.200", Deny("open/no-metadata")),
    // IPv4 inside IPv6.
    tcp("v4-mapped", REGION, "::ffff:3.64.0.1", Allow("region/in-region")),
    tcp("v4-mapped", REGION, "::ffff:5.0.0.1", Deny("region/default")),
    tcp("NAT64", REGION, "64:ff9b::3.64.0.1", Allow("region/in-region")),
    tcp("NAT64", REGION, "64:ff9b::5.0.0.1", Deny("region/default")),
    tcp("NAT64 of metadata", OPEN, "64:ff9b::169.254.169.254", Deny("open/no-metadata")),
    tcp("own NAT64", REGION, "2a05:d014:64::3.64.0.1", Allow("region/in-region")),
    tcp("own NAT64", REGION, "2a05:d014:64::5.0.0.1", Deny("region/default")),
    tcp("6to4", REGION, "2002:340:1::1", Allow("region/in-region")),
    tcp("6to4", REGION, "2002:500:1::1", Deny("region/default")),
    tcp("Teredo", REGION, "2001:0:1:2:3:4:fcbf:fffe", Allow("region/in-region")),
    tcp("Teredo", REGION, "2001:0:1:2:3:4:faff:fffe", Deny("region/default")),
    tcp("ISATAP, both in the region", REGION, "2600:1f14::5efe:3.64.0.1", Allow("region/in-region")),
    tcp("ISATAP, the IPv4 address is not", REGION, "2600:1f14::5efe:5.0.0.1", Deny("region/default")),
    tcp("ISATAP, the prefix is not", REGION, "2600:ffff::5efe:3.64.0.1", Deny("region/default")),
    tcp("ISATAP, global bit", REGION, "2600:ffff::200:5efe:3.64.0.1", Deny("region/default")),
    tcp("ISATAP, link-local prefix", REGION, "fe80::5efe:3.64.0.1", Allow("region/in-region")),
    // Agreement and anycast.
    tcp("databases disagree", REGION, "4.0.0.1", Deny("region/default")),
    any_database(tcp("one database suffices", REGION, "4.0.0.1", Allow("region/in-region"))),
    tcp("one database knows", REGION, "3.64.0.1", Allow("region/in-region")),
    tcp("anycast is in no region", REGION, "5.1.0.1", Deny("region/default")),
    tcp("anycast, where the peer allows it", OPEN, "5.1.0.1", Allow("open/edge")),
    // Several policies, audit.
    tcp("the first that allows is named", &[0, 2], "3.64.0.1", Allow("region/in-region")),
    tcp("the one that denies is named", &[0, 2], "6.6.6.6", Deny("region/default")),
    tcp("the first that denies is named", &[2, 0], "169.254.169.254", Deny("open/no-metadata")),
    tcp("audit would deny", &[1], "3.64.0.1", WouldDeny("watch/no-64500")),
    tcp("audit would deny, another allows", &[0, 1], "3.64.0.1", WouldDeny("watch/no-64500")),
    tcp("enforce beats audit", &[1, 0], "5.0.0.1", Deny("region/default")),
    tcp("audit allows", &[1, 2], "6.6.6.6", Allow("watch/default")),
    // Names.
    named("a name", NAMES, "8.8.8.8", &["only.test"], Allow("names/exact")),
    named("case does not matter", NAMES, "8.8.8.8", &["ONLY.Test"], Allow("names/exact")),
    named("any name suffices", NAMES, "8.8.8.8", &["other.test", "only.test"], Allow("names/exact")),
    named("below an exact name", NAMES, "8.8.8.8", &["x.only.test"], Deny("names/default")),
    tcp("no name", NAMES, "8.8.8.8", Deny("names/default")),
    named("below a wildcard", NAMES, "3.64.0.1", &["x.a.test"], Allow("names/below")),
    named("deeper below a wildcard", NAMES, "3.64.0.1", &["z.y.x.a.test"], Allow("names/below")),
    named("the wildcard's own suffix", NAMES, "3.64.0.1", &["a.test"], Deny("names/default")),
    named("the end of a label is no suffix", NAMES, "3.64.0.1", &["x.ba.test"], Deny("names/default")),
    named("the name and not the region", NAMES, "5.0.0.1", &["x.a.test"], Deny("names/default")),
    named("a deny by any name", NAMES, "3.64.0.1", &["x.a.test", "bad.test"], Deny("names/no-bad")),
    named("inside NAT64", NAMES, "64:ff9b::3.64.0.1", &["x.a.test"], Allow("names/below")),
    row("a resolver may be asked", NAMES, "10.0.0.53", Proto::UDP, Ports::is(Port(53)), Allow("names/dns.resolvers")),
    row("on port 53 alone", NAMES, "10.0.0.53", Proto::UDP, P443, Deny("names/default")),
    // Providers.
    named("processes in the region, edge elsewhere", NAMES, "5.0.0.1", &["eu.ai.test"], Allow("names/models")),
    named("processes elsewhere, edge in the region", NAMES, "3.64.0.1", &["us.ai.test"], Deny("names/default")),
    named("does not say where", NAMES, "3.64.0.1", &["any.ai.test"], Deny("names/default")),
    tcp("a network of the provider", NAMES, "6.6.6.1", Allow("names/models")),
    tcp("after that network", NAMES, "6.6.7.0", Deny("names/default")),
    named("no agreement: no later rule allows", NAMES, "3.64.0.1", &["lapsed.test"], Deny("names/models")),
    // Names and several policies.
    named("audit by name", &[4], "8.8.8.8", &["x.test"], WouldDeny("watch-names/tests")),
    named("audit by name, no name", &[4], "8.8.8.8", &[], Allow("watch-names/default")),
    named("allowed by one, watched by another", &[3, 4], "8.8.8.8", &["only.test"], WouldDeny("watch-names/tests")),
    named("enforce beats audit by name", &[4, 3], "8.8.8.8", &["x.test"], Deny("names/default")),
    named("a name here, a region there", &[0, 3], "3.64.0.1", &["only.test"], Allow("region/in-region")),
];
