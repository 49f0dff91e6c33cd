//! Who runs where: cgroups as the kernel knows them and as people name them.

pub mod cgroup2;
pub mod classes;

pub use cgroup2::{Cgroup2, CgroupPath};
pub use classes::Classes;
