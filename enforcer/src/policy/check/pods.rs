use crate::policy::{
    diagnostic::Code,
    pods::{LabelCondition, LabelTest, PodSelector},
    read::Reader,
    source::{Node, Value},
};

const WHAT: &str = "`pods`";
const NAMESPACES: &str = "`namespaces`";

#[derive(Clone, Copy)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

const OPERATORS: [(&str, Operator); 4] = [
    ("In", Operator::In),
    ("NotIn", Operator::NotIn),
    ("Exists", Operator::Exists),
    ("DoesNotExist", Operator::DoesNotExist),
];

/// Reads `pods`. `None` when it says nothing that could be meant.
pub(super) fn pods(reader: &mut Reader<'_>, node: &Node) -> Option<PodSelector> {
    if matches!(&node.value, Value::Mapping(entries) if entries.is_empty()) {
        let message = format!("{WHAT} says nothing");
        reader
            .report(Code::MissingField, node.span, message)
            .help("write `namespaces: [...]`, `matchLabels` or `matchExpressions`");
        return None;
    }
    let (namespaces, labels) = fields(reader, node)?;
    Some(PodSelector {
        namespaces: namespaces.map_or_else(Vec::new, |node| texts(reader, node, NAMESPACES)),
        labels,
    })
}

/// Reads `pods` where they are those of one namespace, whether it is named or not.
pub(super) fn pods_within(
    reader: &mut Reader<'_>,
    node: &Node,
    namespace: &str,
) -> Option<PodSelector> {
    let (namespaces, labels) = fields(reader, node)?;
    let named = namespaces.map_or(&[][..], |node| reader.list(node, NAMESPACES));
    for item in named {
        let Some(named) = reader.text(item, NAMESPACES) else {
            continue;
        };
        if named != namespace {
            let message = format!("a policy of the namespace `{namespace}` selects its pods alone");
            reader
                .report(Code::OtherNamespace, item.span, message)
                .help(format!("write `{namespace}`, or leave `namespaces` out"));
        }
    }
    Some(PodSelector {
        namespaces: vec![namespace.to_owned()],
        labels,
    })
}

/// `namespaces`, and what the other fields say of labels.
fn fields<'n>(
    reader: &mut Reader<'_>,
    node: &'n Node,
) -> Option<(Option<&'n Node>, Vec<LabelCondition>)> {
    let mut fields = reader.fields(node, WHAT)?;
    let namespaces = fields.take("namespaces");
    let labels = fields.take("matchLabels");
    let expressions = fields.take("matchExpressions");
    reader.finish(fields);
    let mut conditions = Vec::new();
    if let Some(node) = labels {
        match_labels(reader, node, &mut conditions);
    }
    if let Some(node) = expressions {
        for item in reader.list(node, "`matchExpressions`") {
            conditions.extend(expression(reader, item));
        }
    }
    Some((namespaces, conditions))
}

fn match_labels(reader: &mut Reader<'_>, node: &Node, conditions: &mut Vec<LabelCondition>) {
    const LABELS: &str = "`matchLabels`";
    let Value::Mapping(entries) = &node.value else {
        reader
            .report(
                Code::WrongType,
                node.span,
                format!("{LABELS} must be a mapping"),
            )
            .help("write `{app: vllm}`");
        return;
    };
    if entries.is_empty() {
        reader
            .report(Code::EmptyList, node.span, format!("{LABELS} is empty"))
            .help("name at least one, or remove the field");
    }
    for entry in entries {
        if let Some(value) = reader.text(&entry.value, "a label") {
            conditions.push(LabelCondition {
                key: entry.key.clone(),
                test: LabelTest::In(vec![value.to_owned()]),
            });
        }
    }
}

fn expression(reader: &mut Reader<'_>, node: &Node) -> Option<LabelCondition> {
    let mut fields = reader.fields(node, "an element of `matchExpressions`")?;
    let key = reader.require(&mut fields, "key");
    let operator = reader.require(&mut fields, "operator");
    let values = fields.take("values");
    reader.finish(fields);
    let key = reader.text(key?, "`key`")?.to_owned();
    let operator = reader.choice(operator?, "`operator`", &OPERATORS)?;
    let test = match (operator, values) {
        (Operator::In, Some(values)) => LabelTest::In(texts(reader, values, "`values`")),
        (Operator::NotIn, Some(values)) => LabelTest::NotIn(texts(reader, values, "`values`")),
        (Operator::In | Operator::NotIn, None) => {
            let message = "`In` and `NotIn` need `values`";
            reader
                .report(Code::MissingField, node.span, message)
                .help("add `values: [...]`");
            return None;
        }
        (Operator::Exists, None) => LabelTest::Exists,
        (Operator::DoesNotExist, None) => LabelTest::DoesNotExist,
        (Operator::Exists | Operator::DoesNotExist, Some(values)) => {
            let message = "`Exists` and `DoesNotExist` take no `values`";
            reader
                .report(Code::UnknownField, values.span, message)
                .help("remove `values`");
            return None;
        }
    };
    Some(LabelCondition { key, test })
}

fn texts(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let items = reader.list(node, what);
    let texts = items.iter().filter_map(|item| reader.text(item, what));
    texts.map(str::to_owned).collect()
}
