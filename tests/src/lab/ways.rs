//! Ways past the sockets of a workload that may do what it likes with its own network.

/// A name, a script, an allowed and a disallowed address, and whether the allowed one may be reached.
pub type Way = (&'static str, &'static str, [&'static str; 2], bool);

/// Scripts for `sh` that send to `$1` a packet that carries `$2`, an allowed and a disallowed address
/// of their family, and whether the allowed one may be reached that way.
pub const WAYS: [Way; 11] = [
    ("a packet socket", r#"probe "packet $1""#, V4, true),
    ("a packet socket, IPv6", r#"probe "packet $1""#, V6, true),
    (
        "a packet socket past the queue",
        r#"probe "packet-bypass $1""#,
        V4,
        true,
    ),
    ("AF_XDP", r#"probe "packet-xdp $1""#, V4, true),
    ("AF_XDP, IPv6", r#"probe "packet-xdp $1""#, V6, true),
    ("a VLAN tag", r#"probe "packet-vlan $1""#, V4, false),
    ("a label", r#"probe "packet-mpls $1""#, V6, false),
    ("a tun device", r#"probe "tun $1""#, V4, true),
    (
        "a tunnel",
        r#"ip link add lab0 type vxlan id 7 remote "$1" dstport 4789 dev eth0
        ip link set lab0 up
        ip route add 3.64.0.40 dev lab0
        ip neighbour add 3.64.0.40 lladdr 02:00:00:00:00:09 dev lab0
        probe "udp 3.64.0.40:9"
        ip link delete lab0"#,
        V4,
        true,
    ),
    (
        "translation",
        r#"nft "add table ip lab
        add chain ip lab out { type nat hook output priority -100 ; }
        add rule ip lab out ip daddr 3.64.0.41 dnat to $1"
        probe "udp 3.64.0.41:9"
        nft delete table ip lab"#,
        V4,
        true,
    ),
    (
        "rewriting at the interface",
        r#"nft "add table netdev lab
        add chain netdev lab out { type filter hook egress device eth0 priority 0 ; }
        add rule netdev lab out ip daddr 3.64.0.42 ip daddr set $1"
        probe "udp 3.64.0.42:9"
        nft delete table netdev lab"#,
        V4,
        true,
    ),
];
const V4: [&str; 2] = ["3.64.0.1", "52.0.0.1"];
const V6: [&str; 2] = ["2a05:d014::1", "2600:1f14::1"];

/// A script with what the ways use: `probe`, which makes attempts of the program that `$PROBE` names.
#[must_use]
pub fn defined(script: &str) -> String {
    let probe = r#"probe() { "$PROBE" --timeout-ms 100 --marker "$marker" "$@"; }; marker=$2; "#;
    format!("{probe}{script}")
}
