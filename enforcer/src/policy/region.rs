//! Regions: named sets of countries, each member with what it rests on.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{ToSpan, civil::Date};

use super::{
    check,
    diagnostic::Diagnostics,
    model::Position,
    source::{Source, parse},
};
use crate::geo::{CountryCode, CountrySet};

/// The data files, compiled into the program.
const BUILT_IN: [(&str, &str); 6] = [
    ("eu", include_str!("../../../policies/regions/eu.yaml")),
    ("eea", include_str!("../../../policies/regions/eea.yaml")),
    (
        "eu-adequate",
        include_str!("../../../policies/regions/eu-adequate.yaml"),
    ),
    (
        "eu-adequate-conditional",
        include_str!("../../../policies/regions/eu-adequate-conditional.yaml"),
    ),
    (
        "ch-fadp",
        include_str!("../../../policies/regions/ch-fadp.yaml"),
    ),
    (
        "uk-adequate",
        include_str!("../../../policies/regions/uk-adequate.yaml"),
    ),
];

/// Days before the end of a member's validity from which on it is warned of.
const NOTICE_DAYS: i32 = 30;

/// A `Region`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// `metadata.name`, unique among all regions.
    pub name: Arc<str>,
    /// Where `metadata.name` stands.
    pub at: Position,
    /// `spec.description`, empty if absent.
    pub description: String,
    /// Whether it came with the program.
    pub built_in: bool,
    /// In the order of the file. A country may occur again with another validity.
    pub members: Vec<Member>,
}

/// A country of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub country: CountryCode,
    /// The legal instrument that it rests on.
    pub source: Option<Arc<str>>,
    /// What must hold besides, which no enforcer can see: for people.
    pub condition: Option<Arc<str>>,
    /// First day, UTC, on which it is a member.
    pub valid_from: Option<Date>,
    /// Last day, UTC, on which it is a member.
    pub valid_until: Option<Date>,
    /// When somebody last looked the source up.
    pub checked: Option<Date>,
}

impl Member {
    /// Whether it is a member on that day.
    #[must_use]
    pub fn holds_on(&self, day: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= day)
            && self.valid_until.is_none_or(|until| day <= until)
    }
}

impl Region {
    /// The countries that are members on that day.
    #[must_use]
    pub fn countries(&self, day: Date) -> CountrySet {
        let members = self.members.iter().filter(|member| member.holds_on(day));
        members.map(|member| member.country).collect()
    }

    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.description == other.description && self.members == other.members
    }

    /// What whoever uses this region should know on that day: members that are gone, not yet
    /// there, or gone soon.
    pub(super) fn notices(&self, day: Date) -> Vec<String> {
        let name = &self.name;
        let soon = day.saturating_add(NOTICE_DAYS.days());
        let stays = self.countries(soon);
        let notice = |member: &Member| {
            let country = member.country;
            match (member.valid_from, member.valid_until) {
                (Some(from), _) if day < from => Some(format!(
                    "`{country}` is not in region `{name}` before {from}"
                )),
                (_, Some(until)) if stays.contains(country) || soon <= until => None,
                (_, Some(until)) if until < day => Some(format!(
                    "`{country}` is no longer in region `{name}`: it was until {until}"
                )),
                (_, Some(until)) => Some(format!(
                    "`{country}` is in region `{name}` only until {until}"
                )),
                (_, None) => None,
            }
        };
        self.members.iter().filter_map(notice).collect()
    }
}

/// Every region that policies can name, on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regions {
    today: Date,
    by_name: BTreeMap<Arc<str>, Region>,
}

impl Regions {
    /// The regions that come with the program, as they are on `today` (UTC).
    ///
    /// # Errors
    /// A data file of the program is broken, which its tests rule out.
    pub fn built_in(today: Date) -> Result<Self, Diagnostics> {
        let mut regions = Self {
            today,
            by_name: BTreeMap::new(),
        };
        let mut diagnostics = Diagnostics::default();
        for (name, text) in BUILT_IN {
            let path = format!("built-in/regions/{name}.yaml");
            let source = Source::new(path.as_ref(), text.to_owned());
            for node in parse(&source, &mut diagnostics) {
                if let Some(document) = check::document(&source, &node, &mut diagnostics)
                    && let Some(region) = check::region(&document, true, &mut diagnostics)
                {
                    regions.insert(region);
                }
            }
        }
        if diagnostics.is_empty() {
            Ok(regions)
        } else {
            Err(diagnostics)
        }
    }

    /// The day whose members count.
    #[must_use]
    pub fn today(&self) -> Date {
        self.today
    }

    /// The region of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Region> {
        self.by_name.get(name)
    }

    /// In the order of names.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.by_name.values()
    }

    /// The next day on which a region has other members than today. Whoever runs longer loads the
    /// policies again then.
    #[must_use]
    pub fn next_change(&self) -> Option<Date> {
        let members = self.iter().flat_map(|region| &region.members);
        members
            .flat_map(|member| {
                let gone = member.valid_until.and_then(|until| until.tomorrow().ok());
                [member.valid_from, gone]
            })
            .flatten()
            .filter(|&day| day > self.today)
            .min()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(|name| &**name)
    }

    pub(super) fn insert(&mut self, region: Region) {
        self.by_name.insert(Arc::clone(&region.name), region);
    }
}
