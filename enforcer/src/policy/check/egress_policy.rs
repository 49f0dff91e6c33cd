use enforcer_common::abi::SocketTag;

use super::{Document, dns, lint, rule, selector, tag};
use crate::policy::{
    Minute,
    diagnostic::Diagnostics,
    model::{Action, Mode, Policy, PolicyName, Replies},
    provider::Providers,
    read::Reader,
    region::Regions,
    source::Node,
};

pub(super) const ACTIONS: [(&str, Action); 2] = [("allow", Action::Allow), ("deny", Action::Deny)];
const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("audit", Mode::Audit)];
const REPLIES: [(&str, Replies); 2] = [("allow", Replies::Allow), ("judge", Replies::Judge)];

const REQUIRE_DPA: [(&str, bool); 2] = [("true", true), ("false", false)];

/// The host routes and filters by marks: a namespace that could choose them would choose its way out.
const NO_TAG: &str = "remove it: what sockets carry is for an `EgressPolicy` to say";

/// What peers can name, and what the policy around them says of that.
pub(super) struct Catalogue<'a> {
    pub(super) regions: &'a Regions,
    pub(super) providers: &'a Providers,
    pub(super) now: Minute,
    pub(super) has_resolvers: bool,
    pub(super) require_dpa: bool,
}

/// Reads the `spec` of a policy of the cluster or of a namespace. What it returns is only right if it
/// reported no error.
pub(in crate::policy) fn egress_policy(
    document: &Document<'_>,
    regions: &Regions,
    providers: &Providers,
    now: Minute,
    diagnostics: &mut Diagnostics,
) -> Option<Policy> {
    let errors = diagnostics.errors();
    let source = document.source;
    let mut reader = Reader {
        source,
        diagnostics,
    };
    let mut fields = reader.fields(document.spec, "`spec`")?;
    let description = fields.take("description");
    let selector = reader.require(&mut fields, "selector");
    let mode = fields.take("mode");
    let data_categories = fields.take("dataCategories");
    let legal_basis = fields.take("legalBasis");
    let default = fields.take("default");
    let replies = fields.take("replies");
    let rules = fields.take("rules");
    let dns = fields.take("dns");
    let require_dpa = fields.take("requireDpa");
    let namespace = document.name.namespace();
    let tag = match namespace {
        None => fields.take("tag"),
        Some(_) => {
            reader.refuse(&mut fields, "tag", NO_TAG);
            None
        }
    };
    reader.finish(fields);
    let require_dpa = require_dpa
        .and_then(|node| reader.choice(node, "`requireDpa`", &REQUIRE_DPA))
        .unwrap_or(false);
    let catalogue = Catalogue {
        regions,
        providers,
        now,
        has_resolvers: dns.is_some(),
        require_dpa,
    };

    let default_at = default.unwrap_or(document.spec).span.start;
    let rules = rules.map_or_else(Vec::new, |node| rule::rules(&mut reader, node, &catalogue));
    let mut policy = Policy {
        name: PolicyName(document.name.as_str().into()),
        at: source.position(document.name_span.start),
        description: description
            .and_then(|node| reader.text(node, "`description`"))
            .map_or_else(String::new, |text| text.trim_end().to_owned()),
        selectors: selector.map_or_else(Vec::new, |node| {
            selector::selectors(&mut reader, node, namespace)
        }),
        mode: mode
            .and_then(|node| reader.choice(node, "`mode`", &MODES))
            .unwrap_or_default(),
        data_categories: texts(&mut reader, data_categories, "`dataCategories`"),
        legal_basis: texts(&mut reader, legal_basis, "`legalBasis`"),
        default: default
            .and_then(|node| reader.choice(node, "`default`", &ACTIONS))
            .unwrap_or(Action::Deny),
        default_at: source.position(default_at),
        replies: replies
            .and_then(|node| reader.choice(node, "`replies`", &REPLIES))
            .unwrap_or_default(),
        tag: tag.map_or(SocketTag::NONE, |node| tag::tag(&mut reader, node)),
        dns: dns.and_then(|node| dns::dns(&mut reader, node)),
        require_dpa,
        rules: Vec::new(),
    };
    // A rule with a peer that could not be read looks wider than it is.
    if reader.diagnostics.errors() == errors {
        lint::rules(&mut reader, &rules);
    }
    policy.rules = rules.into_iter().map(|read| read.rule).collect();
    Some(policy)
}

pub(super) fn texts(
    reader: &mut Reader<'_>,
    node: Option<&Node>,
    what: &'static str,
) -> Vec<String> {
    let Some(node) = node else {
        return Vec::new();
    };
    let items = reader.list(node, what);
    let texts = items.iter().filter_map(|item| reader.text(item, what));
    texts.map(str::to_owned).collect()
}
