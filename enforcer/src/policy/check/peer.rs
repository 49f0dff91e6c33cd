use std::sync::Arc;

use super::{cidr, country, egress_policy::Catalogue, host};
use crate::{
    geo::{Asn, CountrySet, SpecialRange},
    policy::{
        diagnostic::Code,
        model::{Cidr, Peer},
        provider::{Provider, Providers},
        read::{Reader, closest},
        region::Regions,
        source::{Node, Span, Value},
    },
};

/// Reads one element of `peers`.
pub(super) fn peer(
    reader: &mut Reader<'_>,
    node: &Node,
    catalogue: &Catalogue<'_>,
) -> Option<Peer> {
    let errors = reader.diagnostics.errors();
    let mut fields = reader.fields(node, "a peer")?;
    let region_names = fields.take("regions");
    let countries = fields.take("countries");
    let anycast = fields.take("anycast");
    let asns = fields.take("asns");
    let ranges = fields.take("ranges");
    let cidrs = fields.take("cidrs");
    let except = fields.take("except");
    let fqdns = fields.take("fqdns");
    let providers = fields.take("providers");
    reader.finish(fields);
    let places = [
        region_names,
        countries,
        asns,
        ranges,
        cidrs,
        except,
        fqdns,
        providers,
    ];
    if reader.diagnostics.errors() == errors && places.iter().all(Option::is_none) {
        reader
            .report(Code::MissingField, node.span, "a peer names no addresses")
            .help("to match every address, leave `peers` out");
    }

    let peer = Peer {
        at: reader.source.position(node.span.start),
        regions: region_names.map(|node| region_set(reader, node, catalogue.regions)),
        countries: countries.map(|node| country_set(reader, node)),
        anycast: anycast
            .and_then(|node| reader.choice(node, "`anycast`", &[("allow", true), ("deny", false)]))
            .unwrap_or(false),
        asns: asns.map(|node| self::asns(reader, node)),
        ranges: ranges.map(|node| each(reader, node, "`ranges`", range)),
        cidrs: cidrs.map(|node| cidr::cidrs(reader, node, "`cidrs`")),
        except: except.map_or_else(Vec::new, |node| cidr::cidrs(reader, node, "`except`")),
        fqdns: fqdns.map(|node| host::hosts(reader, node, "`fqdns`")),
        providers: providers.map(|node| named_providers(reader, node, catalogue)),
    };
    if let (Some(node), false) = (fqdns.or(providers), catalogue.has_resolvers)
        && (fqdns.is_some() || peer.providers.iter().flatten().any(|it| it.has_hosts()))
    {
        let message = "names need a resolver whose answers count, and the policy has none";
        reader
            .report(Code::NoResolvers, node.span, message)
            .help("add `dns: {resolvers: [cluster-dns]}` to `spec`, or the addresses of resolvers");
    }
    if let (Some(node), None, None) = (anycast, region_names, countries) {
        let message = "`anycast` has no meaning without `regions` or `countries`";
        reader
            .report(Code::NeverMatches, node.span, message)
            .help("remove `anycast`");
    }
    // What could not be read is missing from the sets that are compared.
    if reader.diagnostics.errors() == errors {
        if let Some(except) = except {
            exceptions(reader, except, &peer);
        }
        impossible(reader, node.span, &peer);
    }
    Some(peer)
}

fn named_providers(
    reader: &mut Reader<'_>,
    node: &Node,
    catalogue: &Catalogue<'_>,
) -> Vec<Arc<Provider>> {
    let mut found = Vec::new();
    for item in reader.list(node, "`providers`") {
        let Some(provider) = provider(reader, item, "`providers`", catalogue.providers) else {
            continue;
        };
        if catalogue.require_dpa
            && let Some(notice) = provider.notice(catalogue.now)
        {
            reader
                .report(Code::AgreementValidity, item.span, notice)
                .help("write a `Provider` document of this name with its `dpa`");
        }
        found.push(provider);
    }
    found
}

pub(super) fn region_set(reader: &mut Reader<'_>, node: &Node, regions: &Regions) -> CountrySet {
    let mut set = CountrySet::default();
    for item in reader.list(node, "`regions`") {
        let Some(name) = reader.text(item, "`regions`") else {
            continue;
        };
        let Some(region) = regions.get(name) else {
            let message = format!("there is no region `{name}`");
            let diagnostic = reader.report(Code::UnknownRegion, item.span, message);
            if country::is_assigned(&name.to_uppercase()) {
                diagnostic.help(format!(
                    "did you mean `countries: [{}]`?",
                    name.to_uppercase()
                ));
            } else if let Some(name) = closest(name, regions.names()) {
                diagnostic.help(format!("did you mean `{name}`?"));
            } else {
                let names = regions.names().collect::<Vec<_>>().join(", ");
                diagnostic.help(format!("regions: {names}"));
            }
            continue;
        };
        for notice in region.notices(regions.today()) {
            reader.report(Code::RegionValidity, item.span, notice);
        }
        set.extend(&region.countries(regions.today()));
    }
    set
}

pub(super) fn country_set(reader: &mut Reader<'_>, node: &Node) -> CountrySet {
    each(reader, node, "`countries`", country::country)
        .into_iter()
        .collect()
}

pub(super) fn asns(reader: &mut Reader<'_>, node: &Node) -> Vec<Asn> {
    each(reader, node, "`asns`", asn)
}

fn each<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    read: fn(&mut Reader<'_>, &Node) -> Option<T>,
) -> Vec<T> {
    let items = reader.list(node, what);
    items.iter().filter_map(|item| read(reader, item)).collect()
}

fn asn(reader: &mut Reader<'_>, node: &Node) -> Option<Asn> {
    let text = reader.text(node, "`asns`")?;
    let digits = text
        .strip_prefix("AS")
        .or_else(|| text.strip_prefix("as"))
        .unwrap_or(text);
    let number = Some(digits)
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|&number| number != 0);
    if number.is_none() {
        let message = format!("`{text}` is not an AS number");
        reader
            .report(Code::InvalidAsn, node.span, message)
            .help("AS numbers are 1 to 4294967295: `13335` or `AS13335`");
    }
    number.map(Asn)
}

fn range(reader: &mut Reader<'_>, node: &Node) -> Option<SpecialRange> {
    let names = SpecialRange::ALL.map(|(range, name)| (name, range));
    let range = reader.choice(node, "`ranges`", &names)?;
    if range == SpecialRange::Loopback {
        let message = "no rule decides about `loopback`: it always passes";
        reader
            .report(Code::NeverMatches, node.span, message)
            .help("remove `loopback`");
    }
    Some(range)
}

/// Reports exceptions that take nothing away.
fn exceptions(reader: &mut Reader<'_>, node: &Node, peer: &Peer) {
    let Some(cidrs) = &peer.cidrs else {
        let message = "`except` has no `cidrs` to be an exception of";
        reader
            .report(Code::UselessExcept, node.span, message)
            .help("add `cidrs`, or write a rule for these networks before this one");
        return;
    };
    let Value::Sequence(items) = &node.value else {
        return;
    };
    for item in items {
        let Some(except) = cidr::quietly(item) else {
            continue;
        };
        if !cidrs.iter().any(|&cidr| overlap(cidr, except)) {
            let message = format!("`{except}` is in none of the `cidrs` of this peer");
            reader
                .report(Code::UselessExcept, item.span, message)
                .help("remove the exception, or correct the network");
        }
    }
}

fn overlap(one: Cidr, other: Cidr) -> bool {
    let ((first, last), (other_first, other_last)) = (one.bounds(), other.bounds());
    one.is_v4() == other.is_v4() && first <= other_last && other_first <= last
}

/// Reports a peer whose fields exclude each other: they are ANDed, which is easily forgotten.
fn impossible(reader: &mut Reader<'_>, span: Span, peer: &Peer) {
    if let Some(providers) = &peer.providers {
        return never_processed(reader, span, peer, providers);
    }
    let (places, why) = match (peer.regions, peer.countries) {
        (Some(regions), Some(countries)) => {
            let both = countries.iter().filter(|&one| regions.contains(one));
            (
                both.collect(),
                "no country is in its `regions` and in its `countries`",
            )
        }
        (Some(set), None) | (None, Some(set)) => (set, "its `regions` have no members today"),
        (None, None) => return,
    };
    let problem = if places == CountrySet::default() {
        why
    } else if peer.ranges.is_some() {
        "special-purpose ranges are in no country"
    } else {
        return;
    };
    let message = format!("no address matches this peer: {problem}");
    reader
        .report(Code::NeverMatches, span, message)
        .help("all fields of a peer must hold; to match either, write two peers");
}

/// The provider that a node names.
pub(super) fn provider(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    providers: &Providers,
) -> Option<Arc<Provider>> {
    let name = reader.text(node, what)?;
    let known = providers.get(name);
    if known.is_none() {
        let message = format!("there is no provider `{name}`");
        let diagnostic = reader.report(Code::UnknownProvider, node.span, message);
        if let Some(name) = closest(name, providers.names()) {
            diagnostic.help(format!("did you mean `{name}`?"));
        } else {
            let names = providers.names().collect::<Vec<_>>().join(", ");
            diagnostic.help(format!("providers: {names}"));
        }
    }
    known.cloned()
}

/// Reports a peer none of whose providers says that it processes inside the regions.
fn never_processed(reader: &mut Reader<'_>, span: Span, peer: &Peer, providers: &[Arc<Provider>]) {
    let within = |provider: &Arc<Provider>| {
        let mut endpoints = provider.endpoints.iter();
        endpoints.any(|endpoint| peer.admits_processing_at(endpoint))
    };
    if !providers.iter().any(within) {
        let message = "no endpoint of its `providers` is said to process only there";
        reader
            .report(
                Code::NeverMatches,
                span,
                format!("nothing matches this peer: {message}"),
            )
            .help(
                "`regions` and `countries` of a peer with `providers` are about where they process",
            );
    }
}
