use std::{fs, net::IpAddr, path::Path};

use enforcer_common::{
    abi::{CgroupId, ClassId, Hook, Port, Ports, Proto, Stance, Tag},
    verdict::{Flow, Verdict},
};
use mmdb_writer::{Value, Writer, ipnet::IpNet};

use super::{
    Comparison, Difference, Version,
    services::{Run, runs},
};
use crate::{
    compile::{Atlas, Input, compile},
    geo::{Agreement, GeoSet},
    policy::{Policy, load_text},
};

fn policies(rules: &str) -> Vec<Policy> {
    let text = format!(
        "apiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\nmetadata: {{name: p}}\n\
         spec:\n  selector: [{{exec: true}}]\n  default: deny\n  rules:\n{rules}"
    );
    load_text("p.yaml", &text).expect("sound").policies
}

fn differences(before: &str, after: &str, tags: [Option<Tag>; 2]) -> Vec<Difference> {
    let (before, after, geo) = (policies(before), policies(after), GeoSet::default());
    let classes = [vec![0]];
    let inputs = [&before, &after].map(|policies| Input::of(policies, &classes, &geo));
    compared(inputs, tags)
}

fn compared(inputs: [Input<'_>; 2], tags: [Option<Tag>; 2]) -> Vec<Difference> {
    let images = inputs.map(|input| compile(&input).expect("it fits"));
    let atlases = inputs.map(|input| Atlas::of(&input).expect("it fits"));
    let version = |at: usize| Version {
        image: &images[at],
        atlas: &atlases[at],
        policies: inputs[at].policies,
    };
    Comparison::of(version(0), version(1)).differences(tags[0], tags[1])
}

const JUDGED: Option<Tag> = Some(Tag::judged(ClassId(0)));
const WIDE: &str =
    "    - {name: a, action: allow, peers: [{cidrs: [10.0.0.0/8]}], ports: [443/tcp]}\n";

#[test]
fn the_same_policies_differ_in_nothing() {
    assert!(differences(WIDE, WIDE, [JUDGED; 2]).is_empty());
}

#[test]
fn a_network_that_goes_is_told_with_its_size_and_ports() {
    let narrow = WIDE.replace("10.0.0.0/8]", "10.0.0.0/8], except: [10.1.0.0/16]");
    let found = differences(WIDE, &narrow, [JUDGED; 2]);
    let [only] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(only.services, ["443/tcp"]);
    assert_eq!(
        (only.before.verdict, only.after.verdict),
        (Verdict::Allow, Verdict::Deny)
    );
    let sizes = (only.extent.addresses(), only.extent.networks());
    assert_eq!(sizes, (1 << 16, 0));
    assert_eq!(GeoSet::default().places(&only.ranges), ["private"]);
    let ranges: Vec<_> = only.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.1.0.0-10.1.255.255"]);
}

#[test]
fn ports_that_come_are_told_as_a_range() {
    let more = WIDE.replace("443/tcp", "443-445/tcp");
    let found = differences(WIDE, &more, [JUDGED; 2]);
    let services: Vec<_> = found.iter().map(|it| it.services.clone()).collect();
    assert_eq!(services, [["444-445/tcp"]]);
}

#[test]
fn a_workload_that_comes_under_a_policy_loses_all_that_it_refuses() {
    let released = Some(Tag::standing(Stance::Release));
    let found = differences(WIDE, WIDE, [released, JUDGED]);
    let whole = &found[0];
    assert_eq!(whole.services, ["any"]);
    // All of IPv4 but 10/8, whose port 443 passes, and loopback.
    assert_eq!(whole.extent.addresses(), (1 << 32) - 2 * (1 << 24));
    assert!(whole.extent.networks() > 1 << 60);
    assert!(
        found[1].services.contains(&"0-442/tcp".to_owned()),
        "{found:?}"
    );
    assert!(differences(WIDE, WIDE, [released; 2]).is_empty());
}

/// Of databases.
const BY_COUNTRY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: inside}
spec:
  selector: [{exec: true}]
  mode: enforce
  default: deny
  rules:
    - {name: lan, action: allow, peers: [{cidrs: [20.1.0.0/16]}], ports: [443/tcp]}
    - {name: home, action: allow, peers: [{countries: [DE]}], ports: [443/tcp, 53/udp]}
";

fn database(directory: &Path, name: &str, networks: &[(&str, &str)]) -> GeoSet {
    let mut writer = Writer::new("Test");
    for (network, country) in networks {
        let record = Value::map([("country", Value::map([("iso_code", Value::from(*country))]))]);
        let network: IpNet = network.parse().expect("a network");
        writer.insert_value(network, record).expect("it fits");
    }
    let path = directory.join(name);
    fs::write(&path, writer.to_bytes().expect("bytes")).expect("written");
    GeoSet::open(&[path], Agreement::All).expect("sound")
}

/// Compares with what each image says of single addresses.
#[test]
fn other_databases_change_what_single_decisions_say() {
    let directory = tempfile::tempdir().expect("a directory");
    let policies = load_text("inside.yaml", BY_COUNTRY)
        .expect("sound")
        .policies;
    let old = [
        ("20.0.0.0/14", "DE"),
        ("2a00:1::/32", "DE"),
        ("30.0.0.0/16", "US"),
    ];
    let new = [
        ("20.0.0.0/14", "US"),
        ("2a00:1::/32", "DE"),
        ("30.0.0.0/16", "DE"),
    ];
    let old = database(directory.path(), "old.mmdb", &old);
    let new = database(directory.path(), "new.mmdb", &new);
    let classes = [vec![0]];
    let inputs = [&old, &new].map(|geo| Input::of(&policies, &classes, geo));
    let differences = compared(inputs, [JUDGED; 2]);
    let told: Vec<_> = differences
        .iter()
        .map(|it| {
            let verdicts = (it.before.verdict, it.after.verdict);
            (it.services.join(" "), verdicts, it.extent.to_string())
        })
        .collect();
    let (allow, deny) = (Verdict::Allow, Verdict::Deny);
    let told_of =
        |services: &str, verdicts, extent: &str| (services.to_owned(), verdicts, extent.to_owned());
    let (both, one) = ("443/tcp 53/udp", "53/udp");
    // 20.1.0.0/16 stays open on 443/tcp: a rule names it.
    assert_eq!(
        told,
        [
            told_of(both, (allow, deny), "196608 IPv4 addresses in 2 ranges"),
            told_of(one, (allow, deny), "65536 IPv4 addresses in 1 range"),
            told_of(both, (deny, allow), "65536 IPv4 addresses in 1 range"),
        ]
    );
    let images = inputs.map(|input| compile(&input).expect("it fits"));
    for (address, service, changed) in [
        ("20.1.0.1", "443/tcp", false),
        ("20.1.0.1", "53/udp", true),
        ("20.2.0.1", "443/tcp", true),
        ("30.0.0.1", "443/tcp", true),
        ("30.0.0.1", "80/tcp", false),
        ("2a00:1::1", "443/tcp", false),
    ] {
        let address: IpAddr = address.parse().expect("an address");
        let (port, proto) = service.split_once('/').expect("a service");
        let flow = Flow {
            subject: CgroupId(0),
            dst: address.into(),
            proto: if proto == "tcp" {
                Proto::TCP
            } else {
                Proto::UDP
            },
            ports: Ports::is(Port(port.parse().expect("a port"))),
            hook: Hook::Connect,
        };
        let [old, new] = [&images[0], &images[1]].map(|image| image.decide(ClassId(0), &flow, &[]));
        assert_eq!(old.verdict != new.verdict, changed, "{address} {service}");
    }
}

#[test]
fn runs_cover_every_protocol_and_port() {
    let policies = load_text("inside.yaml", BY_COUNTRY)
        .expect("sound")
        .policies;
    let runs = runs(policies.iter());
    let names: Vec<String> = runs.iter().map(ToString::to_string).collect();
    for name in [
        "0-52/tcp",
        "53/tcp",
        "54-442/tcp",
        "443/tcp",
        "444-65535/tcp",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    let mut joined = Vec::new();
    runs.into_iter().for_each(|run| Run::add(&mut joined, run));
    assert_eq!(joined, [Run::ALL]);
}
