use std::net::{IpAddr, Ipv6Addr};

use enforcer_common::abi::Addr;

use super::{SpecialRange, flat_v4, flat_v6, of};

/// Every range of the table as a reader would write it down: first address, last address, name.
/// Whatever lies between two lines is an ordinary address.
const EXPECTED: &[(&str, &str, &str)] = &[
    ("0.0.0.0", "0.255.255.255", "reserved"),
    ("10.0.0.0", "10.255.255.255", "private"),
    ("100.64.0.0", "100.100.2.135", "cgnat"),
    ("100.100.2.136", "100.100.2.136", "metadata"),
    ("100.100.2.137", "100.100.2.137", "cgnat"),
    ("100.100.2.138", "100.100.2.138", "metadata"),
    ("100.100.2.139", "100.100.100.199", "cgnat"),
    ("100.100.100.200", "100.100.100.200", "metadata"),
    ("100.100.100.201", "100.127.255.255", "cgnat"),
    ("127.0.0.0", "127.255.255.255", "loopback"),
    ("168.63.129.16", "168.63.129.16", "metadata"),
    ("169.254.0.0", "169.254.0.22", "link-local"),
    ("169.254.0.23", "169.254.0.23", "metadata"),
    ("169.254.0.24", "169.254.42.41", "link-local"),
    ("169.254.42.42", "169.254.42.42", "metadata"),
    ("169.254.42.43", "169.254.169.122", "link-local"),
    ("169.254.169.123", "169.254.169.123", "metadata"),
    ("169.254.169.124", "169.254.169.252", "link-local"),
    ("169.254.169.253", "169.254.169.254", "metadata"),
    ("169.254.169.255", "169.254.170.1", "link-local"),
    ("169.254.170.2", "169.254.170.2", "metadata"),
    ("169.254.170.3", "169.254.170.22", "link-local"),
    ("169.254.170.23", "169.254.170.23", "metadata"),
    ("169.254.170.24", "169.254.255.255", "link-local"),
    ("172.16.0.0", "172.31.255.255", "private"),
    ("192.0.0.0", "192.0.0.191", "reserved"),
    ("192.0.0.192", "192.0.0.192", "metadata"),
    ("192.0.0.193", "192.0.0.255", "reserved"),
    ("192.0.2.0", "192.0.2.255", "reserved"),
    ("192.31.196.0", "192.31.196.255", "reserved"),
    ("192.52.193.0", "192.52.193.255", "reserved"),
    ("192.88.99.0", "192.88.99.255", "reserved"),
    ("192.168.0.0", "192.168.255.255", "private"),
    ("192.175.48.0", "192.175.48.255", "reserved"),
    ("198.18.0.0", "198.19.255.255", "reserved"),
    ("198.51.100.0", "198.51.100.255", "reserved"),
    ("203.0.113.0", "203.0.113.255", "reserved"),
    ("224.0.0.0", "239.255.255.255", "multicast"),
    ("240.0.0.0", "255.255.255.255", "reserved"),
    ("::", "::", "reserved"),
    ("::1", "::1", "loopback"),
    ("::2", "::fffe:ffff:ffff", "reserved"),
    (
        "::1:0:0:0",
        "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "64:ff9b::1:0:0",
        "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2001::",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2002::",
        "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "2620:4f:8000::",
        "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "4000::",
        "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    ("fc00::", "fd00:42::41", "private"),
    ("fd00:42::42", "fd00:42::42", "metadata"),
    ("fd00:42::43", "fd00:c1::a9fe:a9fd", "private"),
    ("fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9fe", "metadata"),
    ("fd00:c1::a9fe:a9ff", "fd00:ec2::22", "private"),
    ("fd00:ec2::23", "fd00:ec2::23", "metadata"),
    ("fd00:ec2::24", "fd00:ec2::122", "private"),
    ("fd00:ec2::123", "fd00:ec2::123", "metadata"),
    ("fd00:ec2::124", "fd00:ec2::252", "private"),
    ("fd00:ec2::253", "fd00:ec2::254", "metadata"),
    ("fd00:ec2::255", "fd20:ce::253", "private"),
    ("fd20:ce::254", "fd20:ce::254", "metadata"),
    (
        "fd20:ce::255",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "private",
    ),
    (
        "fe00::",
        "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    ("fe80::", "fe80::a9fe:a9fd", "link-local"),
    ("fe80::a9fe:a9fe", "fe80::a9fe:a9fe", "metadata"),
    (
        "fe80::a9fe:a9ff",
        "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "link-local",
    ),
    (
        "fec0::",
        "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "reserved",
    ),
    (
        "ff00::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "multicast",
    ),
];

fn number(text: &str) -> (bool, u128) {
    match text.parse() {
        Ok(IpAddr::V4(v4)) => (true, u32::from(v4).into()),
        Ok(IpAddr::V6(v6)) => (false, v6.into()),
        Err(error) => panic!("{text}: {error}"),
    }
}

fn expected(is_v4: bool, address: u128) -> Option<SpecialRange> {
    let (.., name) = EXPECTED.iter().find(|(first, last, _)| {
        let ((family, first), (_, last)) = (number(first), number(last));
        family == is_v4 && first <= address && address <= last
    })?;
    Some(SpecialRange::parse(name).expect(name))
}

fn around(bound: u128, last: u128) -> impl Iterator<Item = u128> {
    let candidates = [bound.checked_sub(1), Some(bound), bound.checked_add(1)];
    candidates
        .into_iter()
        .flatten()
        .filter(move |&at| at <= last)
}

#[test]
fn every_bound_of_ipv4_and_its_neighbours() {
    let mut bounds: Vec<u128> = flat_v4().iter().map(|&(start, _)| start.into()).collect();
    for (first, last, _) in EXPECTED {
        bounds.extend(
            [number(first), number(last)]
                .iter()
                .filter(|n| n.0)
                .map(|n| n.1),
        );
    }
    for at in bounds
        .into_iter()
        .flat_map(|bound| around(bound, u32::MAX.into()))
    {
        let v4 = at as u32;
        let found = of(Addr::from_v4(v4.to_be_bytes()));
        assert_eq!(
            found,
            expected(true, at),
            "{}",
            std::net::Ipv4Addr::from(v4)
        );
    }
}

#[test]
fn every_bound_of_ipv6_and_its_neighbours() {
    let mut bounds: Vec<u128> = flat_v6().iter().map(|&(start, _)| start).collect();
    for (first, last, _) in EXPECTED {
        bounds.extend(
            [number(first), number(last)]
                .iter()
                .filter(|n| !n.0)
                .map(|n| n.1),
        );
    }
    for at in bounds
        .into_iter()
        .flat_map(|bound| around(bound, u128::MAX))
    {
        let v6 = Ipv6Addr::from(at);
        // Such an address is looked up as IPv4.
        if v6.to_ipv4_mapped().is_none() {
            assert_eq!(of(Addr::from_v6(v6.octets())), expected(false, at), "{v6}");
        }
    }
}

#[test]
fn flat_tables_start_at_zero_ascend_and_differ() {
    let v4: Vec<_> = flat_v4()
        .iter()
        .map(|&(at, r)| (u128::from(at), r))
        .collect();
    for flat in [v4, flat_v6().to_vec()] {
        assert_eq!(flat[0].0, 0);
        for pair in flat.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{pair:?}");
            assert_ne!(pair[0].1, pair[1].1, "{pair:?}");
        }
    }
}

#[test]
fn names_go_both_ways() {
    for (range, name) in SpecialRange::ALL {
        assert_eq!(range.as_str(), name);
        assert_eq!(SpecialRange::parse(name), Some(range));
    }
    assert_eq!(SpecialRange::parse("Private"), None);
}
