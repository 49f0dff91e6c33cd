//! aya's word for "any bytes are a value", for every type that crosses.

use super::{CgroupId, Device, Epoch, Event, FlowCount, FlowKey, Holder, Page, Resolved, Tag};

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
// SAFETY: as above.
unsafe impl aya::Pod for Holder {}
// SAFETY: as above.
unsafe impl aya::Pod for Resolved {}
// SAFETY: as above.
unsafe impl aya::Pod for Device {}
