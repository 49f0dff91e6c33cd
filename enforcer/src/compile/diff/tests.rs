use std::{fs, net::IpAddr, path::Path};

use mmdb_writer::{Value, Writer, ipnet::IpNet};

use super::*;
use crate::{
    geo::{Agreement, GeoSet},
    policy::load_text,
};

const POLICY: &str = "\
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
fn changes_are_those_of_single_decisions() {
    let directory = tempfile::tempdir().expect("a directory");
    let policies = load_text("inside.yaml", POLICY).expect("sound").policies;
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
    let input = |geo| Input::of(&policies, &classes, geo);
    let (_, changes) = changed_verdicts(&input(&old), &input(&new)).expect("it fits");
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            let verdicts = (change.old.verdict, change.new.verdict);
            (&*change.service.name, verdicts, change.extent.to_string())
        })
        .collect();
    let (allow, deny) = (Verdict::Allow, Verdict::Deny);
    // 20.1.0.0/16 stays open on 443/tcp: a rule names it.
    assert_eq!(
        told,
        [
            (
                "53/udp",
                (allow, deny),
                "262144 IPv4 addresses in 3 ranges".to_owned()
            ),
            (
                "443/tcp",
                (allow, deny),
                "196608 IPv4 addresses in 2 ranges".to_owned()
            ),
            (
                "443/tcp",
                (deny, allow),
                "65536 IPv4 addresses in 1 range".to_owned()
            ),
            (
                "53/udp",
                (deny, allow),
                "65536 IPv4 addresses in 1 range".to_owned()
            ),
        ]
    );
    let images = [&old, &new].map(|geo| compile(&input(geo)).expect("it fits"));
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
fn services_cover_every_port_and_the_rest() {
    let policies = load_text("inside.yaml", POLICY).expect("sound").policies;
    let names: Vec<_> = services(&policies)
        .into_iter()
        .map(|service| service.name)
        .collect();
    assert_eq!(
        names,
        [
            "0-442/tcp",
            "443/tcp",
            "444-65535/tcp",
            "0-52/udp",
            "53/udp",
            "54-65535/udp",
            "other"
        ]
    );
}
