//! Declared flows: what is found is what the naive model says of every single address and port.

use std::{collections::BTreeSet, fmt::Write, net::IpAddr};

use enforcer::{
    declared,
    policy::{Cidr, Code, Diagnostic, Loaded, Minute, Position, load_with_flows_at},
};
use enforcer_common::{
    abi::{Addr, CgroupId, Hook, Port, Ports, Proto},
    verdict::{Flow, Verdict},
};
use enforcer_tests::{
    arb::{self, Case},
    model::{self, World},
};
use proptest::{prelude::*, sample::select};

/// Networks no larger than this are compared address by address.
const MOST_HOST_BITS: u8 = 4;

const PORTS: [(u16, u16); 5] = [(52, 54), (442, 444), (8999, 9011), (1, 2), (65534, 65535)];

/// A refusal, and who makes it.
type Refusal = (&'static str, String);

fn small(cidr: Cidr) -> Cidr {
    let longest = if cidr.is_v4() { 32 } else { 128 };
    let length = cidr.length().max(longest - MOST_HOST_BITS);
    Cidr::new(cidr.network(), length).expect("the network has no more host bits than before")
}

fn addresses(cidr: Cidr) -> Vec<Addr> {
    let (first, last) = cidr.ends();
    let number = |address: Addr| u128::from_be_bytes(address.octets());
    let all = number(first)..=number(last);
    all.map(|one| Addr::from_v6(one.to_be_bytes())).collect()
}

/// When the built-in documents hold that are read beside the flow: in 2026.
const WRITTEN: Minute = Minute(29_500_000);

/// The flow as a file, and read from it; beside the policies of the case, which all select `exec`.
fn declare(case: &Case, network: Cidr, ports: (u16, u16), host: Option<&str>) -> Loaded {
    let mut text = String::from(
        "apiVersion: enforcer.dev/v1alpha1\nkind: DataFlow\nmetadata: {name: declared}\nspec:\n  \
         owner: me\n  purpose: test\n  dataCategories: [anything]\n  from: {exec: true}\n  to:\n",
    );
    let host = host.map_or_else(String::new, |host| format!("host: {host}, "));
    let (first, last) = ports;
    writeln!(
        text,
        "    - {{{host}addresses: [\"{network}\"], ports: [{first}-{last}/tcp, {last}/udp, icmp]}}"
    )
    .expect("strings grow");
    let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let loaded = load_with_flows_at(&[], &[file.path().into()], WRITTEN);
    let mut loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    loaded.policies.clone_from(&case.policies);
    loaded
}

fn flows(network: Cidr, (first, last): (u16, u16)) -> Vec<Flow> {
    let mut flows = Vec::new();
    for dst in addresses(network) {
        let mut ask = |proto, ports| {
            flows.push(Flow {
                subject: CgroupId(1),
                dst,
                proto,
                ports,
                hook: Hook::Connect,
            });
        };
        for port in first..=last {
            ask(Proto::TCP, Ports::is(Port(port)));
        }
        ask(Proto::UDP, Ports::is(Port(last)));
        ask(Proto::icmp_to(dst), Ports::ABSENT);
    }
    flows
}

fn expected(case: &Case, flows: &[Flow], names: &[&str]) -> BTreeSet<Refusal> {
    let policies: Vec<_> = case.policies.iter().collect();
    let world = World {
        nat64: &[],
        cluster_dns: &[],
        ..case.world()
    };
    let mut refusals = BTreeSet::new();
    for flow in flows {
        let answer = model::decide(&policies, &world, flow, names);
        let by = answer.by.map_or_else(String::new, |by| by.to_string());
        if answer.verdict == Verdict::Deny {
            refusals.insert((Code::FlowDenied.as_str(), by));
        } else if answer.would_deny {
            refusals.insert((Code::FlowWouldDeny.as_str(), by));
        }
    }
    refusals
}

/// Reads `by rule `x` of policy `y``.
fn refusal(finding: &Diagnostic) -> Option<Refusal> {
    let code = finding.code();
    if !matches!(code, Code::FlowDenied | Code::FlowWouldDeny) {
        return None;
    }
    let (_, by) = finding
        .message()
        .split_once(", by rule `")
        .expect("who decided");
    let (rule, policy) = by.split_once("` of policy `").expect("a rule and a policy");
    let policy = policy.split('`').next().expect("a name");
    Some((code.as_str(), format!("{policy}/{rule}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn findings_are_what_the_model_says_of_each_address_and_port(
        case in arb::case(),
        network in arb::cidr().prop_map(small),
        ports in select(&PORTS[..]),
        named in any::<bool>(),
    ) {
        let (first, last) = network.ends();
        let located = case.geo.locate(first);
        // Networks of addresses that stand for others are refused as such.
        prop_assume!(first == last || located.judged == first && located.also.is_none());
        let host = case.names.iter().flatten().next().copied().filter(|_| named);
        let names: Vec<&str> = host.into_iter().collect();
        let loaded = declare(&case, network, ports, host);
        let found = declared::findings(&loaded, &case.geo, Case::NOW).expect("it fits");
        let said: BTreeSet<Refusal> = found.iter().filter_map(refusal).collect();
        let expected = expected(&case, &flows(network, ports), &names);
        prop_assert_eq!(said, expected, "{} {:?} {:?}\n{}", network, ports, host, found);
    }
}

#[test]
fn places_of_refusals_are_those_of_the_rules() {
    let directory = tempfile::tempdir().expect("a directory");
    let policy = directory.path().join("policy.yaml");
    let text = "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {name: p}\nspec:\n  \
        selector: [{exec: true}]\n  rules:\n    - {name: no, action: deny, peers: [{cidrs: [192.0.2.0/24]}]}\n    \
        - {name: rest, action: allow, peers: [{cidrs: [0.0.0.0/0]}]}\n";
    std::fs::write(&policy, text).expect("written");
    let flow = directory.path().join("flow.yaml");
    let text = "apiVersion: enforcer.dev/v1alpha1\nkind: DataFlow\nmetadata: {name: f}\nspec:\n  owner: me\n  \
        purpose: test\n  dataCategories: [x]\n  from: {exec: true}\n  to: [{addresses: [192.0.0.0/22], ports: [1/tcp]}]\n";
    std::fs::write(&flow, text).expect("written");
    let loaded = load_with_flows_at(std::slice::from_ref(&policy), &[flow], WRITTEN);
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    let geo = enforcer_tests::cases::geo(enforcer::geo::Agreement::All);
    let found = declared::findings(&loaded, &geo, Case::NOW).expect("it fits");
    let denied: Vec<&Diagnostic> = found
        .iter()
        .filter(|one| one.code() == Code::FlowDenied)
        .collect();
    assert_eq!(denied.len(), 1, "{found}");
    let (rule, _) = denied[0].related().expect("the rule");
    let expected = Position {
        file: policy.into(),
        line: 7,
        column: 7,
    };
    assert_eq!(rule.position(), expected);
    let first: IpAddr = "192.0.2.0".parse().expect("an address");
    assert!(
        denied[0]
            .message()
            .contains(&format!("{first}-192.0.2.255 on 1/tcp"))
    );
}
