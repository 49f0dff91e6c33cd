//! What `run` is told, by its options and its file.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::Context as _;
use enforcer_common::abi::Stance;
use jiff::{Span, SpanRelativeTo};
use serde::Deserialize;

pub use super::agreement::AgreementName;
use crate::{events::SinkSpec, kernel::Build};

/// Settings of `run`. Options add to the lists of the file and win over its single values.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Directories and files of policies and regions.
    #[serde(default)]
    pub policies: Vec<PathBuf>,
    /// MaxMind DB files; none is the built-in database.
    #[serde(default)]
    pub geo: Vec<PathBuf>,
    /// How several databases are combined: `all` or `any`.
    pub agreement: Option<AgreementName>,
    /// Managed roots.
    #[serde(default)]
    pub cgroup_roots: Vec<PathBuf>,
    /// How unknown cgroups below a managed root stand: `hold`, `deny` or `allow`.
    pub unknown: Option<Unknown>,
    /// Socket of the container runtime, for policies that select pods; none is the first that is at
    /// one of the usual places.
    pub cri_socket: Option<PathBuf>,
    /// How long a pod that policies may select is waited for; 30 seconds unless given.
    pub resolve_within: Option<Keep>,
    /// How it stands after that: `deny` unless given.
    pub unresolved: Option<Unknown>,
    /// Name of this node in the cluster whose policies and pods it follows; none follows no cluster.
    #[cfg(feature = "cluster")]
    pub cluster_node: Option<String>,
    /// Sinks.
    #[serde(default)]
    pub events: Vec<String>,
    /// Sinks, each with its options as keys.
    #[serde(default, rename = "sink")]
    pub sink_tables: Vec<SinkTable>,
    /// Where records wait for sinks that do not take them: `/var/lib/enforcer/INSTANCE` unless said.
    pub state: Option<PathBuf>,
    /// Record flows that pass as well as those that are refused.
    #[serde(default)]
    pub record_flows: bool,
    /// How long a recorded flow is kept after it was last seen; 24 hours unless given.
    pub keep_flows: Option<Keep>,
    /// How many flows are kept at most; 65,536 unless given.
    pub most_flows: Option<usize>,
    /// Where metrics are served, such as `127.0.0.1:9464`; nowhere unless given.
    pub metrics: Option<SocketAddr>,
    /// The kernel programs. Not of the file: who debugs asks for it each time.
    #[serde(skip)]
    pub programs: Build,
}

/// A sink as a table: what `docs/sinks.md` has after the `?`, as keys.
#[derive(Clone, Debug, Deserialize)]
pub struct SinkTable {
    /// The sink without options.
    pub url: String,
    /// Its options.
    #[serde(flatten)]
    pub options: BTreeMap<String, toml::Value>,
}

impl SinkTable {
    fn spec(&self) -> anyhow::Result<SinkSpec> {
        let options = self
            .options
            .iter()
            .map(|(name, value)| {
                let text = text_of(value).with_context(|| format!("option `{name}`"))?;
                Ok((name.clone(), text))
            })
            .collect::<anyhow::Result<_>>()
            .with_context(|| format!("event sink `{}`", self.url))?;
        Ok(SinkSpec::from_parts(&self.url, options)?)
    }
}

/// As it would stand in a URL.
fn text_of(value: &toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        toml::Value::Array(values) => {
            let texts = values
                .iter()
                .map(text_of)
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok(texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            anyhow::bail!("write text, a whole number, true, false, or a list of these")
        }
    }
}

/// A length of time as people write it: `24h`, `90m`, `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Keep(pub Duration);

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no length of time: write 90m, 24h or 7d");
        let span: Span = text.parse().map_err(|_| wrong())?;
        // Days of 24 hours: what is kept does not depend on a time zone.
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours());
        let length = length
            .ok()
            .and_then(|length| Duration::try_from(length).ok());
        length.map(Self).ok_or_else(wrong)
    }
}

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// How unknown cgroups stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// Their packets wait until they are known
    #[default]
    Hold,
    /// They are refused
    Deny,
    /// They pass
    Allow,
}

impl Settings {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// It cannot be read, or a field is wrong: the error names line and column.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{}", path.display()))
    }

    /// The sinks; standard output when none is named.
    ///
    /// # Errors
    /// One cannot be meant.
    pub fn sinks(&self) -> anyhow::Result<Vec<SinkSpec>> {
        let named = self.events.iter().map(|sink| Ok(sink.parse()?));
        let tables = self.sink_tables.iter().map(SinkTable::spec);
        let mut sinks: Vec<SinkSpec> = named.chain(tables).collect::<anyhow::Result<_>>()?;
        if sinks.is_empty() {
            sinks.push("-".parse()?);
        }
        Ok(sinks)
    }
}

impl Unknown {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Deny => "deny",
            Self::Allow => "allow",
        }
    }
}

impl From<Unknown> for Stance {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Hold => Self::UnknownHold,
            Unknown::Deny => Self::UnknownDeny,
            Unknown::Allow => Self::UnknownAllow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_what_is_none_is_refused() {
        for (text, seconds) in [("24h", 86_400), ("7d", 604_800), ("1h 30m", 5400)] {
            let keep: Keep = text.parse().expect(text);
            assert_eq!(keep.0.as_secs(), seconds, "{text}");
        }
        for wrong in ["", "24", "-1h", "1 fortnight", "1mo"] {
            let error = wrong.parse::<Keep>().expect_err(wrong);
            assert!(error.contains("90m"), "{error}");
        }
    }
}
