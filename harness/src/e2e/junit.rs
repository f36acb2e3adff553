//! A report as JUnit XML, as CI servers read it.

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::report::{Report, Tried, failure};

/// # Errors
/// A text cannot be written as XML.
pub fn junit(report: &Report) -> anyhow::Result<String> {
    let mut suite = TestSuite::new(format!("{} on {}", report.topic, report.gateway));
    suite.set_time(report.took);
    suite.add_test_cases(report.cases.iter().map(|case| test_case(case, report)));
    let mut document = Document::new("harness e2e");
    document.set_time(report.took);
    document.add_test_suite(suite);
    document.to_string().context("JUnit XML")
}

fn test_case(case: &Tried, report: &Report) -> TestCase {
    let mut status = TestCaseStatus::success();
    if !case.wrong.is_empty() {
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(case.wrong.join("; ")).set_description(failure(case, &report.suite));
    }
    let mut test_case = TestCase::new(&case.name, status);
    test_case.set_classname(format!("{}:{}", report.suite, case.line)).set_time(case.took);
    test_case
}
