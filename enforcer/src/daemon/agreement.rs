//! The name of [`Agreement`] in settings and on the command line.

use serde::Deserialize;

use crate::geo::Agreement;

/// See [`Agreement`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum AgreementName {
    /// An address is in a region only if all databases that know it agree
    #[default]
    All,
    /// One database suffices
    Any,
}

impl From<AgreementName> for Agreement {
    fn from(name: AgreementName) -> Self {
        match name {
            AgreementName::All => Self::All,
            AgreementName::Any => Self::Any,
        }
    }
}
