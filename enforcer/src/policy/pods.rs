//! Which pods a selector selects.

use std::collections::BTreeMap;

use super::cgroup::matches_component;

/// `pods`: every given field must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodSelector {
    /// Globs over the namespace, `*` within it; any of them suffices. Empty: every namespace.
    pub namespaces: Vec<String>,
    /// Conditions on labels: `matchLabels` and `matchExpressions` together.
    pub labels: Vec<LabelCondition>,
}

/// A condition on one label, as in label selectors of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCondition {
    /// The label.
    pub key: String,
    /// What must hold of its value.
    pub test: LabelTest,
}

/// What must hold of the value of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelTest {
    /// It is one of these.
    In(Vec<String>),
    /// It is absent, or none of these.
    NotIn(Vec<String>),
    /// It is there.
    Exists,
    /// It is absent.
    DoesNotExist,
}

impl PodSelector {
    /// Whether it selects a pod of this namespace with these labels.
    #[must_use]
    pub fn matches(&self, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
        let in_namespace = self.namespaces.is_empty()
            || self
                .namespaces
                .iter()
                .any(|pattern| matches_component(pattern, namespace));
        in_namespace
            && self
                .labels
                .iter()
                .all(|condition| condition.test.holds(labels.get(&condition.key)))
    }
}

impl LabelTest {
    fn holds(&self, value: Option<&String>) -> bool {
        match self {
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_must_match() {
        let labels = BTreeMap::from([("app".to_owned(), "vllm".to_owned())]);
        let condition = |key: &str, test| LabelCondition {
            key: key.to_owned(),
            test,
        };
        let values = |value: &str| vec![value.to_owned()];
        let selector = |namespace: &str, labels| PodSelector {
            namespaces: values(namespace),
            labels,
        };
        for (test, expected) in [
            (LabelTest::In(values("vllm")), true),
            (LabelTest::In(values("web")), false),
            (LabelTest::NotIn(values("vllm")), false),
            (LabelTest::NotIn(values("web")), true),
            (LabelTest::Exists, true),
            (LabelTest::DoesNotExist, false),
        ] {
            let of_app = selector("llm-*", vec![condition("app", test)]);
            assert_eq!(of_app.matches("llm-eu", &labels), expected, "{of_app:?}");
            assert!(!of_app.matches("web", &labels), "{of_app:?}");
        }
        let absent = |test| PodSelector {
            namespaces: vec![],
            labels: vec![condition("tier", test)],
        };
        assert!(absent(LabelTest::NotIn(values("x"))).matches("any", &labels));
        assert!(absent(LabelTest::DoesNotExist).matches("any", &labels));
        assert!(!absent(LabelTest::Exists).matches("any", &labels));
        assert!(!absent(LabelTest::In(values("x"))).matches("any", &labels));
    }
}
