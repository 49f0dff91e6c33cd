//! Declared flows: what somebody answers for, to be compared with what policies permit.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    model::{Cidr, PortSpec},
    place::Place,
    provider::Provider,
};

/// A `DataFlow`. It permits nothing: policies do.
#[derive(Clone, Debug)]
pub struct DataFlow {
    /// `metadata.name`, unique among the flows.
    pub name: Arc<str>,
    /// Where `metadata.name` stands.
    pub at: Place,
    /// `spec.description`, empty if absent.
    pub description: String,
    /// `spec.owner`: who answers for the flow.
    pub owner: String,
    /// `spec.purpose`: what the data is sent for (GDPR, Article 30(1)(b)).
    pub purpose: String,
    /// `spec.legalBasis`.
    pub legal_basis: Vec<String>,
    /// `spec.dataCategories`: what is sent (GDPR, Article 30(1)(c)). Never empty.
    pub data_categories: Vec<DataCategory>,
    /// `spec.from`.
    pub from: Origin,
    /// Where `spec.from` stands.
    pub from_at: Place,
    /// `spec.to`. Never empty.
    pub to: Vec<FlowEndpoint>,
}

/// One element of `dataCategories` of a flow.
#[derive(Clone, Debug)]
pub struct DataCategory {
    /// As policies name it.
    pub name: String,
    /// Where it stands.
    pub at: Place,
}

/// The one workload that a flow starts at. A selector of policies is a pattern, this is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `exec: true`: the command of `enforcer exec`.
    Exec,
    /// `cgroup`: path below the cgroup2 mount, such as `/llm/vllm`.
    Cgroup(String),
    /// `systemdUnit`: name of a unit, such as `vllm@70b.service`.
    SystemdUnit(String),
    /// `pod`.
    Pod(PodOrigin),
}

/// A pod as its manifest describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodOrigin {
    /// `namespace`.
    pub namespace: String,
    /// `labels`: every label that matters to selectors.
    pub labels: BTreeMap<String, String>,
}

/// Where a flow ends.
#[derive(Clone, Debug)]
pub struct FlowEndpoint {
    /// Where it stands.
    pub at: Place,
    /// Its name.
    pub target: Target,
    /// `addresses`: networks, all of which the flow needs. Empty when only the name is declared.
    pub addresses: Vec<Cidr>,
    /// `ports`, all of which the flow needs. Never empty.
    pub ports: Vec<PortSpec>,
}

/// What an endpoint is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `addresses` alone.
    Addresses,
    /// `host`: a DNS name in its ASCII form, lower case, without a final dot.
    Host(Arc<str>),
    /// `provider`: all of its endpoints.
    Provider(Arc<Provider>),
}
