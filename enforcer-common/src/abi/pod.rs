//! aya's word for "any bytes are a value", for every type that crosses.

use super::{CgroupId, Epoch, Event, FlowCount, FlowKey, Page, Tag};

// SAFETY: `zerocopy` has proven that the type has no padding and that any bytes are a value of it.
unsafe impl aya::Pod for CgroupId {}
// SAFETY: as above.
unsafe impl aya::Pod for Tag {}
// SAFETY: as above.
unsafe impl aya::Pod for Epoch {}
// SAFETY: as above.
unsafe impl aya::Pod for FlowKey {}
// SAFETY: as above.
unsafe impl aya::Pod for FlowCount {}
// SAFETY: as above.
unsafe impl aya::Pod for Event {}
// SAFETY: as above.
unsafe impl aya::Pod for Page {}
