//! Passes on where the build script of `enforcer` put the objects.

use std::env;

fn main() {
    let objects = env::var("DEP_ENFORCER_OBJECTS_DIR").expect("cargo sets it from enforcer");
    println!("cargo::rerun-if-changed={objects}/enforcer-rivals");
    println!("cargo::rustc-env=ENFORCER_OBJECTS={objects}");
}
