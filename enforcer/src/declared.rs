//! Declared flows against policies and databases, by the decision that the kernel makes.
//!
//! ```text
//! DataFlow ─▶ origin ─▶ class ──────────────────┐
//!      └────▶ endpoint ─▶ pieces x ports ─▶ decide ─▶ findings
//! ```
//!
//! An endpoint may be a whole network. It is cut where anything that a decision looks at changes,
//! so one address of each piece speaks for all of it and nothing is sampled.

mod endpoint;
mod name;
mod origin;
mod pieces;
mod refusal;
mod wording;

use enforcer_common::abi::ClassId;

use self::{endpoint::Judge, origin::Selected};
use crate::{
    compile::{Atlas, CompileError, Image, Input, compile},
    geo::GeoSet,
    policy::{Code, DataFlow, Diagnostic, Diagnostics, Loaded, Minute, Policy},
};

/// What the declared flows of `loaded` and its policies say against each other.
///
/// # Errors
/// The policies are more than an image can hold.
pub fn findings(loaded: &Loaded, geo: &GeoSet, now: Minute) -> Result<Diagnostics, CompileError> {
    let policies = &loaded.policies;
    let selected: Vec<Selected> = loaded
        .flows
        .iter()
        .map(|flow| origin::selected(policies, &flow.from))
        .collect();
    let classes = classes(&selected);
    let input = Input {
        now,
        ..Input::of(policies, &classes, geo)
    };
    let (image, atlas) = (compile(&input)?, Atlas::of(&input)?);
    let mut findings = Diagnostics::default();
    for (flow, selected) in loaded.flows.iter().zip(&selected) {
        match selected {
            Selected::Unknown(why) => {
                let message = format!("flow `{}` is not judged: {why}", flow.name);
                findings.push(
                    Diagnostic::new(Code::FlowNotJudged, &flow.from_at, message)
                        .with_help("name its `cgroup`, as `enforcer workloads` lists it"),
                );
            }
            Selected::By(class) if class.is_empty() => not_selected(flow, &mut findings),
            Selected::By(class) => {
                data_categories(flow, class, loaded, &mut findings);
                let number = classes.iter().position(|other| other == class);
                let judge = Judge {
                    sources: &loaded.sources,
                    policies: class.iter().map(|&index| &policies[index]).collect(),
                    class: ClassId(number.unwrap_or_default() as u16),
                    image: &image,
                    atlas: &atlas,
                    geo,
                };
                for endpoint in &flow.to {
                    judge.endpoint(flow, endpoint, &mut findings);
                }
            }
        }
    }
    Ok(findings)
}

/// Whether the policies fit an image: what [`findings`] asks without any flow.
///
/// # Errors
/// They do not.
pub fn fit(policies: &[Policy], geo: &GeoSet, now: Minute) -> Result<Image, CompileError> {
    compile(&Input {
        now,
        ..Input::of(policies, &[(0..policies.len()).collect()], geo)
    })
}

/// Each set of policies once.
fn classes(selected: &[Selected]) -> Vec<Vec<usize>> {
    let mut classes: Vec<Vec<usize>> = Vec::new();
    for selected in selected {
        if let Selected::By(class) = selected
            && !classes.contains(class)
        {
            classes.push(class.clone());
        }
    }
    classes
}

fn not_selected(flow: &DataFlow, findings: &mut Diagnostics) {
    let message = format!(
        "no policy selects the workload of flow `{}`: nothing confines it",
        flow.name
    );
    findings.push(
        Diagnostic::new(Code::FlowNotSelected, &flow.from_at, message)
            .with_help("correct `from`, or add a `selector` that matches it"),
    );
}

/// A category is covered when any policy of the workload names it: policies that add a
/// restriction of their own need not repeat what the workload handles.
fn data_categories(flow: &DataFlow, class: &[usize], loaded: &Loaded, findings: &mut Diagnostics) {
    let policies: Vec<&Policy> = class.iter().map(|&index| &loaded.policies[index]).collect();
    let names: Vec<String> = policies
        .iter()
        .map(|policy| format!("`{}`", policy.name))
        .collect();
    for category in &flow.data_categories {
        let covers = |policy: &&Policy| policy.data_categories.contains(&category.name);
        if policies.iter().any(covers) {
            continue;
        }
        let message = format!(
            "flow `{}` carries `{}`, which is not in `dataCategories` of {}",
            flow.name,
            category.name,
            names.join(" or ")
        );
        let finding = Diagnostic::new(Code::FlowDataCategory, &category.at, message)
            .with_help("add the category to the policy once it is permitted, or remove it here");
        let policy = policies
            .first()
            .and_then(|policy| loaded.sources.place(&policy.at));
        findings.push(match policy {
            Some(place) => finding.with_related(&place, "the policy of this workload"),
            None => finding,
        });
    }
}
