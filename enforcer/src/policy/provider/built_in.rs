use super::Provider;
use crate::policy::{
    check,
    diagnostic::Diagnostics,
    region::Regions,
    source::{Source, parse},
};

/// The data files, compiled into the program.
const FILES: [(&str, &str); 15] = [
    (
        "anthropic",
        include_str!("../../../../policies/providers/anthropic.yaml"),
    ),
    (
        "azure-openai",
        include_str!("../../../../policies/providers/azure-openai.yaml"),
    ),
    (
        "deepseek",
        include_str!("../../../../policies/providers/deepseek.yaml"),
    ),
    (
        "fireworks",
        include_str!("../../../../policies/providers/fireworks.yaml"),
    ),
    (
        "google-vertex",
        include_str!("../../../../policies/providers/google-vertex.yaml"),
    ),
    (
        "ibm-watsonx",
        include_str!("../../../../policies/providers/ibm-watsonx.yaml"),
    ),
    (
        "ionos",
        include_str!("../../../../policies/providers/ionos.yaml"),
    ),
    (
        "mistral",
        include_str!("../../../../policies/providers/mistral.yaml"),
    ),
    (
        "mulesoft-eu",
        include_str!("../../../../policies/providers/mulesoft-eu.yaml"),
    ),
    (
        "openai",
        include_str!("../../../../policies/providers/openai.yaml"),
    ),
    (
        "openrouter",
        include_str!("../../../../policies/providers/openrouter.yaml"),
    ),
    (
        "ovhcloud",
        include_str!("../../../../policies/providers/ovhcloud.yaml"),
    ),
    (
        "salesforce",
        include_str!("../../../../policies/providers/salesforce.yaml"),
    ),
    (
        "scaleway",
        include_str!("../../../../policies/providers/scaleway.yaml"),
    ),
    (
        "xai",
        include_str!("../../../../policies/providers/xai.yaml"),
    ),
];

pub(super) fn read(regions: &Regions) -> Result<Vec<Provider>, Diagnostics> {
    let mut providers = Vec::new();
    let mut diagnostics = Diagnostics::default();
    for (name, text) in FILES {
        let path = format!("built-in/providers/{name}.yaml");
        let source = Source::new(path.as_ref(), text.to_owned());
        for node in parse(&source, &mut diagnostics) {
            if let Some(document) = check::document(&source, &node, &mut diagnostics) {
                providers.extend(check::provider(&document, true, regions, &mut diagnostics));
            }
        }
    }
    if diagnostics.is_empty() {
        Ok(providers)
    } else {
        Err(diagnostics)
    }
}
