use std::{fmt, sync::Arc};

/// Which host names a policy means: lower case, in their ASCII form (RFC 5890), without the final dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamePattern {
    /// `a.b.c`: this name.
    Exact(Arc<str>),
    /// `*.b.c`: every name with one or more labels below `b.c`, and not `b.c` itself.
    Below(Arc<str>),
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
        }
    }
}
