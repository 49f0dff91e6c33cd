//! Where a destination is, and as which address it was judged.

use enforcer_common::abi::{Addr, EmbeddedV4, Family};

use crate::events::context::{Context, PlaceInfo};

/// The IPv4 address inside the destination, if any, and the place that was judged.
pub(super) fn locate(context: &impl Context, addr: Addr) -> (Option<Addr>, PlaceInfo) {
    let embedded = embedded(context, addr);
    let judged = match embedded {
        EmbeddedV4::None => return (None, context.place(addr)),
        EmbeddedV4::Only(v4) | EmbeddedV4::Also(v4) => Addr::from_v4(v4.to_be_bytes()),
    };
    // Of two judged addresses the place is the outer one's: its owner surely sees the packet.
    let placed = if matches!(embedded, EmbeddedV4::Also(_)) {
        addr
    } else {
        judged
    };
    (Some(judged), context.place(placed))
}

/// In the order of the decision: the operator's own prefixes first.
fn embedded(context: &impl Context, addr: Addr) -> EmbeddedV4 {
    let Family::V6(hi, lo) = addr.family() else {
        return EmbeddedV4::None;
    };
    let own = context
        .nat64()
        .iter()
        .find_map(|prefix| prefix.unwrap(hi, lo));
    own.map_or_else(|| Addr::embedded(hi, lo), EmbeddedV4::Only)
}
