//! Parts of the cgroup tree.

use std::collections::BTreeSet;

use super::cgroup2::{CgroupPath, upwards};

/// Which cgroups are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every one in scope.
    All,
    /// Some of them.
    Part {
        /// These and all below them.
        trees: BTreeSet<CgroupPath>,
        /// These alone.
        alone: BTreeSet<CgroupPath>,
    },
}

impl Extent {
    /// None.
    #[must_use]
    pub fn nothing() -> Self {
        Self::trees([])
    }

    /// Some with all below them.
    #[must_use]
    pub fn trees(trees: impl IntoIterator<Item = CgroupPath>) -> Self {
        Self::Part {
            trees: trees.into_iter().collect(),
            alone: BTreeSet::new(),
        }
    }

    /// Those of another extent too.
    pub fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (
                Self::Part { trees, alone },
                Self::Part {
                    trees: more_trees,
                    alone: more_alone,
                },
            ) => {
                trees.extend(more_trees);
                alone.extend(more_alone);
            }
        }
    }

    /// Whether a cgroup is one of them.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Part { trees, alone } => {
                alone.contains(path) || upwards(path).any(|above| trees.contains(above))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_add_up() {
        let part = |trees: &[&str], alone: &[&str]| Extent::Part {
            trees: trees.iter().map(|&it| it.to_owned()).collect(),
            alone: alone.iter().map(|&it| it.to_owned()).collect(),
        };
        let mut sum = part(&["/a"], &["/b"]);
        sum.add(part(&["/c"], &["/b", "/d"]));
        assert_eq!(sum, part(&["/a", "/c"], &["/b", "/d"]));
        sum.add(Extent::All);
        assert_eq!(sum, Extent::All);
        sum.add(Extent::nothing());
        assert_eq!(sum, Extent::All);
    }

    #[test]
    fn a_tree_has_what_is_below_it() {
        let part = Extent::Part {
            trees: BTreeSet::from(["/a/b".to_owned()]),
            alone: BTreeSet::from(["/c".to_owned()]),
        };
        for (path, is_one) in [
            ("/a/b", true),
            ("/a/b/c/d", true),
            ("/a", false),
            ("/a/bc", false),
            ("/c", true),
            ("/c/d", false),
        ] {
            assert_eq!(part.has(path), is_one, "{path}");
        }
        assert!(Extent::All.has("/anything"));
        assert!(!Extent::nothing().has("/anything"));
    }
}
