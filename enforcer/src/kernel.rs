//! The kernel: loading, attaching, publishing, reading back. The only room that knows aya.

pub mod object;
