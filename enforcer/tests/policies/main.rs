//! Policies from file to model.
//!
//! `ENFORCER_BLESS=1 cargo test` writes the goldens anew; look at the difference before committing.

mod crds;
mod declared;
mod examples;
mod files;
mod findings;
mod golden;
mod mutations;
mod providers;
mod reference;
mod regions;
mod render;
mod robust;
mod schema;
mod yaml;
