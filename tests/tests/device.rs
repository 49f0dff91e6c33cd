//! What a pod sends past its sockets is judged where it enters the host.

use std::{
    fs,
    io::{IoSlice, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixListener, process::CommandExt},
    },
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use enforcer_tests::lab::{
    self, CLIENT_V4, CLIENT_V6, Cgroup, Daemon, Held, Node, Peer, Pod, Probe, Recorder, WAYS,
    assert_fields,
};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(120);

/// A pod with a process, on a node with a policy for it.
struct Lab {
    pod: Pod,
    node: Node,
    workload: Cgroup,
    _peer: Peer,
}

impl Lab {
    fn new() -> Self {
        let pod = Pod::new().expect("a pod");
        let peer = Peer::new(&pod.world).expect("a peer");
        let node = Node::new().expect("a node");
        let workload = node.root.child("llm").expect("a cgroup");
        // The link's own addresses, so that the recorder's sentinels pass.
        let link = "    - {name: link, action: allow, peers: [{cidrs: [10.213.0.0/30]}]}\n";
        let policy = node.policy("llm", &["DE"]) + link;
        node.write_policy(&policy).expect("a policy");
        Self {
            pod,
            node,
            workload,
            _peer: peer,
        }
    }

    /// A process in the pod, by which its interface is found.
    fn inhabit(&self) -> Held {
        let probe = Probe::new(&self.pod.world).timeout(LONG);
        let mut held = probe
            .in_cgroup(&self.workload)
            .start("listen 8080")
            .expect("a probe");
        assert!(held.outcome().expect("ready").ready);
        held
    }

    fn start(&self) -> Daemon {
        let daemon = self.node.start_in(&self.pod.node).expect("a daemon");
        self.wait_until_attached();
        daemon
    }

    /// Waits until both programs are at the interface that the pod has now.
    fn wait_until_attached(&self) {
        let name = Pod::HOST_END;
        let index = self
            .pod
            .node
            .run(|| Ok(nix::net::if_::if_nametoindex(name)?));
        let index = index.expect("an interface").to_string();
        let attached = || {
            let runs = fs::read_dir(self.node.instance.pins()).ok()?;
            let mut links = runs
                .filter_map(|run| fs::read_dir(run.ok()?.path().join("devices").join(&index)).ok());
            Some(links.next()?.count() == 2)
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while attached() != Some(true) {
            assert!(Instant::now() < deadline, "nothing is attached to {index}");
            thread::yield_now();
        }
    }

    /// Runs a way in the pod, and says whether the packet got to the world.
    fn gets_out(&self, recorder: &Recorder<'_>, cgroup: &Cgroup, script: &str, to: &str) -> bool {
        let marker = format!("to-{to}");
        let mut shell = Command::new("sh");
        self.pod
            .world
            .client
            .confine(&mut shell)
            .expect("a namespace");
        cgroup.confine(&mut shell).expect("a cgroup");
        let output = shell
            .args(["-c", &lab::defined(script), "sh", to, &marker])
            .env("PROBE", lab::binary("probe").expect("the probe"))
            .stdin(Stdio::null())
            .output()
            .expect("a shell");
        let arrivals = recorder.arrivals().expect("arrivals");
        recorder.clear().expect("cleared");
        let arrived = arrivals.iter().any(|it| it.carries(&marker));
        println!("{script}: {to}: {arrived}: {output:?}");
        arrived
    }
}

#[test]
fn no_way_past_the_sockets_gets_out() {
    let lab = Lab::new();
    let recorder = Recorder::new(&lab.pod.world).expect("a recorder");
    let free = Cgroup::new("free").expect("a cgroup");
    for (way, script, addresses, _) in WAYS {
        for to in addresses {
            let leaks = lab.gets_out(&recorder, &free, script, to);
            assert!(leaks, "{way} to {to} does not work at all");
        }
    }
    let _held = lab.inhabit();
    let _daemon = lab.start();
    for (way, script, [allowed, refused], reachable) in WAYS {
        for cgroup in [&lab.workload, &free] {
            let leaks = lab.gets_out(&recorder, cgroup, script, refused);
            assert!(!leaks, "{way} to {refused}");
            let passes = lab.gets_out(&recorder, cgroup, script, allowed);
            assert_eq!(passes, reachable, "{way} to {allowed}");
        }
    }
    let status = lab.node.status().expect("a status");
    assert_fields(
        workload(&status, &lab.workload),
        &[
            ("/device/covered", json!(true)),
            ("/device/interfaces", json!([Pod::HOST_END])),
        ],
    );
    assert!(counted(&status, "not_ip") > 0, "{status}");
    let told = lab.node.events.wait_until(|events| {
        let of_device = |event: &&Value| event["enforcer"]["hook"] == "device";
        events.iter().filter(of_device).count() > 0
    });
    told.expect("an event of the interface");
}

#[test]
fn sockets_from_elsewhere_get_nowhere_else() {
    let lab = Lab::new();
    let recorder = Recorder::new(&lab.pod.world).expect("a recorder");
    let given = |to: &str| -> OwnedFd {
        let to: SocketAddr = to.parse().expect("an address");
        let open = || {
            let socket = UdpSocket::bind(("0.0.0.0", 0))?;
            socket.connect(to)?;
            Ok(socket)
        };
        lab.pod.world.client.run(open).expect("a socket").into()
    };
    let arrives = |socket: &OwnedFd, to: &str| {
        let from = socket.as_raw_fd();
        let mut shell = Command::new("sh");
        lab.workload.confine(&mut shell).expect("a cgroup");
        let hand_over = move || {
            // SAFETY: one system call on a descriptor that is open until the command has started.
            match unsafe { libc::dup2(from, 9) } {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            }
        };
        // SAFETY: between fork and exec the closure makes one system call and does not allocate.
        unsafe { shell.pre_exec(hand_over) };
        let output = shell.args(["-c", "echo handed-over >&9"]).output();
        let output = output.expect("a shell");
        let to: IpAddr = to.parse().expect("an address");
        let arrived = recorder.arrived_at(to).expect("arrivals");
        recorder.clear().expect("cleared");
        assert!(arrived.is_empty() || output.status.success(), "{output:?}");
        !arrived.is_empty()
    };
    let sockets = [given("52.0.0.1:53"), given("3.64.0.1:53")];
    assert!(arrives(&sockets[0], "52.0.0.1"), "it does not work at all");
    let _held = lab.inhabit();
    let _daemon = lab.start();
    assert!(!arrives(&sockets[0], "52.0.0.1"));
    assert!(arrives(&sockets[1], "3.64.0.1"));
}

#[test]
fn sockets_that_are_handed_over_get_nowhere_else() {
    let lab = Lab::new();
    let recorder = Recorder::new(&lab.pod.world).expect("a recorder");
    let directory = tempfile::tempdir().expect("a directory");
    // Opened in the pod's network, by somebody who is not in the pod.
    let open = |to: &str| -> OwnedFd {
        let to: SocketAddr = to.parse().expect("an address");
        let connect = || Ok(TcpStream::connect(to)?);
        lab.pod.world.client.run(connect).expect("a socket").into()
    };
    let arrives = |socket: &OwnedFd, marker: &str| {
        let at = directory.path().join(marker);
        let listener = UnixListener::bind(&at).expect("a listener");
        let probe = Probe::new(&lab.pod.world).marker(marker);
        let outcome = thread::scope(|scope| {
            scope.spawn(|| give(&listener, socket));
            let taken = format!("handed {}", at.display());
            probe.in_cgroup(&lab.workload).attempt(&taken)
        });
        let outcome = outcome.expect("an outcome");
        assert!(outcome.ok, "{outcome:?}");
        let arrivals = recorder.arrivals().expect("arrivals");
        arrivals.iter().any(|it| it.carries(marker))
    };
    let sockets = [open("52.0.0.1:443"), open("3.64.0.1:443")];
    assert!(arrives(&sockets[0], "refused-1"), "it does not work at all");
    let _held = lab.inhabit();
    let _daemon = lab.start();
    assert!(!arrives(&sockets[0], "refused-2"));
    assert!(arrives(&sockets[1], "allowed-1"));
}

/// Hands a socket to whoever connects (unix(7), `SCM_RIGHTS`).
fn give(listener: &UnixListener, socket: &OwnedFd) {
    let (stream, _) = listener.accept().expect("somebody");
    let descriptors = [socket.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let (to, word) = (stream.as_raw_fd(), [IoSlice::new(b"x")]);
    sendmsg::<()>(to, &word, &rights, MsgFlags::empty(), None).expect("handed over");
}

#[test]
fn it_outlives_the_daemon_and_follows_the_interface() {
    let lab = Lab::new();
    let recorder = Recorder::new(&lab.pod.world).expect("a recorder");
    let _held = lab.inhabit();
    let confined = |state: &str| {
        for (way, script, [allowed, refused], reachable) in &WAYS[..2] {
            let out = |to| lab.gets_out(&recorder, &lab.workload, script, to);
            assert!(!out(refused), "{state}: {way}");
            assert_eq!(out(allowed), *reachable, "{state}: {way}");
        }
    };
    let daemon = lab.start();
    confined("running");
    daemon.kill().expect("killed");
    confined("killed");
    let daemon = lab.start();
    confined("adopted");
    lab.pod.renew_interface().expect("a new interface");
    lab.wait_until_attached();
    confined("with a new interface");
    daemon.terminate().expect("ended");
    let detach = lab
        .node
        .instance
        .verb("detach")
        .expect("a command")
        .output();
    assert!(detach.expect("detach").status.success());
    let (way, script, [_, refused], _) = WAYS[0];
    assert!(
        lab.gets_out(&recorder, &lab.workload, script, refused),
        "{way} is still shut"
    );
    assert!(!lab.node.instance.pins().exists());
}

#[test]
fn what_the_other_side_opened_is_answered() {
    let lab = Lab::new();
    let mut held = lab.inhabit();
    let _daemon = lab.start();
    let world = &lab.pod.world;
    let from: SocketAddr = "52.0.0.1:40000".parse().expect("an address");
    let mut stream = Peer::connect_into(world, from, (CLIENT_V4, 8080).into()).expect("accepted");
    stream.write_all(b"hello").expect("sent");
    let mut back = [0; 5];
    stream.read_exact(&mut back).expect("the echo");
    assert_eq!(&back, b"hello");
    assert!(held.outcome().expect("served").reply);

    let probe = Probe::new(world).timeout(LONG).in_cgroup(&lab.workload);
    let mut server = probe.start("udp-listen 8053").expect("a probe");
    assert!(server.outcome().expect("ready").ready);
    let from: SocketAddr = "[2600:1f14::1]:40000".parse().expect("an address");
    let caller = Peer::udp_at(world, from).expect("a socket");
    caller.send_to(b"hello", (CLIENT_V6, 8053)).expect("sent");
    let (length, _) = caller.recv_from(&mut back).expect("the echo");
    assert_eq!(&back[..length], b"hello");

    // A port at which nobody listens answers with a reset, and with an ICMP error.
    let from: SocketAddr = "52.0.0.2:40000".parse().expect("an address");
    let refused = Peer::connect_into(world, from, (CLIENT_V4, 9999).into());
    let said = format!("{:#}", refused.expect_err("nobody listens"));
    assert!(said.contains("refused"), "{said}");
    let caller = Peer::udp_at(world, from).expect("a socket");
    caller.connect((CLIENT_V4, 9999)).expect("connected");
    caller.send(b"hello").expect("sent");
    let error = caller.recv(&mut back).expect_err("nobody listens");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_hosts_routes_and_filters_see_the_mark() {
    let lab = Lab::new();
    let policy = lab.node.policy("llm", &["DE"]);
    let marked = policy.replace("  mode:", "  tag: {mark: 0x5e0}\n  mode:");
    assert_ne!(marked, policy);
    lab.node.write_policy(&marked).expect("a policy");
    let _held = lab.inhabit();
    let _daemon = lab.start();
    // What carries the mark goes nowhere, so only the mark can make an attempt fail.
    let mut nft = Command::new("nft");
    lab.pod.node.confine(&mut nft).expect("a namespace");
    let rules = "add table bridge lab
        add chain bridge lab forward { type filter hook forward priority 0 ; }
        add rule bridge lab forward ip daddr 3.64.9.0/24 meta mark 0x5e0 drop";
    assert!(nft.arg(rules).status().expect("nft").success());
    let probe = Probe::new(&lab.pod.world).in_cgroup(&lab.workload);
    let outcomes = probe.run(&["udp 3.64.0.1:53", "udp 3.64.9.1:53"]);
    let replies: Vec<bool> = outcomes
        .expect("outcomes")
        .iter()
        .map(|it| it.reply)
        .collect();
    assert_eq!(replies, [true, false]);
}

#[test]
fn packets_in_fragments_arrive() {
    let lab = Lab::new();
    let ports = lab.node.policy("llm", &["DE"]).replace(
        "peers: [{countries: [DE]}]}",
        "peers: [{countries: [DE]}], ports: [53/udp]}",
    );
    assert!(ports.contains("53/udp"), "{ports}");
    lab.node.write_policy(&ports).expect("a policy");
    let _held = lab.inhabit();
    let _daemon = lab.start();
    let probe = Probe::new(&lab.pod.world).in_cgroup(&lab.workload);
    for attempt in ["bigudp 3.64.0.1:53", "bigudp [2a05:d014::1]:53"] {
        let outcome = probe.attempt(attempt).expect("an outcome");
        assert!(outcome.reply, "{attempt}: {outcome:?}");
    }
}

fn workload<'a>(status: &'a Value, cgroup: &Cgroup) -> &'a Value {
    let mut workloads = status["workloads"].as_array().into_iter().flatten();
    workloads
        .find(|workload| workload["cgroup"] == cgroup.below_mount())
        .unwrap_or(&Value::Null)
}

fn counted(status: &Value, fault: &str) -> u64 {
    let mut faults = status["faults"].as_array().into_iter().flatten();
    let found = faults.find(|it| it["name"] == fault);
    found.and_then(|it| it["count"].as_u64()).unwrap_or(0)
}
