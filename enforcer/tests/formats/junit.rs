use roxmltree::{Document, Node};

use super::{LOADING, MIXED, check, findings};

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name)
        .unwrap_or_else(|| panic!("<{}> has no {name}", node.tag_name().name()))
}

fn number(node: Node<'_, '_>, name: &str) -> usize {
    attribute(node, name).parse().expect("a number")
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Vec<Node<'a, 'i>> {
    let children = node.children();
    children.filter(|child| child.has_tag_name(name)).collect()
}

#[test]
fn every_finding_is_a_case_of_the_suite_of_its_file() {
    for paths in [&MIXED[..], &LOADING[..]] {
        let output = check(&[paths, &["--format", "junit"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8(output.stdout).expect("text");
        let report = Document::parse(&text).expect("XML");
        let json = super::json(paths);
        let root = report.root_element();
        assert!(root.has_tag_name("testsuites"));
        let suites = children(root, "testsuite");
        let mut failures = 0;
        let mut cases = 0;
        for suite in &suites {
            let file = attribute(*suite, "name");
            let mut expected = findings(&json).iter().filter(|one| one["file"] == file);
            let own = children(*suite, "testcase");
            assert_eq!(number(*suite, "tests"), own.len());
            let failed = own.iter().flat_map(|case| children(*case, "failure"));
            assert_eq!(number(*suite, "failures"), failed.count(), "{file}");
            for case in &own {
                assert_eq!(attribute(*case, "classname"), file);
                if attribute(*case, "name") == "no findings that fail the check" {
                    continue;
                }
                let finding = expected.next().expect("a finding for each case");
                let name = format!(
                    "{} at {}:{}",
                    finding["code"].as_str().expect("text"),
                    finding["line"],
                    finding["column"]
                );
                assert_eq!(attribute(*case, "name"), name);
                for failure in children(*case, "failure") {
                    assert_eq!(attribute(failure, "type"), finding["code"]);
                }
            }
            assert_eq!(expected.count(), 0, "a case for each finding of {file}");
            failures += number(*suite, "failures");
            cases += own.len();
        }
        assert_eq!(number(root, "failures"), failures);
        assert_eq!(number(root, "tests"), cases);
        assert!(failures > 0);
        let mut names: Vec<&str> = suites
            .iter()
            .map(|suite| attribute(*suite, "name"))
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a suite for each file");
        assert!(names.contains(&"policies/sovereign-llm.yaml"));
    }
}

#[test]
fn warnings_fail_only_where_they_count() {
    let doubtful = "enforcer/tests/policies/doubtful/unreachable.yaml";
    let failures = |words: &[&str]| {
        let output = check(&[&[doubtful, "--format", "junit"], words].concat());
        let text = String::from_utf8(output.stdout).expect("text");
        let report = Document::parse(&text).expect("XML");
        let out = report
            .descendants()
            .filter(|node| node.has_tag_name("system-out"));
        (number(report.root_element(), "failures"), out.count())
    };
    let (lenient, said) = failures(&[]);
    let (strict, _) = failures(&["--strict"]);
    assert_eq!(lenient, 0);
    assert_eq!(said, strict);
    assert!(strict > 0);
}
