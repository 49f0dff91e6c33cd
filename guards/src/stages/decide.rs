//! The decision itself, over images in memory.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};
use enforcer::{compile::Image, geo::GeoSet, policy::load_text};
use enforcer_common::{
    abi::{Addr, CgroupId, ClassId, Hook, Port, Ports, Proto, Tag},
    names::NameKey,
    verdict::{Flow, Verdict},
};
use fastrand::Rng;

use super::policies::image;
use crate::counted::Counted;

const DECISIONS: usize = 4096;

/// Addresses from everywhere, half of them IPv6 of the part that is in use. The same each time.
pub(super) fn addresses(count: usize) -> Vec<Addr> {
    let mut rng = Rng::with_seed(1);
    let mut one = |number: usize| {
        if number.is_multiple_of(2) {
            Addr::from_v4(rng.u32(..).to_be_bytes())
        } else {
            let global_unicast = 1 << 125 | rng.u128(..) >> 3;
            Addr::from_v6(global_unicast.to_be_bytes())
        }
    };
    (0..count).map(&mut one).collect()
}

/// Over the tables of the world, by country.
pub(super) fn in_the_world(counted: &mut Counted, image: &Image) -> Result<()> {
    let flows: Vec<Flow> = addresses(DECISIONS).into_iter().map(flow).collect();
    decisions(counted, "decide-world", image, &flows, &[]).map(drop)
}

/// Over small tables: one outcome for a network, a list of ports, and a chain of names.
///
/// # Errors
/// A verdict is not what the policy says.
pub(crate) fn small(counted: &mut Counted) -> Result<()> {
    const POLICY: &str = "\
apiVersion: enforcer.dev/v1alpha1
kind: EgressPolicy
metadata: {name: small}
spec:
  selector: [{exec: true}]
  default: deny
  dns: {resolvers: [10.96.0.10]}
  rules:
    - {name: network, action: allow, peers: [{cidrs: [192.0.2.0/24]}]}
    - {name: service, action: allow, peers: [{cidrs: [198.51.100.0/24]}], ports: [443/tcp, 8443/tcp, 9000-9010/tcp, 53/udp]}
    - {name: named, action: allow, peers: [{fqdns: [\"*.example.com\"], cidrs: [203.0.113.0/24]}]}
";
    let policies = load_text("small.yaml", POLICY)?.policies;
    let image = image(&policies, &GeoSet::default())?;
    let name = image.name_key("api.example.com").context("no name")?;
    let network = |first: [u8; 3]| -> Vec<Flow> {
        let [a, b, c] = first;
        let address = |number: usize| Addr::from_v4([a, b, c, number as u8]);
        (0..DECISIONS).map(|number| flow(address(number))).collect()
    };
    let loads: [(&str, [u8; 3], &[NameKey]); 3] = [
        ("decide-network", [192, 0, 2], &[]),
        ("decide-ports", [198, 51, 100], &[]),
        ("decide-names", [203, 0, 113], &[name]),
    ];
    for (stage, first, names) in loads {
        let allowed = decisions(counted, stage, &image, &network(first), names)?;
        ensure!(
            allowed == DECISIONS,
            "{stage}: {allowed} of {DECISIONS} are allowed"
        );
    }
    Ok(())
}

fn flow(dst: Addr) -> Flow {
    Flow {
        subject: CgroupId(1),
        dst,
        proto: Proto::TCP,
        ports: Ports::is(Port(443)),
        hook: Hook::Connect,
    }
}

/// How many are allowed.
fn decisions(
    counted: &mut Counted,
    stage: &'static str,
    image: &Image,
    flows: &[Flow],
    names: &[NameKey],
) -> Result<usize> {
    let tag = Tag::judged(ClassId(0));
    let mut allowed = 0;
    counted.stage(stage, flows.len(), || {
        for flow in flows {
            let decision = image.decide_tagged(Some(tag), 0, black_box(flow), names);
            allowed += usize::from(decision.verdict == Verdict::Allow);
        }
        Ok(())
    })?;
    Ok(allowed)
}
