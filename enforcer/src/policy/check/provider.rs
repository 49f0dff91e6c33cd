use std::sync::Arc;

use super::{Document, cidr, date, host, peer};
use crate::{
    geo::CountrySet,
    policy::{
        diagnostic::{Code, Diagnostics},
        provider::{Agreement, AgreementStatus, Endpoint, Provider},
        read::Reader,
        region::Regions,
        source::Node,
    },
};

const STATUSES: [(&str, AgreementStatus); 3] = [
    ("signed", AgreementStatus::Signed),
    ("pending", AgreementStatus::Pending),
    ("terminated", AgreementStatus::Terminated),
];

/// Reads the `spec` of a `Provider`. What it returns is only right if it reported no error.
pub(in crate::policy) fn provider(
    document: &Document<'_>,
    built_in: bool,
    regions: &Regions,
    diagnostics: &mut Diagnostics,
) -> Option<Provider> {
    let source = document.source;
    let mut reader = Reader {
        source,
        diagnostics,
    };
    let mut fields = reader.fields(document.spec, "`spec`")?;
    let description = fields.take("description");
    let endpoints = fields.take("endpoints");
    let dpa = fields.take("dpa");
    reader.finish(fields);
    if endpoints.is_none() && dpa.is_none() {
        reader
            .report(
                Code::MissingField,
                document.spec.span,
                "`spec` has neither `endpoints` nor `dpa`",
            )
            .help("name the endpoints of the provider, or the agreement with a built-in one");
    }
    let mut provider = Provider {
        name: document.name.as_str().into(),
        at: source.position(document.name_span.start),
        description: description
            .and_then(|node| reader.text(node, "`description`"))
            .map_or_else(String::new, |text| text.trim_end().to_owned()),
        built_in,
        endpoints: Vec::new(),
        agreement: dpa.and_then(|node| agreement(&mut reader, node)),
    };
    if let Some(endpoints) = endpoints {
        for item in reader.list(endpoints, "`endpoints`") {
            provider
                .endpoints
                .extend(endpoint(&mut reader, item, regions));
        }
    }
    Some(provider)
}

fn endpoint(reader: &mut Reader<'_>, node: &Node, regions: &Regions) -> Option<Endpoint> {
    let mut fields = reader.fields(node, "an element of `endpoints`")?;
    let hosts = fields.take("hosts");
    let cidrs = fields.take("cidrs");
    let asns = fields.take("asns");
    let processing = fields.take("processing");
    let residency = fields.take("residency");
    let source = fields.take("source");
    let checked = fields.take("checked");
    reader.finish(fields);
    if [hosts, cidrs, asns].iter().all(Option::is_none) {
        reader
            .report(
                Code::MissingField,
                node.span,
                "an endpoint names no addresses",
            )
            .help("add `hosts`, `cidrs` or `asns`");
    }
    let mut text = |node: Option<&Node>, what| -> Option<Arc<str>> {
        node.and_then(|node| reader.text(node, what)).map(Arc::from)
    };
    let residency = text(residency, "`residency`");
    let source = text(source, "`source`");
    Some(Endpoint {
        hosts: hosts.map_or_else(Vec::new, |node| host::hosts(reader, node, "`hosts`")),
        cidrs: cidrs.map_or_else(Vec::new, |node| cidr::cidrs(reader, node, "`cidrs`")),
        asns: asns.map_or_else(Vec::new, |node| peer::asns(reader, node)),
        processing: processing.and_then(|node| places(reader, node, regions)),
        residency,
        source,
        checked: checked.and_then(|node| date::date(reader, node, "`checked`")),
    })
}

/// Reads `processing`: the union of regions and countries.
fn places(reader: &mut Reader<'_>, node: &Node, regions: &Regions) -> Option<CountrySet> {
    let mut fields = reader.fields(node, "`processing`")?;
    let region_names = fields.take("regions");
    let countries = fields.take("countries");
    reader.finish(fields);
    if region_names.is_none() && countries.is_none() {
        reader
            .report(
                Code::MissingField,
                node.span,
                "`processing` names no countries",
            )
            .help(
                "add `regions` or `countries`, or remove the field where the provider does not say",
            );
    }
    let mut places = CountrySet::default();
    if let Some(node) = region_names {
        places.extend(&peer::region_set(reader, node, regions));
    }
    if let Some(node) = countries {
        places.extend(&peer::country_set(reader, node));
    }
    Some(places)
}

fn agreement(reader: &mut Reader<'_>, node: &Node) -> Option<Agreement> {
    let mut fields = reader.fields(node, "`dpa`")?;
    let status = reader.require(&mut fields, "status");
    let reference = fields.take("reference");
    let expires = fields.take("expires");
    reader.finish(fields);
    let status = status.and_then(|node| reader.choice(node, "`status`", &STATUSES));
    let reference = reference.and_then(|node| reader.text(node, "`reference`"));
    Some(Agreement {
        status: status.unwrap_or(AgreementStatus::Pending),
        reference: reference.map(Arc::from),
        expires: expires.and_then(|node| date::end(reader, node, "`expires`")),
    })
}
