//! What the daemon answers.

use std::path::Path;

use anyhow::{Context as _, bail};

use super::{Destination, explanation};
use crate::{
    control::{ExplainRequest, Explanation},
    daemon::node::Node,
    events::clock,
};

/// Explains with the image in force how flows of a workload are decided, as long as they answer
/// nobody.
///
/// # Errors
/// There is no such cgroup, a destination is none, or no image is in memory.
pub(in crate::daemon) fn of_workload(
    node: &Node,
    request: &ExplainRequest,
) -> anyhow::Result<Vec<Explanation>> {
    let Some((image, geo)) = node.image() else {
        bail!(
            "what an earlier daemon put into force is enforced, and this one could not read its \
             policies: {}",
            node.last_error().unwrap_or("see its log")
        );
    };
    let tagged = node
        .nearest_tag(Path::new(&request.workload))
        .context("name a cgroup as `enforcer workloads` lists it")?;
    let (workload, tag) = tagged.unzip();
    let explain = |to: &String| {
        let to: Destination = to.parse()?;
        let (flow, now) = (to.flow(), clock::boottime_ns());
        let written = to.names().into_iter();
        let mut names: Vec<_> = written.filter_map(|name| image.name_key(name)).collect();
        if let Some(workload) = &workload {
            names.extend(node.names_of(workload, flow.dst, now)?);
        }
        let decision = image.decide_tagged(tag, now, &flow, &names);
        Ok(Explanation {
            workload: workload.clone(),
            ..explanation(&to, &decision, image, geo)
        })
    };
    request.to.iter().map(explain).collect()
}
