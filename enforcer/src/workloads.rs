//! Who runs where: cgroups as the kernel knows them and as people name them.

pub mod assign;
pub mod cgroup2;
pub mod classes;
#[cfg(feature = "kernel")]
pub mod cri;
pub mod extent;
#[cfg(feature = "kernel")]
pub mod interfaces;
pub mod layout;
pub mod pods;
pub mod watch;

pub use assign::{Assignment, Scope};
pub use cgroup2::{Cgroup2, CgroupError, CgroupPath};
pub use classes::Classes;
pub use extent::Extent;
pub use pods::{PodInfo, Pods};
pub use watch::{Changes, Watch};
