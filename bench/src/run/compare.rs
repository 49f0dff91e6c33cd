//! Enforcer and the others, under the same loads.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use enforcer_tests::lab::Cgroup;

use crate::{
    bed::Bed,
    client::{Load, Place},
    destinations::Networks,
    floor::Floor,
    hooks::{self, Counted, HookTime},
    outcome::World,
    own::{self, Own},
    pairs::{self, Comparison, Effort, Subject},
    rivals::{Ipset, Loading, Nft, Trie},
    stage::Stage,
    table,
};

/// What was found.
pub(super) struct Live {
    pub(super) world: World,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) hooks: Vec<HookTime>,
    pub(super) loading: Vec<Loading>,
    pub(super) skipped: Vec<String>,
}

/// What is sent, over either family.
const LOADS: [(Load, &str); 3] = [
    (Load::Connect, "TCP connect"),
    (Load::Connected, "UDP, connected"),
    (Load::Scattered, "UDP, a new destination each packet"),
];
/// What is sent over one family alone, since the packets are the same.
const BULK: (Load, &str) = (Load::Bulk, "TCP, 64 KiB, IPv4");
/// What is sent to addresses that are refused.
const REFUSED_UDP: (Load, &str) = (Load::Scattered, "UDP, refused, IPv4");
/// The same for connections. The others drop the first packet and say nothing, and `connect` waits.
const REFUSED_TCP: (Load, &str) = (Load::Connect, "TCP connect, refused, IPv4");

/// Every load of both families.
pub(super) fn run(stage: &mut Stage, lists: &[usize], effort: Effort) -> Result<Live> {
    let database = &stage.geo.databases[0];
    let (v4, v6) = (Networks::v4(database), Networks::v6(database));
    let database = database.info.database_type.clone();
    let image = own::image(&stage.policies, &stage.geo)?;
    let own = Own::new("world", &image)?;
    let addresses = own.usage.addresses;
    let mut live = Live {
        world: World {
            database,
            v4_networks: v4.0.len(),
            v6_networks: v6.0.len(),
            v4_ranges: addresses.v4_ranges,
            v6_ranges: addresses.v6_ranges,
            atoms: addresses.atoms,
            image_bytes: own.usage.bytes,
        },
        comparisons: vec![],
        hooks: vec![],
        loading: vec![],
        skipped: vec![],
    };
    let basics = Basics::beside(own)?;
    for (family, networks, lists) in [("IPv4", &v4, Some(lists)), ("IPv6", &v6, None)] {
        let mut list = Lists::default();
        list.load(stage, networks, "world", lists.is_some(), &mut live.skipped)?;
        for &count in lists.unwrap_or_default() {
            let name = format!("n = {count}");
            list.load(
                stage,
                &networks.sample(count),
                &name,
                true,
                &mut live.skipped,
            )?;
        }
        let (inside, outside) = stage.addresses(networks, &family.replace("IP", ""))?;
        let mut subjects = basics.subjects(stage, &inside);
        let mut refused = basics.subjects(stage, &outside);
        let own = (basics.own.subject(stage, &inside), outside);
        let judged = [vec![own], list.subjects(stage)].concat();
        for (subject, outside) in &judged {
            check(stage, subject, outside)?;
            subjects.push(subject.clone());
            refused.push(Subject {
                destinations: outside.clone(),
                ..subject.clone()
            });
        }
        let without_lists = refused.len() + 1 - judged.len();
        let mut compare = |load, name: &str, subjects: &[Subject], effort| {
            let base = stage.bed.place(&stage.base);
            let found = pairs::compare(&mut stage.client, &base, subjects, (load, name), effort)?;
            print!("{}", table::comparison(&found));
            live.comparisons.push(found);
            anyhow::Ok(())
        };
        let brief = effort.brief();
        // No claim is made of IPv6, which takes the same way.
        let effort = if lists.is_some() { effort } else { brief };
        for (load, name) in LOADS {
            compare(load, &format!("{name}, {family}"), &subjects, effort)?;
        }
        if lists.is_some() {
            compare(BULK.0, BULK.1, &subjects, brief)?;
            compare(REFUSED_UDP.0, REFUSED_UDP.1, &refused, brief)?;
            let refused = &refused[..without_lists];
            compare(REFUSED_TCP.0, REFUSED_TCP.1, refused, brief)?;
        }
        live.hooks
            .extend(basics.hooks(stage, &inside, family, &LOADS)?);
        live.loading.extend(list.loading());
        stage.client.rest()?;
    }
    print!("{}", table::hooks(&live.hooks));
    print!("{}", table::loading(&live.loading));
    Ok(live)
}

/// One load, with nothing of others beside.
pub(super) fn own(
    stage: &mut Stage,
    load: Load,
    v6: bool,
    effort: Effort,
) -> Result<(Comparison, Vec<HookTime>)> {
    let database = &stage.geo.databases[0];
    let (family, networks) = if v6 {
        ("IPv6", Networks::v6(database))
    } else {
        ("IPv4", Networks::v4(database))
    };
    let (inside, _) = stage.addresses(&networks, &family.replace("IP", ""))?;
    let image = own::image(&stage.policies, &stage.geo)?;
    let basics = Basics::beside(Own::new("world", &image)?)?;
    let mut subjects = basics.subjects(stage, &inside);
    subjects.push(basics.own.subject(stage, &inside));
    let base = stage.bed.place(&stage.base);
    let what = (load, family);
    let comparison = pairs::compare(&mut stage.client, &base, &subjects, what, effort)?;
    let hooks = basics.hooks(stage, &inside, family, &[(load, "all")])?;
    stage.client.rest()?;
    Ok((comparison, hooks))
}

/// Every address inside is permitted and every one outside refused, or nothing is timed.
fn check(stage: &mut Stage, subject: &Subject, outside: &Path) -> Result<()> {
    let mut permitted = |to| -> Result<(usize, usize)> {
        let permitted = stage.client.probe(&subject.place, to)?;
        Ok((
            permitted.iter().filter(|one| **one).count(),
            permitted.len(),
        ))
    };
    let (inside, all) = permitted(&subject.destinations)?;
    let (leaked, _) = permitted(outside)?;
    let name = &subject.name;
    ensure!(
        inside == all,
        "{name}: {} of {all} are refused",
        all - inside
    );
    ensure!(leaked == 0, "{name}: {leaked} outside are permitted");
    Ok(())
}

/// The controls and enforcer.
struct Basics {
    again: Cgroup,
    elsewhere: (Bed, Cgroup),
    floor: Floor,
    own: Own,
}

impl Basics {
    fn beside(own: Own) -> Result<Self> {
        Ok(Self {
            again: Cgroup::new("again")?,
            elsewhere: (Bed::new()?, Cgroup::new("elsewhere")?),
            floor: Floor::new()?,
            own,
        })
    }

    fn subjects(&self, stage: &Stage, to: &Path) -> Vec<Subject> {
        let (elsewhere, cgroup) = &self.elsewhere;
        [
            (
                "nothing, in another cgroup (A/A)",
                stage.bed.place(&self.again),
            ),
            (
                "nothing, in another namespace (A/A)",
                elsewhere.place(cgroup),
            ),
            (
                "empty programs at every hook",
                stage.bed.place(&self.floor.cgroup),
            ),
        ]
        .map(|(name, place)| subject(name, place, to))
        .into()
    }

    fn hooks(
        &self,
        stage: &mut Stage,
        to: &Path,
        family: &str,
        loads: &[(Load, &str)],
    ) -> Result<Vec<HookTime>> {
        let own = Counted {
            subject: &self.own.subject(stage, to),
            programs: self.own.programs()?,
        };
        let floor = Counted {
            subject: &subject("", stage.bed.place(&self.floor.cgroup), to),
            programs: self.floor.programs()?,
        };
        let mut found = hooks::measure(&mut stage.client, &own, &floor, loads)?;
        for time in &mut found {
            time.load = format!("{}, {family}", time.load);
        }
        Ok(found)
    }
}

impl Own {
    fn subject(&self, stage: &Stage, to: &Path) -> Subject {
        subject("enforcer, world", stage.bed.place(&self.cgroup), to)
    }
}

fn subject(name: &str, place: Place, to: &Path) -> Subject {
    Subject {
        name: name.to_owned(),
        place,
        destinations: to.into(),
        alternative: false,
    }
}

/// Lists in force, with addresses inside and outside of each.
#[derive(Default)]
struct Lists {
    nft: Vec<(Nft, [PathBuf; 2])>,
    ipset: Vec<(Ipset, [PathBuf; 2])>,
    trie: Vec<(Trie, [PathBuf; 2])>,
}

impl Lists {
    /// Loads `networks` into a trie, and into those of the kernel's packet filter where `all`.
    fn load(
        &mut self,
        stage: &Stage,
        networks: &Networks,
        name: &str,
        all: bool,
        skipped: &mut Vec<String>,
    ) -> Result<()> {
        eprintln!("==> load: {name}, {} networks", networks.0.len());
        let family = networks
            .0
            .first()
            .map_or("", |one| if one.is_v4() { "v4" } else { "v6" });
        let (inside, outside) = stage.addresses(networks, &format!("{family} {name}"))?;
        let files = [inside, outside];
        let directory = stage.directory.path();
        if all {
            match Nft::new(&format!("nftables, {name}"), networks, directory) {
                Ok(nft) => self.nft.push((nft, files.clone())),
                Err(error) => skipped.push(format!("nftables, {name}: {error:#}")),
            }
            match Ipset::new(&format!("ipset, {name}"), networks, directory) {
                Ok(ipset) => self.ipset.push((ipset, files.clone())),
                Err(error) => skipped.push(format!("ipset, {name}: {error:#}")),
            }
        }
        let trie = Trie::new(&format!("trie for each packet, {name}"), networks)?;
        self.trie.push((trie, files));
        Ok(())
    }

    /// Each with the addresses that it must refuse.
    fn subjects(&self, stage: &Stage) -> Vec<(Subject, PathBuf)> {
        let subject = |loading: &Loading, place, [inside, outside]: &[PathBuf; 2]| {
            let subject = Subject {
                alternative: true,
                ..subject(&loading.name, place, inside)
            };
            (subject, outside.clone())
        };
        let nft = self.nft.iter();
        let nft = nft.map(|(nft, files)| subject(&nft.loading, nft.place(), files));
        let ipset = self.ipset.iter();
        let ipset = ipset.map(|(ipset, files)| subject(&ipset.loading, ipset.place(), files));
        let trie = self.trie.iter();
        let trie =
            trie.map(|(trie, files)| subject(&trie.loading, stage.bed.place(&trie.cgroup), files));
        nft.chain(ipset).chain(trie).collect()
    }

    fn loading(&self) -> Vec<Loading> {
        let nft = self.nft.iter().map(|(nft, _)| &nft.loading);
        let ipset = self.ipset.iter().map(|(ipset, _)| &ipset.loading);
        let trie = self.trie.iter().map(|(trie, _)| &trie.loading);
        nft.chain(ipset).chain(trie).cloned().collect()
    }
}
