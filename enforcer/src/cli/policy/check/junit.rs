//! JUnit XML: a suite for each file, a failed case for each finding that fails the check.

use std::{io::Write, path::Path};

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::report::Outcome;
use crate::policy::Diagnostic;

pub(super) fn write(outcome: &Outcome, out: &mut impl Write) -> anyhow::Result<()> {
    let mut report = Report::new("enforcer policy check");
    for file in outcome.findings.files() {
        report.add_test_suite(suite(outcome, file));
    }
    // Files and directories that could not be read at all.
    for finding in &outcome.findings {
        let file = finding.position().file;
        let name = file.display().to_string();
        let is_listed = report
            .test_suites
            .iter()
            .any(|suite| suite.name.as_str() == name);
        if !is_listed {
            report.add_test_suite(suite(outcome, &file));
        }
    }
    report.serialize(&mut *out)?;
    Ok(())
}

fn suite(outcome: &Outcome, file: &Path) -> TestSuite {
    let name = file.display().to_string();
    let mut suite = TestSuite::new(&name);
    let of_file = |finding: &&Diagnostic| *finding.position().file == *file;
    let mut failed = false;
    for finding in outcome.findings.iter().filter(of_file) {
        failed |= outcome.fails(finding);
        suite.add_test_case(case(outcome, finding, &name));
    }
    if !failed {
        let mut case = TestCase::new("no findings that fail the check", TestCaseStatus::success());
        case.set_classname(&name);
        suite.add_test_case(case);
    }
    suite
}

fn case(outcome: &Outcome, finding: &Diagnostic, file: &str) -> TestCase {
    let position = finding.position();
    let code = finding.code().as_str();
    let name = format!("{code} at {}:{}", position.line, position.column);
    let mut case = if outcome.fails(finding) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_type(code)
            .set_message(finding.message())
            .set_description(finding.rendered());
        TestCase::new(name, status)
    } else {
        let mut case = TestCase::new(name, TestCaseStatus::success());
        case.set_system_out(finding.rendered());
        case
    };
    case.set_classname(file);
    case
}
