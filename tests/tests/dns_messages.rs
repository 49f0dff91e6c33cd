//! The reading of DNS answers against an implementation by others.

use enforcer_tests::dns;

#[test]
fn messages_say_the_same_to_both() {
    let readable = dns::compare(20_261_122, 20_000).expect("no difference");
    // Otherwise it would only be a test of what is refused.
    assert!(readable > 4_000, "{readable}");
}
