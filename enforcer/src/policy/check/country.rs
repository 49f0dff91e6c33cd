use crate::{
    geo::CountryCode,
    policy::{diagnostic::Code, read::Reader, source::Node},
};

/// Officially assigned codes of ISO 3166-1 alpha-2, in alphabetical order.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ \
    EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW \
    GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY \
    KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV \
    MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY \
    QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
    TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM \
    ZW";

/// Reads one element of `countries`.
pub(super) fn country(reader: &mut Reader<'_>, node: &Node) -> Option<CountryCode> {
    let text = reader.text(node, "`countries`")?;
    if is_assigned(text) {
        return CountryCode::parse(text);
    }
    let message = format!("`{text}` is not a country code of ISO 3166-1");
    reader
        .report(Code::InvalidCountry, node.span, message)
        .help(explain(text));
    None
}

/// Whether `text` is an assigned code, in upper case.
pub(super) fn is_assigned(text: &str) -> bool {
    text.len() == 2 && ASSIGNED.split(' ').any(|code| code == text)
}

fn explain(text: &str) -> String {
    let upper = text.to_uppercase();
    let known = match upper.as_str() {
        "UK" => "the code of the United Kingdom is `GB`",
        "EL" => "the code of Greece is `GR`",
        "EU" => "did you mean `regions: [eu]`?",
        "EEA" => "did you mean `regions: [eea]`?",
        "ZZ" => {
            "`ZZ` is what events call an address that no database knows; it is in no country, and \
             `default` decides about it"
        }
        "XK" => {
            "`XK` is not assigned by ISO 3166-1, and databases differ in how they use it: write \
             `cidrs` or `asns`"
        }
        _ if is_assigned(&upper) => return format!("codes are upper case: `{upper}`"),
        _ => "write an assigned two-letter code, such as `DE`",
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::ASSIGNED;

    #[test]
    fn the_list_is_sorted_and_complete() {
        let codes: Vec<&str> = ASSIGNED.split(' ').collect();
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert!(codes.iter().all(|code| code.len() == 2));
    }
}
