use std::sync::Arc;

use super::{Document, country, date::date};
use crate::policy::{
    diagnostic::{Code, Diagnostics},
    read::Reader,
    region::{Member, Region},
    source::Node,
};

/// Reads the `spec` of a `Region`. What it returns is only right if it reported no error.
pub(in crate::policy) fn region(
    document: &Document<'_>,
    built_in: bool,
    diagnostics: &mut Diagnostics,
) -> Option<Region> {
    let source = document.source;
    let mut reader = Reader {
        source,
        diagnostics,
    };
    let mut fields = reader.fields(document.spec, "`spec`")?;
    let description = fields.take("description");
    let members = reader.require(&mut fields, "members");
    reader.finish(fields);
    let mut region = Region {
        name: document.name.as_str().into(),
        at: source.position(document.name_span.start),
        description: description
            .and_then(|node| reader.text(node, "`description`"))
            .map_or_else(String::new, |text| text.trim_end().to_owned()),
        built_in,
        members: Vec::new(),
    };
    if let Some(members) = members {
        for item in reader.list(members, "`members`") {
            group(&mut reader, item, &mut region.members);
        }
    }
    Some(region)
}

/// Reads one element of `members`: countries that rest on the same source.
fn group(reader: &mut Reader<'_>, node: &Node, members: &mut Vec<Member>) {
    let Some(mut fields) = reader.fields(node, "an element of `members`") else {
        return;
    };
    let countries = reader.require(&mut fields, "countries");
    let source = fields.take("source");
    let condition = fields.take("condition");
    let valid_from = fields.take("validFrom");
    let valid_until = fields.take("validUntil");
    let checked = fields.take("checked");
    reader.finish(fields);

    let mut text = |node: Option<&Node>, what| -> Option<Arc<str>> {
        node.and_then(|node| reader.text(node, what)).map(Arc::from)
    };
    let source = text(source, "`source`");
    let condition = text(condition, "`condition`");
    let from = valid_from.and_then(|node| date(reader, node, "`validFrom`"));
    let until = valid_until.and_then(|node| date(reader, node, "`validUntil`"));
    let checked = checked.and_then(|node| date(reader, node, "`checked`"));
    if let (Some(from), Some(until), Some(node)) = (from, until, valid_until)
        && until < from
    {
        let message = format!("`validUntil` is before `validFrom`, {from}");
        reader.report(Code::InvalidDate, node.span, message);
    }
    let Some(countries) = countries else {
        return;
    };
    for item in reader.list(countries, "`countries`") {
        let Some(country) = country::country(reader, item) else {
            continue;
        };
        members.push(Member {
            country,
            source: source.clone(),
            condition: condition.clone(),
            valid_from: from,
            valid_until: until,
            checked,
        });
    }
}
