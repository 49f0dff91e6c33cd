use super::{Document, egress_policy::texts, endpoint, origin};
use crate::policy::{
    data_flow::{DataCategory, DataFlow},
    diagnostic::Diagnostics,
    place::Place,
    provider::Providers,
    read::Reader,
    source::Node,
};

/// Reads the `spec` of a `DataFlow`. What it returns is only right if it reported no error.
pub(in crate::policy) fn data_flow(
    document: &Document<'_>,
    providers: &Providers,
    diagnostics: &mut Diagnostics,
) -> Option<DataFlow> {
    let mut reader = Reader {
        source: document.source,
        diagnostics,
    };
    let mut fields = reader.fields(document.spec, "`spec`")?;
    let description = fields.take("description");
    let owner = reader.require(&mut fields, "owner");
    let purpose = reader.require(&mut fields, "purpose");
    let legal_basis = fields.take("legalBasis");
    let data_categories = reader.require(&mut fields, "dataCategories");
    let from = reader.require(&mut fields, "from");
    let to = reader.require(&mut fields, "to");
    reader.finish(fields);

    let mut text = |node: Option<&Node>, what| {
        node.and_then(|node| reader.text(node, what))
            .map_or_else(String::new, |text| text.trim_end().to_owned())
    };
    let description = text(description, "`description`");
    let owner = text(owner, "`owner`");
    let purpose = text(purpose, "`purpose`");
    let legal_basis = texts(&mut reader, legal_basis, "`legalBasis`");
    let data_categories = data_categories.map_or_else(Vec::new, |node| {
        let what = "`dataCategories`";
        let items = reader.list(node, what).iter();
        items
            .filter_map(|item| {
                let name = reader.text(item, what)?.to_owned();
                let at = reader.place(item.span);
                Some(DataCategory { name, at })
            })
            .collect()
    });
    let origin = from.and_then(|node| origin::origin(&mut reader, node));
    let to = to.map_or_else(Vec::new, |node| {
        let items = reader.list(node, "`to`").iter();
        items
            .filter_map(|item| endpoint::endpoint(&mut reader, item, providers))
            .collect()
    });
    Some(DataFlow {
        name: document.name.as_str().into(),
        at: reader.place(document.name_span),
        description,
        owner,
        purpose,
        legal_basis,
        data_categories,
        from_at: reader.place(from?.span),
        from: origin?,
        to,
    })
}

impl Reader<'_> {
    pub(super) fn place(&self, span: crate::policy::source::Span) -> Place {
        Place {
            source: self.source.clone(),
            span,
        }
    }
}
