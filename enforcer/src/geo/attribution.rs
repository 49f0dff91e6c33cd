//! What vendors ask to be shown for their free databases.

/// The attribution for a `database_type`; empty when none is known.
pub(super) fn of_type(database_type: &str) -> &'static str {
    let kinds = [
        (
            "GeoLite2",
            "This product includes GeoLite Data created by MaxMind, available from \
             https://www.maxmind.com.",
        ),
        ("DBIP", "IP Geolocation by DB-IP, https://db-ip.com"),
        (
            "ipinfo",
            "IP address data is powered by IPinfo, https://ipinfo.io",
        ),
    ];
    let known = kinds
        .iter()
        .find(|(prefix, _)| database_type.starts_with(prefix));
    known.map_or("", |&(_, text)| text)
}
