//! Which cgroups a pattern selects.

use super::model::Selector;

impl Selector {
    /// Whether it selects the cgroup of this path below the cgroup2 mount, such as `/llm/vllm`.
    ///
    /// Descendants of a selected cgroup belong to it by descent, not by pattern: `/llm` does not
    /// match `/llm/vllm`.
    #[must_use]
    pub fn matches_cgroup(&self, path: &str) -> bool {
        match self {
            Self::Exec | Self::Pods(_) => false,
            Self::SystemdUnit(pattern) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                matches_component(pattern, name)
            }
            Self::Cgroup(pattern) => wildcard(
                &components(pattern),
                &components(path),
                |&part| part == "**",
                |part, component| matches_component(part, component),
            ),
        }
    }

    /// Whether it is a pattern of paths that can match below this one.
    #[must_use]
    pub fn may_match_below(&self, path: &str) -> bool {
        let Self::Cgroup(pattern) = self else {
            return false;
        };
        let mut parts = components(pattern).into_iter();
        for component in components(path) {
            match parts.next() {
                Some("**") => return true,
                Some(part) if matches_component(part, component) => {}
                Some(_) | None => return false,
            }
        }
        parts.next().is_some()
    }
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

pub(super) fn matches_component(pattern: &str, component: &str) -> bool {
    wildcard(
        pattern.as_bytes(),
        component.as_bytes(),
        |&byte| byte == b'*',
        |one, other| one == other,
    )
}

/// Matches a pattern whose stars stand for any number of elements, in time `pattern * text`: only
/// the last star ever needs another try.
fn wildcard<T>(
    pattern: &[T],
    text: &[T],
    is_star: impl Fn(&T) -> bool,
    equal: impl Fn(&T, &T) -> bool,
) -> bool {
    let (mut at, mut position) = (0, 0);
    let mut star = None;
    while position < text.len() {
        match pattern.get(at) {
            Some(part) if is_star(part) => {
                star = Some((at, position));
                at += 1;
            }
            Some(part) if equal(part, &text[position]) => {
                at += 1;
                position += 1;
            }
            Some(_) | None => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                position = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(is_star)
}

#[cfg(test)]
mod tests {
    use super::Selector;

    #[test]
    fn patterns_select_paths() {
        let cases = [
            ("/llm", "/llm", true),
            ("/llm", "/llm/", true),
            ("/llm", "/llm/vllm", false),
            ("/llm", "/llmx", false),
            ("/llm/**", "/llm", true),
            ("/llm/**", "/llm/vllm/worker", true),
            ("/llm/**", "/llmx/vllm", false),
            ("/llm/*", "/llm", false),
            ("/llm/*", "/llm/vllm", true),
            ("/llm/*", "/llm/vllm/worker", false),
            ("/**/vllm", "/vllm", true),
            ("/**/vllm", "/a/b/vllm", true),
            ("/**/vllm", "/a/b/vllm/c", false),
            ("/**/a/**/b", "/x/a/y/a/z/b", true),
            ("/**/a/**/b", "/x/b/a", false),
            (
                "/system.slice/vllm@*.service",
                "/system.slice/vllm@70b.service",
                true,
            ),
            (
                "/system.slice/vllm@*.service",
                "/system.slice/vllm@70b.service.d",
                false,
            ),
            ("/a*b*c", "/abxbc", true),
            ("/a*b*c", "/abxb", false),
            ("/", "/", true),
            ("/", "/llm", false),
            ("/**", "/", true),
            ("/**", "/any/thing", true),
        ];
        for (pattern, path, expected) in cases {
            let selector = Selector::Cgroup(pattern.to_owned());
            assert_eq!(selector.matches_cgroup(path), expected, "{pattern} {path}");
        }
        assert!(!Selector::Exec.matches_cgroup("/llm"));
    }

    #[test]
    fn units_are_selected_by_name_wherever_they_are() {
        let unit = Selector::SystemdUnit("vllm@*.service".to_owned());
        for (path, expected) in [
            ("/system.slice/vllm@70b.service", true),
            ("/system.slice/system-vllm.slice/vllm@70b.service", true),
            (
                "/user.slice/user@1000.service/app.slice/vllm@1.service",
                true,
            ),
            ("/system.slice/vllm@70b.service/worker", false),
            ("/system.slice/vllm.service", false),
            ("/", false),
        ] {
            assert_eq!(unit.matches_cgroup(path), expected, "{path}");
        }
    }

    #[test]
    fn patterns_reach_below_paths() {
        for (pattern, path, expected) in [
            ("/llm/**", "/llm", true),
            ("/llm/*/worker", "/llm/vllm", true),
            ("/llm/*/worker", "/llm/vllm/worker", false),
            ("/llm", "/", true),
            ("/llm", "/llm", false),
            ("/llm/**", "/web", false),
            ("/**/llm", "/web/front", true),
        ] {
            let selector = Selector::Cgroup(pattern.to_owned());
            assert_eq!(selector.may_match_below(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let selector = Selector::Cgroup("/**/a".repeat(200) + "/b");
        assert!(!selector.matches_cgroup(&"/a".repeat(5000)));
    }
}
