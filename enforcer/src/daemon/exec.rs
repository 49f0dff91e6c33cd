//! One command, confined: its own cgroup, its own programs, gone when it is.

mod recipe;

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io,
    os::{fd::AsFd as _, unix::process::ExitStatusExt as _},
    path::PathBuf,
    process::{self, ExitStatus},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use enforcer_common::abi::{ClassId, Tag};
use tokio::{
    process::{Child, Command},
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{
    confine::Restrictions,
    context::Known,
    exec::recipe::Recipe,
    interfaces, renewal,
    reporter::{Reporter, RingBell},
};
use crate::{
    compile::Image,
    events::{SinkSpec, WorkloadInfo, WorkloadKind, clock},
    geo::GeoSet,
    kernel::{Enforcement, Interfaces, Loading, Object, PinDir},
    policy::{Minute, Policy},
    workloads::Cgroup2,
};

/// How often repeats are told.
const SWEEP: Duration = Duration::from_secs(1);

/// What to run, and under what.
pub struct Plan {
    /// The command and its arguments; never empty.
    pub command: Vec<OsString>,
    /// Loaded policies; those that select `exec` apply.
    pub policies: Vec<Policy>,
    /// The databases.
    pub geo: GeoSet,
    /// Where events go.
    pub sinks: Vec<SinkSpec>,
    /// Keeps pins and cgroups apart.
    pub instance: String,
    /// The kernel programs.
    pub programs: Loading,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By itself, with this status.
    Exited(ExitStatus),
    /// It was never started: there is no such program.
    NotFound,
    /// It was never started: the program cannot be executed.
    NotExecutable,
}

impl Outcome {
    /// The exit status of a shell: 126 and 127 for what could not be started, 128 and the number for
    /// a signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(status) => match (status.code(), status.signal()) {
                (Some(code), _) => code as u8,
                (None, Some(signal)) => 128_u8.wrapping_add(signal as u8),
                (None, None) => 125,
            },
            Self::NotFound => 127,
            Self::NotExecutable => 126,
        }
    }
}

/// Runs the command to its end.
///
/// # Errors
/// Enforcement could not be set up; the command was not started.
pub fn run(plan: Plan) -> anyhow::Result<Outcome> {
    refuse_inherited_sockets()?;
    let mut recipe = Recipe::new(plan.policies, plan.geo)?;
    let (image, _) = recipe.make(1)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let programs = plan.programs.finish()?;
    let cage = Cage::make(&plan.instance, programs, &image)?;
    let outcome = runtime.block_on(cage.run(plan.command, recipe, &plan.sinks, &image))?;
    Ok(outcome)
}

/// A descriptor that the command inherits could already be connected anywhere: a socket belongs to
/// the cgroup it was created in.
fn refuse_inherited_sockets() -> anyhow::Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let standard = [
        (stdin.as_fd(), "standard input"),
        (stdout.as_fd(), "standard output"),
        (stderr.as_fd(), "standard error"),
    ];
    for (fd, name) in standard {
        let family = rustix::net::sockopt::socket_domain(fd);
        if family.is_ok_and(|family| family != rustix::net::AddressFamily::UNIX) {
            bail!("{name} is a network socket, which no policy could take back: redirect it");
        }
    }
    Ok(())
}

/// When the image in force has to be made anew, and from what.
struct Renewal {
    recipe: Recipe,
    due: Option<Minute>,
    generation: u64,
}

/// A cgroup with enforcement, made for one command.
struct Cage {
    cgroups: Cgroup2,
    path: String,
    enforcement: Enforcement,
}

impl Cage {
    fn make(instance: &str, programs: Object, image: &Image) -> anyhow::Result<Self> {
        let cgroups = Cgroup2::find()?;
        sweep_old(&cgroups, instance);
        let name = format!("exec-{}", process::id());
        let path = format!("/enforcer-{instance}/{name}");
        let cgroup = cgroups.make(&path)?;
        let dir = PinDir::of_exec(instance, &name);
        let made = Enforcement::create(dir.clone(), programs).and_then(|mut enforcement| {
            enforcement.publish(image)?;
            enforcement.tag(cgroup, Tag::judged(ClassId(0)))?;
            enforcement.attach(&cgroups.directory(&path))?;
            // What is there before the command is not the command's.
            interfaces::trust(&mut enforcement, Interfaces::all());
            Ok(enforcement)
        });
        match made {
            Ok(enforcement) => Ok(Self {
                cgroups,
                path,
                enforcement,
            }),
            Err(error) => {
                remove(&cgroups, &dir, &path);
                Err(error.into())
            }
        }
    }

    async fn run(
        mut self,
        command: Vec<OsString>,
        recipe: Recipe,
        sinks: &[SinkSpec],
        image: &Image,
    ) -> anyhow::Result<Outcome> {
        let mut known = Known::default();
        known.learn_image(image);
        known.learn_geo(Arc::clone(&recipe.geo));
        let cgroup = self.cgroups.id(&self.path)?;
        known.learn_workload(
            cgroup,
            &self.path,
            WorkloadInfo {
                name: command[0].to_string_lossy().into(),
                kind: WorkloadKind::Exec,
            },
        );
        let renewal = Renewal {
            recipe,
            due: image.until(),
            generation: image.generation(),
        };
        let outcome = self.confine(&command, known, sinks, renewal).await;
        self.leave();
        outcome
    }

    async fn confine(
        &mut self,
        command: &[OsString],
        known: Known,
        sinks: &[SinkSpec],
        renewal: Renewal,
    ) -> anyhow::Result<Outcome> {
        let mut reporter = Reporter::new(&mut self.enforcement, known, sinks, None)?;
        // From here on a signal is the command's: it must not end what cleans up after it.
        let signals = Signals::new()?;
        match self.spawn(command)? {
            Ok(child) => {
                let status = self.attend(child, &mut reporter, signals, renewal).await?;
                Ok(Outcome::Exited(status))
            }
            Err(outcome) => Ok(outcome),
        }
    }

    /// Starts the command inside the cgroup, with no descriptor but the standard three.
    fn spawn(&self, command: &[OsString]) -> anyhow::Result<Result<Child, Outcome>> {
        let procs = self.cgroups.directory(&self.path).join("cgroup.procs");
        let procs = OpenOptions::new()
            .write(true)
            .open(&procs)
            .context("enter the cgroup")?;
        let restrictions = Restrictions::compile().context("prepare the seccomp filters")?;
        let mut child = Command::new(&command[0]);
        child.args(&command[1..]);
        // SAFETY: the closure makes system calls and allocates nothing.
        unsafe { child.pre_exec(move || enter(&procs, &restrictions)) };
        match child.spawn() {
            Ok(child) => Ok(Ok(child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("enforcer: {}: no such command", command[0].display());
                Ok(Err(Outcome::NotFound))
            }
            Err(error) => {
                eprintln!("enforcer: {}: {error}", command[0].display());
                Ok(Err(Outcome::NotExecutable))
            }
        }
    }

    /// Reports until the command ends, and passes signals on.
    async fn attend(
        &mut self,
        mut child: Child,
        reporter: &mut Reporter,
        mut signals: Signals,
        mut renewal: Renewal,
    ) -> anyhow::Result<ExitStatus> {
        let bell = RingBell::new(reporter)?;
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                rung = bell.rung() => {
                    rung?;
                    reporter.drain();
                }
                _ = sweep.tick() => {
                    reporter.sweep(&mut self.enforcement)?;
                    self.enforcement.expire_names(clock::boottime_ns())?;
                }
                signal = signals.next() => pass_on(&child, signal),
                () = renewal::due(renewal.due) => self.renew(&mut renewal, reporter)?,
            }
        };
        reporter.sweep(&mut self.enforcement)?;
        Ok(status)
    }

    /// An agreement ended: the same policies mean something else now.
    fn renew(&mut self, renewal: &mut Renewal, reporter: &mut Reporter) -> anyhow::Result<()> {
        renewal.generation += 1;
        let (image, ended) = renewal.recipe.make(renewal.generation)?;
        reporter.known().learn_image(&image);
        self.enforcement.publish(&image)?;
        renewal.due = image.until();
        for event in ended {
            reporter.tell(event);
        }
        Ok(())
    }

    /// Removes everything, unless processes were left behind: they stay confined.
    fn leave(self) {
        let Self {
            cgroups,
            path,
            enforcement,
        } = self;
        if cgroups.is_populated(&path) {
            eprintln!(
                "enforcer: processes are left in {path} and stay confined; `enforcer detach` ends it"
            );
            return;
        }
        let dir = enforcement.dir().clone();
        drop(enforcement);
        remove(&cgroups, &dir, &path);
    }
}

/// Between fork and exec.
fn enter(mut procs: &File, restrictions: &Restrictions) -> io::Result<()> {
    io::Write::write_all(&mut procs, b"0")?;
    // Close on exec rather than now: the standard library still needs its pipe to report failure.
    // SAFETY: only marks descriptors.
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if marked != 0 {
        return Err(io::Error::last_os_error());
    }
    restrictions.install()
}

/// Signals that the command should get instead of us.
struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> libc::c_int {
        tokio::select! {
            _ = self.terminate.recv() => libc::SIGTERM,
            _ = self.hang_up.recv() => libc::SIGHUP,
            _ = self.interrupt.recv() => libc::SIGINT,
            _ = self.quit.recv() => libc::SIGQUIT,
        }
    }
}

/// A terminal sends interrupt and quit to the whole foreground group: the command has them already.
fn pass_on(child: &Child, signal: libc::c_int) {
    let from_terminal =
        [libc::SIGINT, libc::SIGQUIT].contains(&signal) && rustix::termios::isatty(io::stdin());
    if let (Some(pid), false) = (child.id(), from_terminal) {
        // SAFETY: sends a signal to the child, which is not yet waited for.
        unsafe { libc::kill(pid as libc::pid_t, signal) };
    }
}

/// Removes what an `exec` left that was killed, once its processes are gone.
fn sweep_old(cgroups: &Cgroup2, instance: &str) {
    let parent = format!("/enforcer-{instance}");
    for path in cgroups.children(&parent) {
        let Some(name) = path.rsplit('/').next() else {
            continue;
        };
        let pid: Option<u32> = name.strip_prefix("exec-").and_then(|pid| pid.parse().ok());
        let running = pid.is_some_and(|pid| PathBuf::from(format!("/proc/{pid}")).exists());
        if !running && !cgroups.is_populated(&path) {
            remove(cgroups, &PinDir::of_exec(instance, name), &path);
        }
    }
}

fn remove(cgroups: &Cgroup2, dir: &PinDir, path: &str) {
    if let Err(error) = dir.remove() {
        eprintln!("enforcer: {error}");
    }
    if let Err(error) = cgroups.remove(path) {
        eprintln!("enforcer: {error}");
    }
    // The last one turns off the light; another may be running.
    let parents = [
        dir.path().parent().map(PathBuf::from),
        cgroups.directory(path).parent().map(PathBuf::from),
    ];
    for parent in parents.into_iter().flatten() {
        match std::fs::remove_dir(&parent) {
            Ok(()) | Err(_) => {}
        }
    }
}
