//! Enforcer itself, with policies that permit every destination of the bench.

use std::fmt::Write as _;

use anyhow::Result;
use aya::programs::ProgramInfo;
use enforcer::{
    compile::{Image, Input, Usage, compile},
    geo::{CountrySet, GeoSet},
    kernel::{Build, Enforcement, HOOKS, Object, PinDir},
    policy::{Policy, load_text},
};
use enforcer_common::abi::{CgroupId, ClassId, Tag};
use enforcer_tests::lab::Cgroup;

/// A cgroup with all hooks of enforcer.
pub(crate) struct Own {
    pub(crate) cgroup: Cgroup,
    pub(crate) enforcement: Enforcement,
    pub(crate) usage: Usage,
}

impl Own {
    /// Puts `image` in force over a cgroup of its own, as class 0.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn new(name: &str, image: &Image) -> Result<Self> {
        let cgroup = Cgroup::new(name)?;
        let dir = PinDir::of_instance(&format!("bench-{}-{name}", std::process::id()));
        let enforcement = Enforcement::create(dir, Object::load(Build::Plain)?)?;
        let mut own = Self {
            cgroup,
            enforcement,
            usage: image.usage(),
        };
        own.enforcement.publish(image)?;
        own.enforcement
            .tag(own.cgroup.id()?, Tag::judged(ClassId(0)))?;
        own.enforcement.attach(own.cgroup.path())?;
        Ok(own)
    }

    /// Tags cgroups that do not exist: only the room that they take is of interest.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(crate) fn tag_others(&mut self, count: usize) -> Result<()> {
        for number in 0..count {
            let id = CgroupId(u64::MAX - number as u64);
            self.enforcement.tag(id, Tag::judged(ClassId(0)))?;
        }
        Ok(())
    }

    /// The id of the program at each hook.
    ///
    /// # Errors
    /// A pin is gone.
    pub(crate) fn programs(&self) -> Result<Vec<(String, u32)>> {
        let programs = self.enforcement.dir().path().join("programs");
        let program = |hook: &str| {
            let info = ProgramInfo::from_pin(programs.join(hook))?;
            Ok((hook.to_owned(), info.id()))
        };
        HOOKS.into_iter().map(program).collect()
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = self.enforcement.dir().remove() {
            eprintln!("cannot remove the pins: {error}");
        }
    }
}

/// Compiles policies; the first one is class 0, each other one a class of its own.
///
/// # Errors
/// They are more than an image holds.
pub(crate) fn image(policies: &[Policy], geo: &GeoSet) -> Result<Image> {
    let classes: Vec<Vec<usize>> = (0..policies.len()).map(|index| vec![index]).collect();
    Ok(compile(&Input::of(policies, &classes, geo))?)
}

/// `policies/sovereign-llm.yaml` for all countries instead of some; and for each country a policy of
/// another workload, so that the tables keep them apart and hold the whole world.
///
/// # Errors
/// The policy is not one any more.
pub(crate) fn whole_world(geo: &GeoSet) -> Result<Vec<Policy>> {
    let countries: CountrySet = geo
        .databases
        .iter()
        .flat_map(|database| &database.locations)
        .filter_map(|location| location.country)
        .collect();
    let listed: Vec<String> = countries
        .iter()
        .map(|country| country.to_string())
        .collect();
    let example = include_str!("../../policies/sovereign-llm.yaml");
    let region = "- regions: [eea]\n        - countries: [CH]";
    let everywhere = format!("- {{countries: [{}], anycast: allow}}", listed.join(", "));
    let mut text = example.replace(region, &everywhere);
    for country in &listed {
        write!(
            text,
            "---\napiVersion: enforcer.dev/v1alpha1\nkind: EgressPolicy\n\
             metadata: {{name: only-{}}}\n\
             spec:\n  selector: [{{cgroups: [/other/{country}]}}]\n  default: deny\n  rules:\n    \
             - {{name: inside, action: allow, peers: [{{countries: [{country}]}}]}}\n",
            country.to_lowercase()
        )?;
    }
    Ok(load_text("world.yaml", &text)?.policies)
}
