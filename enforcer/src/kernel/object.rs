//! A loaded object: programs and maps.

use std::{
    panic::resume_unwind,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Map, MapData},
    programs::{Program, ProgramError},
};
use enforcer_common::abi::names;
use serde::Serialize;

use super::{build::Build, error::KernelError, pins::PinDir, refusal::Refusal};

/// Maps that are pinned.
pub(super) const MAPS: [&str; 22] = [
    names::IMAGE,
    names::TAGS,
    names::FLOWS,
    names::RECORDED,
    names::EVENTS,
    names::COUNTERS,
    names::DECISIONS,
    names::REPLIES,
    names::DEVICES,
    names::CONVERSATIONS,
    names::FRAGMENTS,
    names::ASKERS,
    names::QUESTIONS,
    names::TRUSTED,
    names::RESOLVED,
    names::TAKEN,
    names::RETURNED,
    names::PEERS,
    names::DESK,
    names::ACCEPTED,
    names::EPOCH,
    // The last one: an enforcement is whole when it is there.
    names::ALLOWED,
];

/// Loaded programs that are not yet pinned.
pub struct Object {
    build: Build,
    ebpf: Ebpf,
}

/// Programs on their way through the verifier, which takes as long as reading a world database: the
/// two are done at the same time.
pub struct Loading(JoinHandle<Result<Object, KernelError>>);

impl Loading {
    /// Begins to load.
    #[must_use]
    pub fn start(build: Build) -> Self {
        Self(thread::spawn(move || Object::load(build)))
    }

    /// Waits for the end of it.
    ///
    /// # Errors
    /// As [`Object::load`].
    pub fn finish(self) -> Result<Object, KernelError> {
        self.0.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// What the verifier made of a program.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// Its name.
    pub name: &'static str,
    /// Instructions the verifier walked; `None` before kernel 5.16.
    pub verified_instructions: Option<u32>,
}

impl Object {
    /// Creates the maps and loads the programs.
    ///
    /// # Errors
    /// A privilege or a kernel feature is missing.
    pub fn load(build: Build) -> Result<Self, KernelError> {
        let records = u8::from(build.records_flows());
        let reads_names = u8::from(build.reads_names());
        let mut loader = EbpfLoader::new();
        // The programs read no structs of the kernel, so what it says of those would be parsed in vain.
        loader.btf(None);
        loader.override_global(names::RECORD_FLOWS, &records, true);
        loader.override_global(names::READ_NAMES, &reads_names, true);
        if !build.records_flows() {
            loader.map_max_entries(names::RECORDED, 1);
        }
        let mut ebpf = loader.load(build.object()).map_err(object_error)?;
        load_programs(&mut ebpf, build)?;
        Ok(Self { build, ebpf })
    }

    /// What the verifier made of each program.
    #[must_use]
    pub fn report(&self) -> Vec<ProgramReport> {
        let instructions = |name| {
            self.ebpf
                .program(name)?
                .info()
                .ok()?
                .verified_instruction_count()
        };
        self.build
            .programs()
            .map(|name| ProgramReport {
                name,
                verified_instructions: instructions(name),
            })
            .collect()
    }

    /// Pins programs and maps below `dir`.
    pub(super) fn pin(mut self, dir: &PinDir) -> Result<Maps, KernelError> {
        dir.make()?;
        for hook in self.build.programs() {
            let path = dir.program(hook);
            let program = self
                .ebpf
                .program_mut(hook)
                .ok_or(KernelError::Missing(hook))?;
            program.pin(&path).map_err(|source| KernelError::Pin {
                path,
                source: Box::new(source),
            })?;
        }
        for name in MAPS {
            let path = dir.map(name);
            let map = self.ebpf.map(name).ok_or(KernelError::Missing(name))?;
            map.pin(&path).map_err(|source| KernelError::Pin {
                path,
                source: Box::new(source),
            })?;
        }
        Maps::open(dir)?.ok_or_else(|| KernelError::OtherVersion {
            path: dir.path().into(),
        })
    }
}

/// Loads the programs of a build, each on a thread of its own: the verifier takes most of the time from start
/// to enforcing, and works on as many at once as it is asked to.
fn load_programs(ebpf: &mut Ebpf, build: Build) -> Result<(), KernelError> {
    thread::scope(|scope| {
        let loads: Vec<_> = ebpf
            .programs_mut()
            .filter_map(|(name, program)| {
                let hook = build.programs().find(|&hook| hook == name)?;
                Some((hook, scope.spawn(move || load_program(hook, program))))
            })
            .collect();
        for hook in build.programs() {
            if !loads.iter().any(|&(loaded, _)| loaded == hook) {
                return Err(KernelError::Missing(hook));
            }
        }
        for (_, load) in loads {
            load.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        }
        Ok(())
    })
}

fn load_program(hook: &'static str, program: &mut Program) -> Result<(), KernelError> {
    let loaded = if let Program::CgroupSockAddr(program) = program {
        program.load()
    } else if let Program::CgroupSkb(program) = program {
        program.load()
    } else if let Program::SchedClassifier(program) = program {
        program.load()
    } else {
        return Err(KernelError::Missing(hook));
    };
    loaded.map_err(|source| program_error(hook, source))
}

/// The pinned maps of an enforcement.
pub(super) struct Maps(PinDir);

impl Maps {
    /// `None` when nothing is pinned there.
    pub(super) fn open(dir: &PinDir) -> Result<Option<Self>, KernelError> {
        Ok(dir.map(names::ALLOWED).exists().then(|| Self(dir.clone())))
    }

    /// The pin of a map that stands beside those of the programs.
    pub(super) fn pin(&self, name: &str) -> PathBuf {
        self.0.map(name)
    }

    /// A handle of its own on a map.
    pub(super) fn get(&self, name: &'static str) -> Result<MapData, KernelError> {
        MapData::from_pin(self.0.map(name)).map_err(KernelError::map("open", name))
    }
}

/// Wraps a map's data as the type that its place in the program says it is.
pub(super) fn typed<T: TryFrom<Map, Error = aya::maps::MapError>>(
    name: &'static str,
    map: Map,
) -> Result<T, KernelError> {
    T::try_from(map).map_err(KernelError::map("open", name))
}

fn object_error(error: EbpfError) -> KernelError {
    if is_permission(&error) {
        KernelError::NotPermitted
    } else {
        KernelError::Object(Box::new(error))
    }
}

fn program_error(program: &'static str, source: ProgramError) -> KernelError {
    if is_permission(&source) {
        return KernelError::NotPermitted;
    }
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = source
    {
        return KernelError::Refused {
            program,
            refusal: Box::new(Refusal::new(io_error, verifier_log.to_string())),
        };
    }
    KernelError::Program {
        program,
        source: Box::new(source),
    }
}

/// Whether `EPERM` is at the bottom of it.
fn is_permission(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.raw_os_error() == Some(libc::EPERM)
        {
            return true;
        }
        next = error.source();
    }
    false
}
