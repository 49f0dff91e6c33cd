use std::{fmt, sync::Arc};

/// What a document is called: `NAME`, or `NAMESPACE/NAME` where its kind belongs to a namespace. Both
/// parts are RFC 1123 labels, so that no two documents of a kind read alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentName(Arc<str>);

impl DocumentName {
    /// The name of a document, in a namespace or in none.
    #[must_use]
    pub fn new(namespace: Option<&str>, name: &str) -> Self {
        match namespace {
            Some(namespace) => Self(format!("{namespace}/{name}").into()),
            None => Self(name.into()),
        }
    }

    /// `metadata.namespace`.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.split_once('/').map(|(namespace, _)| namespace)
    }

    /// `metadata.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// Both: `NAME` or `NAMESPACE/NAME`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for DocumentName {
    /// Of both as they are written together.
    fn from(both: &str) -> Self {
        Self(both.into())
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::DocumentName;

    #[test]
    fn both_parts_are_told_apart() {
        let cluster = DocumentName::from("sovereign");
        assert_eq!((cluster.namespace(), cluster.name()), (None, "sovereign"));
        let of_llm = DocumentName::new(Some("llm"), "sovereign");
        assert_eq!(
            (of_llm.namespace(), of_llm.name()),
            (Some("llm"), "sovereign")
        );
        assert_eq!(of_llm, DocumentName::from("llm/sovereign"));
        assert_ne!(of_llm, cluster);
    }
}
