//! A stable text of what was understood.

use std::fmt::Write;

use enforcer::{
    geo::{CountrySet, SpecialRange},
    policy::{
        Cidr, Endpoint, Member, NamePattern, Peer, Policy, PortSpec, Position, Provider, Region,
        Rule,
    },
};

pub(crate) fn policy(policy: &Policy) -> String {
    let mut out = format!("policy {} at {}\n", policy.name, place(&policy.at));
    let mut line = |text: String| writeln!(out, "  {text}").expect("strings grow");
    line(format!("description {:?}", policy.description));
    line(format!(
        "mode {:?}, replies {:?}",
        policy.mode, policy.replies
    ));
    for selector in &policy.selectors {
        line(format!("selects {selector:?}"));
    }
    line(format!(
        "data categories {}",
        policy.data_categories.join(", ")
    ));
    line(format!("legal basis {}", policy.legal_basis.join(", ")));
    if let Some(dns) = &policy.dns {
        line(format!(
            "believes {:?} at {}",
            dns.resolvers,
            place(&dns.at)
        ));
    }
    if policy.require_dpa {
        line("requires agreements".to_owned());
    }
    for one in &policy.rules {
        line(rule(one));
    }
    let default_at = place(&policy.default_at);
    line(format!("default {:?} at {default_at}", policy.default));
    out
}

fn rule(rule: &Rule) -> String {
    let mut out = format!(
        "rule {} at {}: {:?}",
        rule.name,
        place(&rule.at),
        rule.action
    );
    let peers = if rule.peers.is_empty() {
        vec!["every address".to_owned()]
    } else {
        rule.peers.iter().map(peer).collect()
    };
    for peer in peers {
        write!(out, "\n    to {peer}").expect("strings grow");
    }
    let ports: Vec<String> = rule.ports.iter().map(port).collect();
    if !ports.is_empty() {
        write!(out, "\n    on {}", ports.join(", ")).expect("strings grow");
    }
    out
}

fn peer(peer: &Peer) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: Option<String>| {
        parts.extend(value.map(|value| format!("{name} [{value}]")));
    };
    part("regions", peer.regions.map(|set| countries(&set)));
    part("countries", peer.countries.map(|set| countries(&set)));
    let asns = peer.asns.as_ref();
    part(
        "asns",
        asns.map(|asns| join(asns.iter().map(|asn| asn.0.to_string()))),
    );
    let ranges = peer.ranges.as_ref();
    part(
        "ranges",
        ranges.map(|ranges| join(ranges.iter().map(range))),
    );
    part("cidrs", peer.cidrs.as_deref().map(networks));
    part(
        "except",
        Some(networks(&peer.except)).filter(|text| !text.is_empty()),
    );
    let named = |names: &Vec<NamePattern>| join(names.iter().map(NamePattern::to_string));
    part("fqdns", peer.fqdns.as_ref().map(named));
    let providers = peer.providers.as_ref();
    part(
        "providers",
        providers.map(|all| join(all.iter().map(|one| one.name.to_string()))),
    );
    if peer.anycast {
        parts.push("anycast".to_owned());
    }
    format!("{} at {}", parts.join(" and "), place(&peer.at))
}

fn range(range: &SpecialRange) -> String {
    let found = SpecialRange::ALL.into_iter().find(|(one, _)| one == range);
    found.expect("every range has a name").1.to_owned()
}

fn networks(cidrs: &[Cidr]) -> String {
    join(cidrs.iter().map(Cidr::to_string))
}

fn port(spec: &PortSpec) -> String {
    match spec.ports {
        Some((low, high)) => format!("{}:{}-{}", spec.proto.0, low.0, high.0),
        None => spec.proto.0.to_string(),
    }
}

pub(crate) fn region(region: &Region) -> String {
    let mut out = format!("region {}\n", region.name);
    for member in &region.members {
        writeln!(out, "  {}", self::member(member)).expect("strings grow");
    }
    out
}

pub(crate) fn provider(provider: &Provider) -> String {
    let mut out = format!("provider {}\n", provider.name);
    for endpoint in &provider.endpoints {
        writeln!(out, "  {}", self::endpoint(endpoint)).expect("strings grow");
    }
    if let Some(agreement) = &provider.agreement {
        let ends = agreement.expires.map(|end| format!(" until {end}"));
        let (status, ends) = (agreement.status, ends.unwrap_or_default());
        let reference = agreement.reference.as_deref().unwrap_or_default();
        writeln!(out, "  {status:?}{ends} {reference}").expect("strings grow");
    }
    out
}

fn endpoint(endpoint: &Endpoint) -> String {
    let hosts = join(endpoint.hosts.iter().map(NamePattern::to_string));
    let asns = join(endpoint.asns.iter().map(|asn| asn.0.to_string()));
    let processing = endpoint.processing.as_ref();
    let processing = processing.map_or_else(|| "somewhere".to_owned(), countries);
    let checked = endpoint
        .checked
        .map_or_else(String::new, |day| day.to_string());
    format!(
        "hosts [{hosts}] cidrs [{}] asns [{asns}] in {processing}, checked {checked}: {} IF {}",
        networks(&endpoint.cidrs),
        endpoint.source.as_deref().unwrap_or_default(),
        endpoint.residency.as_deref().unwrap_or_default()
    )
}

fn member(member: &Member) -> String {
    let day = |day: Option<jiff::civil::Date>| day.map_or_else(String::new, |day| day.to_string());
    let mut out = format!(
        "{} {}..{} checked {}: {}",
        member.country,
        day(member.valid_from),
        day(member.valid_until),
        day(member.checked),
        member.source.as_deref().unwrap_or_default()
    );
    if let Some(condition) = &member.condition {
        write!(out, " IF {condition}").expect("strings grow");
    }
    out
}

pub(crate) fn countries(set: &CountrySet) -> String {
    join(set.iter().map(|country| country.to_string()))
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(" ")
}

fn place(position: &Position) -> String {
    format!("{}:{}", position.line, position.column)
}
