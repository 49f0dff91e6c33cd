//! What is run, in which order.

use std::path::Path;

use anyhow::{Result, ensure};
use enforcer::geo::{Agreement, GeoSet};
use enforcer_tests::lab::Cgroup;

use crate::{
    bed::{self, Bed},
    client::{Client, Load},
    destinations::Networks,
    floor::Floor,
    hooks::{self, Counted},
    own::{self, Own},
    pairs::{self, Effort, Subject},
    table,
};

/// The rows that must hold, beside the alternatives.
///
/// # Errors
/// The bench cannot be set up, or a verdict is wrong.
pub(crate) fn quick() -> Result<()> {
    let directory = bed::directory()?;
    let geo = GeoSet::open(&[], Agreement::All)?;
    let (v4, v6) = (directory.path().join("v4"), directory.path().join("v6"));
    Networks::v4(&geo.databases[0]).write_addresses(&v4)?;
    Networks::v6(&geo.databases[0]).write_addresses(&v6)?;
    let mut client = Client::start()?;
    let bed = Bed::new()?;
    let (base, again) = (Cgroup::new("base")?, Cgroup::new("again")?);
    let floor = Floor::new()?;
    let policies = own::whole_world(&geo, directory.path())?;
    let own = Own::new("world", &own::image(&policies, &geo)?)?;
    println!("{:?}", own.usage);
    let subjects = |to: &Path| {
        let subject = |name: &str, cgroup: &Cgroup| Subject {
            name: name.to_owned(),
            place: bed.place(cgroup),
            destinations: to.into(),
        };
        [
            subject("nothing again (A/A)", &again),
            subject("empty programs at every hook", &floor.cgroup),
            subject("enforcer, all hooks, world database", &own.cgroup),
        ]
    };
    let effort = Effort {
        pairs: 15,
        rounds: 60,
    };
    for (family, to) in [("IPv4", &v4), ("IPv6", &v6)] {
        let subjects = subjects(to);
        for subject in &subjects {
            let permitted = client.probe(&subject.place, &subject.destinations)?;
            let refused = permitted.iter().filter(|permitted| !**permitted).count();
            ensure!(refused == 0, "{} refuses {refused}", subject.name);
        }
        for (load, name) in LOADS {
            let name = format!("{name}, {family}");
            let base = bed.place(&base);
            let found = pairs::compare(&mut client, &base, &subjects, (load, &name), effort)?;
            print!("{}", table::comparison(&found));
        }
        let [_, floor_subject, own_subject] = &subjects;
        let counted = |subject, programs| Counted { subject, programs };
        let own = counted(own_subject, own.programs()?);
        let floor = counted(floor_subject, floor.programs()?);
        let times = hooks::measure(&mut client, &own, &floor, &LOADS)?;
        print!("{}", table::hooks(&times));
    }
    Ok(())
}

/// What is sent.
const LOADS: [(Load, &str); 3] = [
    (Load::Connect, "TCP connect"),
    (Load::Connected, "UDP, connected"),
    (Load::Scattered, "UDP, a new destination each packet"),
];
