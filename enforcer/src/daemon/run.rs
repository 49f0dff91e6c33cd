//! `enforcer run`: follows the workloads of a host.

mod answers;
mod cluster;
mod interfaces;

use std::{
    fs::File,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use self::answers::Afterwards;
use super::{
    bell::Bell,
    cluster_set::ClusterSet,
    cluster_source::ClusterSource,
    context::Known,
    flows::FlowRecorder,
    metrics::MetricsServer,
    node::{Node, state_directory},
    pod_source::{PodSource, Told},
    renewal,
    reporter::{Reporter, RingBell},
    settings::{Settings, Unknown},
    tracer::{Tracer, traced},
};
#[cfg(feature = "cluster")]
use crate::cluster::{NodeName, follow};
use crate::{
    cluster::{Follower, Seen},
    control::{self, server::Server},
    events::{DaemonEvent, SinkSpec, clock},
    workloads::{Cgroup2, Extent, Pods, Scope, Watch, interfaces::LinkNotices},
};

/// How often repeats are told.
const SWEEP: Duration = Duration::from_secs(1);
/// Editors and `cp -r` change several files at once.
const SETTLE: Duration = Duration::from_millis(100);
/// Cgroups are looked at again even without notice.
const RESCAN: Duration = Duration::from_secs(10);
/// How often the daemon tells what it has counted.
const BEAT: Duration = Duration::from_secs(60);

/// Runs until a signal ends it. Enforcement goes on after that.
///
/// # Errors
/// Nothing could be put into force, or the daemon could not go on; what is in force stays.
pub fn run(settings: Settings, instance: &str) -> anyhow::Result<()> {
    let _lock = lock(instance)?;
    let cgroups = Cgroup2::find()?;
    let roots = settings
        .cgroup_roots
        .iter()
        .map(|root| cgroups.path_of(root));
    let scope = Scope {
        roots: roots.collect::<Result<_, _>>()?,
        unknown: settings.unknown.unwrap_or_default().into(),
        pods: Pods::default(),
        unresolved: settings.unresolved.unwrap_or(Unknown::Deny).into(),
    };
    if scope.roots.iter().any(|root| root == "/") {
        bail!("the root cgroup is the machine itself: name a cgroup below it");
    }
    let sinks = settings.sinks()?;
    let metrics = settings.metrics;
    let state = settings
        .state
        .clone()
        .unwrap_or_else(|| Path::new("/var/lib/enforcer").join(instance));
    // On a thread of its own, and before the daemon has any other.
    let follower = follower(&settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let pods = PodSource::new(settings.cri_socket.as_deref());
        let (cluster, set) = match follower {
            Some(follower) => {
                let source = ClusterSource::new(follower).await;
                let set = ClusterSet::open(&state_directory(instance))?;
                let first = source.documents(set.documents());
                let set = set.first(first);
                (Some(source), set)
            }
            None => (None, ClusterSet::none(PathBuf::new())),
        };
        let node = Node::start(settings, scope, cgroups, set, instance)?;
        let mut daemon = Daemon::new(node, pods, &sinks, &state, instance)?;
        daemon.cluster = cluster;
        // What was seen while it started is news to the rest of it.
        daemon.attend_cluster(&Seen::default());
        daemon.attend(metrics).await
    })
}

/// Follows the cluster, where that was asked for.
#[cfg(feature = "cluster")]
fn follower(settings: &Settings) -> anyhow::Result<Option<Follower>> {
    let node = settings.cluster_node.as_deref();
    let follower = node.map(|node| follow(NodeName(node.into()))).transpose();
    follower.context("follow the cluster")
}

#[cfg(not(feature = "cluster"))]
fn follower(_settings: &Settings) -> anyhow::Result<Option<Follower>> {
    Ok(None)
}

/// One daemon for an instance.
fn lock(instance: &str) -> anyhow::Result<File> {
    let path = control::lock_path(instance);
    let open = || -> io::Result<File> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        File::create(&path)
    };
    let file = open().with_context(|| format!("make {}: are you root?", path.display()))?;
    if file.try_lock().is_err() {
        bail!("a daemon for instance `{instance}` is running: stop it, or use another --instance");
    }
    Ok(file)
}

struct Daemon {
    node: Node,
    reporter: Reporter,
    instance: String,
    cgroups: Bell<Watch>,
    sources: Bell<Watch>,
    links: Bell<LinkNotices>,
    pods: PodSource,
    cluster: Option<ClusterSource>,
}

impl Daemon {
    fn new(
        mut node: Node,
        pods: PodSource,
        sinks: &[SinkSpec],
        state: &Path,
        instance: &str,
    ) -> anyhow::Result<Self> {
        let mut known = Known::default();
        node.introduce(&mut known);
        let mut reporter = Reporter::new(node.enforcement(), known, sinks, Some(state))?;
        reporter.record_flows(FlowRecorder::new(node.recording()));
        reporter.tell(node.started());
        if node.last_error().is_some() {
            reporter.tell(node.reloaded());
        }
        for warning in node
            .image()
            .map(|(_, geo)| geo.warnings(SystemTime::now()))
            .unwrap_or_default()
        {
            eprintln!("enforcer: warning: {warning}");
        }
        let mut daemon = Self {
            node,
            reporter,
            instance: instance.to_owned(),
            cgroups: Bell::new(Watch::of_cgroups()?)?,
            sources: Bell::new(Watch::of_files()?)?,
            links: Bell::new(LinkNotices::open()?)?,
            pods,
            cluster: None,
        };
        daemon.watch_sources()?;
        // What was made between the first look and the watch.
        daemon.rescan();
        Ok(daemon)
    }

    fn watch_sources(&mut self) -> io::Result<()> {
        let directories = self.node.sources();
        self.sources
            .notices
            .set(directories.iter().map(PathBuf::as_path))
    }

    async fn attend(mut self, metrics: Option<SocketAddr>) -> anyhow::Result<()> {
        let (requests, mut asked) = mpsc::channel(16);
        let metrics = match metrics {
            Some(address) => Some(MetricsServer::bind(address, requests.clone()).await?),
            None => None,
        };
        if let Some(metrics) = &metrics {
            eprintln!("enforcer: metrics on http://{}/metrics", metrics.address()?);
        }
        let server = Server::bind(&control::socket_path(&self.instance), requests)?;
        let bell = RingBell::new(&self.reporter)?;
        let mut tracer = match self.node.traces()? {
            Some(traces) => Some(Tracer::new(traces)?),
            None => None,
        };
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut rescan = interval(RESCAN);
        rescan.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let surveyed = self.node.surveyed();
        eprintln!("enforcer: ready");
        // Units that are ordered after this one start now.
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            eprintln!("enforcer: tell the service manager: {error}");
        }
        loop {
            tokio::select! {
                () = server.serve() => {}
                () = measured(metrics.as_ref()) => {}
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => {
                    self.reporter.reopen();
                    self.reload();
                }
                rung = bell.rung() => {
                    rung?;
                    self.reporter.drain();
                }
                rung = traced(tracer.as_ref()) => {
                    rung?;
                    self.trace(tracer.as_mut());
                }
                changed = self.sources.rung() => {
                    changed?;
                    tokio::time::sleep(SETTLE).await;
                    self.sources.notices.take()?;
                    self.reload();
                }
                changed = self.cgroups.rung() => {
                    let extent = self.node.extent_of(&changed?);
                    self.look(&extent);
                    // The runtime makes a pod's first container just before it tells of the pod.
                    if self.node.awaits_pods_in(&extent) {
                        self.pods.hurry();
                    }
                }
                changed = self.links.rung() => {
                    changed?;
                    self.node.interfaces_changed();
                    self.node.survey(Extent::nothing());
                }
                () = surveyed.notified() => self.take_survey(),
                told = self.pods.told() => match told {
                    Ok(told) => self.learn_pods(told),
                    Err(event) => self.reporter.tell(event),
                },
                before = ClusterSource::news(self.cluster.as_mut()) => self.attend_cluster(&before),
                _ = rescan.tick() => {
                    self.rescan();
                    if self.node.selects_pods() {
                        self.pods.ask();
                    }
                }
                _ = beat.tick() => self.reporter.beat(self.node.enforcement())?,
                () = renewal::due(self.node.until()) => self.renew(),
                _ = sweep.tick() => {
                    self.reporter.sweep(self.node.enforcement())?;
                    self.node.enforcement().expire_names(clock::boottime_ns())?;
                    self.expire();
                    self.give_up_on_pods();
                    self.attend_interfaces();
                    self.attend_trial();
                }
                Some(request) = asked.recv() => {
                    if self.answer(request) == Afterwards::End {
                        self.reporter.end_watches();
                        server.finish().await;
                        return Ok(());
                    }
                }
            }
        }
        self.trace(tracer.as_mut());
        self.reporter.sweep(self.node.enforcement())?;
        self.reporter.save_flows();
        self.reporter.tell(DaemonEvent::Stopped);
        Ok(())
    }

    fn trace(&mut self, tracer: Option<&mut Tracer>) {
        if let Some(tracer) = tracer {
            tracer.tell(self.reporter.known(), self.node.generation());
        }
    }

    fn reload(&mut self) {
        if let Err(error) = self.node.reload(Some(&mut self.reporter)) {
            eprintln!("enforcer: the change is refused, the old image stays in force\n{error:#}");
        }
        self.cover_devices();
        self.node.introduce(self.reporter.known());
        self.reporter.tell(self.node.reloaded());
        self.follow_refused();
        self.tell_news();
        if let Err(error) = self.watch_sources() {
            eprintln!("enforcer: watch: {error}");
        }
    }

    fn renew(&mut self) {
        if let Err(error) = self.node.renew(&mut self.reporter) {
            eprintln!("enforcer: an agreement ended, and the image with it is refused: {error:#}");
        }
        self.tell_news();
    }

    fn tell_news(&mut self) {
        for event in self.node.take_news() {
            self.reporter.tell(event);
        }
    }

    /// Looks at everything again.
    fn rescan(&mut self) {
        self.node.interfaces_changed();
        self.look(&Extent::All);
    }

    /// Looks at some cgroups again, and watches what is new there.
    fn look(&mut self, extent: &Extent) {
        let watched = self.node.watch(&mut self.cgroups.notices, extent);
        let outcome = self.node.look(extent, &mut self.reporter);
        self.tell_news();
        if let Err(error) = outcome.and(watched.map_err(Into::into)) {
            eprintln!("enforcer: look at the cgroups: {error:#}");
        }
        self.node.survey(extent.clone());
        if self.node.awaits_pods() {
            self.pods.ask();
        }
    }

    fn learn_pods(&mut self, told: Told) {
        if let Some(event) = told.news {
            self.reporter.tell(event);
        }
        self.pods.wait_longer();
        if let Some(extent) = self.node.learn_pods(told.pods) {
            self.look(&extent);
        } else if self.node.awaits_pods() {
            self.pods.ask();
        }
    }

    fn give_up_on_pods(&mut self) {
        if let Some(extent) = self.node.give_up_on_pods() {
            self.look(&extent);
        }
    }

    fn expire(&mut self) {
        if let Err(error) = self.node.expire_isolations(&mut self.reporter) {
            eprintln!("enforcer: end an isolation: {error:#}");
        }
    }
}

/// Serves metrics, where that was asked for.
async fn measured(metrics: Option<&MetricsServer>) {
    match metrics {
        Some(metrics) => metrics.serve().await,
        None => std::future::pending().await,
    }
}
