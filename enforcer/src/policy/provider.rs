//! Providers: where a service is reached, where it says that it processes, and the agreement with it.

mod built_in;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{ToSpan, civil::Date};

use super::{
    Minute,
    diagnostic::Diagnostics,
    model::{Cidr, Position},
    name::NamePattern,
    region::Regions,
};
use crate::geo::{Asn, CountrySet};

/// Days before the end of an agreement from which on it is warned of.
const NOTICE_DAYS: i32 = 30;

/// A `Provider`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// `metadata.name`, unique among all providers.
    pub name: Arc<str>,
    /// Where `metadata.name` stands.
    pub at: Position,
    /// `spec.description`, empty if absent.
    pub description: String,
    /// Whether its endpoints came with the program. Its agreement never does.
    pub built_in: bool,
    /// In the order of the file.
    pub endpoints: Vec<Endpoint>,
    /// `spec.dpa`: the data processing agreement (GDPR Art. 28(3)).
    pub agreement: Option<Agreement>,
}

/// Addresses of a provider that make the same promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host names.
    pub hosts: Vec<NamePattern>,
    /// Networks of the provider's own.
    pub cidrs: Vec<Cidr>,
    /// AS numbers of the provider's own.
    pub asns: Vec<Asn>,
    /// Countries in which the provider says that it processes what is sent here; `None` when it
    /// does not say.
    pub processing: Option<CountrySet>,
    /// What must hold besides, which no enforcer can see: for people.
    pub residency: Option<Arc<str>>,
    /// Where the provider says so.
    pub source: Option<Arc<str>>,
    /// When somebody last looked the source up.
    pub checked: Option<Date>,
}

/// A data processing agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Whether there is one.
    pub status: AgreementStatus,
    /// Where it is filed.
    pub reference: Option<Arc<str>>,
    /// First minute, UTC, in which it no longer holds.
    pub expires: Option<Minute>,
}

/// Whether there is an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AgreementStatus {
    /// Both sides signed it.
    Signed,
    /// Not yet.
    Pending,
    /// No longer.
    Terminated,
}

impl Agreement {
    /// Whether it holds in that minute.
    #[must_use]
    pub fn holds_at(&self, now: Minute) -> bool {
        self.status == AgreementStatus::Signed && self.expires.is_none_or(|end| now < end)
    }
}

impl Endpoint {
    /// Whether all that is sent here is processed in the countries of a set. A provider that does
    /// not say where is nowhere.
    #[must_use]
    pub fn processes_within(&self, countries: &CountrySet) -> bool {
        let within = |places: &CountrySet| places.iter().all(|place| countries.contains(place));
        self.processing.as_ref().is_some_and(within)
    }
}

impl Provider {
    /// Whether there is an agreement that holds in that minute.
    #[must_use]
    pub fn has_agreement(&self, now: Minute) -> bool {
        let agreement = self.agreement.as_ref();
        agreement.is_some_and(|agreement| agreement.holds_at(now))
    }

    /// When its agreement ends by itself, if that is yet to come.
    #[must_use]
    pub fn agreement_ends(&self, now: Minute) -> Option<Minute> {
        let agreement = self.agreement.as_ref()?;
        agreement.expires.filter(|_| agreement.holds_at(now))
    }

    /// Whether it is reached by name at all.
    #[must_use]
    pub fn has_hosts(&self) -> bool {
        self.endpoints
            .iter()
            .any(|endpoint| !endpoint.hosts.is_empty())
    }

    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.description == other.description && self.endpoints == other.endpoints
    }

    /// What whoever requires an agreement with it should know in that minute.
    pub(super) fn notice(&self, now: Minute) -> Option<String> {
        let name = &self.name;
        let Some(agreement) = &self.agreement else {
            return Some(format!("no agreement with `{name}` is known: it is denied"));
        };
        let soon = Minute::start_of(now.date().saturating_add(NOTICE_DAYS.days()));
        match (agreement.status, agreement.expires) {
            (AgreementStatus::Pending, _) => Some(format!(
                "the agreement with `{name}` is not signed yet: it is denied"
            )),
            (AgreementStatus::Terminated, _) => Some(format!(
                "the agreement with `{name}` is terminated: it is denied"
            )),
            (AgreementStatus::Signed, Some(end)) if end <= now => Some(format!(
                "the agreement with `{name}` ended at {end}: it is denied"
            )),
            (AgreementStatus::Signed, Some(end)) if end <= soon => Some(format!(
                "the agreement with `{name}` ends at {end}: it is denied from then on"
            )),
            (AgreementStatus::Signed, _) => None,
        }
    }
}

/// Every provider that policies can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Providers(BTreeMap<Arc<str>, Arc<Provider>>);

impl Providers {
    /// The providers that come with the program.
    ///
    /// # Errors
    /// A data file of the program is broken, which its tests rule out.
    pub fn built_in(regions: &Regions) -> Result<Self, Diagnostics> {
        let providers = built_in::read(regions)?.into_iter();
        Ok(Self(
            providers
                .map(|provider| (Arc::clone(&provider.name), Arc::new(provider)))
                .collect(),
        ))
    }

    /// The provider of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Provider>> {
        self.0.get(name)
    }

    /// In the order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.values().map(|provider| &**provider)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// Adds a provider. Whether that was possible: what a built-in one says of itself cannot be
    /// changed.
    pub(super) fn add(&mut self, provider: Provider) -> bool {
        match self.0.get(&provider.name) {
            // The data files of the program, checked as files.
            Some(known) if !known.says_the_same(&provider) => return false,
            Some(_) | None => {}
        }
        let built_in = self.0.contains_key(&provider.name);
        let provider = Provider {
            built_in,
            ..provider
        };
        self.0
            .insert(Arc::clone(&provider.name), Arc::new(provider));
        true
    }

    /// Adds what is said of the agreement with a provider. Whether there is such a provider.
    pub(super) fn agree(&mut self, said: Provider) -> bool {
        let Some(known) = self.0.get_mut(&said.name) else {
            return false;
        };
        Arc::make_mut(known).agreement = said.agreement;
        true
    }
}
