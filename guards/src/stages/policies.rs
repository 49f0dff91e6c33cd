//! Policies: from text to an image.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use enforcer::{
    compile::{self, Image, Input},
    geo::GeoSet,
    policy::{Policy, load_text},
};

use crate::counted::Counted;

/// One hundred policies from a file.
pub(super) fn check(counted: &mut Counted) -> Result<Vec<Policy>> {
    const POLICIES: usize = 100;
    let text = many(POLICIES)?;
    let mut loaded = Vec::new();
    counted.stage("policy-check", POLICIES, || {
        loaded = load_text("many.yaml", &text)?.policies;
        Ok(())
    })?;
    Ok(loaded)
}

/// An image of them, over the world.
pub(super) fn compile(counted: &mut Counted, policies: &[Policy], world: &GeoSet) -> Result<Image> {
    let mut compiled = None;
    counted.stage("compile-world", 1, || {
        compiled = Some(image(policies, world)?);
        Ok(())
    })?;
    compiled.context("it was not compiled")
}

/// An image in which each policy is a class.
pub(super) fn image(policies: &[Policy], geo: &GeoSet) -> Result<Image> {
    let classes: Vec<Vec<usize>> = (0..policies.len()).map(|index| vec![index]).collect();
    Ok(compile::compile(&Input::of(policies, &classes, geo))?)
}

/// `count` policies of the kind that people write, each different from the others.
fn many(count: usize) -> Result<String> {
    let mut text = String::new();
    for number in 0..count {
        write!(
            text,
            "---\napiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\n\
             metadata: {{name: policy-{number}}}\n\
             spec:\n  selector: [{{cgroups: [/workload-{number}/**]}}]\n  mode: enforce\n  default: deny\n  \
             dns: {{resolvers: [10.96.0.10]}}\n  rules:\n    \
             - {{name: no-metadata, action: deny, peers: [{{ranges: [metadata]}}]}}\n    \
             - {{name: in-region, action: allow, peers: [{{regions: [eea]}}, {{countries: [CH]}}]}}\n    \
             - name: cluster\n      action: allow\n      \
             peers: [{{cidrs: [10.{number}.0.0/16], except: [10.{number}.66.0/24]}}]\n      \
             ports: [443/tcp, 8443/tcp, 9000-9010/tcp]\n    \
             - name: crm\n      action: allow\n      \
             peers: [{{fqdns: [\"*.tenant-{number}.example.com\"], regions: [eea]}}]\n      \
             ports: [443/tcp]\n"
        )?;
    }
    Ok(text)
}
