//! Chores of the project, one file per verb.

mod geo;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Chores of the project")]
enum Verb {
    /// Rebuild the built-in geo database from Debian's package of IPFire Location
    Geo(geo::Args),
}

fn main() -> anyhow::Result<()> {
    match Verb::parse() {
        Verb::Geo(args) => geo::run(&args),
    }
}
