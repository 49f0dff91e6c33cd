//! What a database says of an address.

use std::{fmt, sync::LazyLock};

/// Autonomous system number (RFC 6793).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asn(pub u32);

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

/// The officially assigned codes of ISO 3166-1, and XK: user-assigned, but what everybody writes
/// for Kosovo, which has no other.
const ASSIGNED: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ \
    BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE \
    DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR \
    GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP \
    KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT \
    MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM \
    ZW";

static ASSIGNED_SET: LazyLock<CountrySet> =
    LazyLock::new(|| ASSIGNED.split(' ').filter_map(CountryCode::parse).collect());

/// ISO 3166-1 alpha-2 country code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountryCode([u8; 2]);

impl CountryCode {
    /// Two ASCII letters of either case; whether the code is assigned is not asked.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let &[a, b] = text.as_bytes() else {
            return None;
        };
        let letters = a.is_ascii_alphabetic() && b.is_ascii_alphabetic();
        letters.then(|| Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Two ASCII letters by construction.
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    /// The two letters, ASCII.
    pub(super) fn letters(self) -> [u8; 2] {
        self.0
    }

    /// Whether the code is a country's: officially assigned by ISO 3166-1, or XK.
    ///
    /// Databases also write codes that are none (EU, AP, UK, XX, A1, ZZ): they say nothing about
    /// where an address is.
    #[must_use]
    pub fn is_assigned(self) -> bool {
        ASSIGNED_SET.contains(self)
    }

    fn index(self) -> usize {
        let [a, b] = self.0.map(|letter| usize::from(letter - b'A'));
        a * 26 + b
    }
}

impl fmt::Debug for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of countries: one bit for each pair of letters.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CountrySet([u64; 11]);

impl CountrySet {
    /// Adds one.
    pub fn insert(&mut self, country: CountryCode) {
        let index = country.index();
        self.0[index / 64] |= 1 << (index % 64);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine |= theirs;
        }
    }

    /// Whether it has `country`.
    #[must_use]
    pub fn contains(&self, country: CountryCode) -> bool {
        let index = country.index();
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = CountryCode> + '_ {
        (b'A'..=b'Z')
            .flat_map(|a| (b'A'..=b'Z').map(move |b| CountryCode([a, b])))
            .filter(|&country| self.contains(country))
    }
}

impl FromIterator<CountryCode> for CountrySet {
    fn from_iter<I: IntoIterator<Item = CountryCode>>(countries: I) -> Self {
        let mut set = Self::default();
        for country in countries {
            set.insert(country);
        }
        set
    }
}

impl fmt::Debug for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What one database says of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Location {
    /// `None`: the database does not know it.
    pub country: Option<CountryCode>,
    /// `None`: the database does not know it, or has no ASNs.
    pub asn: Option<Asn>,
    /// Announced from several places at once (RFC 4786).
    pub anycast: bool,
}
