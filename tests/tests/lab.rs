//! The laboratory itself, with nothing confined: what cannot get out here proves nothing elsewhere.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{IpAddr, SocketAddr},
    os::unix::fs::MetadataExt,
    time::Duration,
};

use enforcer_tests::{
    lab::{self, CLIENT_V4, CLIENT_V6, Cgroup, GATEWAY_V6, Peer, Probe, Recorder, World},
    probe::{Outcome, Step},
};

/// Whether an attempt is answered, or only arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Reply,
    Arrival,
}

/// Every kind that this kernel has, to a German and to an American address.
const WAYS: [(&str, &str, Expect); 42] = [
    ("tcp4 3.64.0.1:443", "3.64.0.1", Expect::Reply),
    ("tcp4 5.0.0.1:443", "5.0.0.1", Expect::Reply),
    ("tcp6 [2a05:d014::1]:443", "2a05:d014::1", Expect::Reply),
    ("tcp6 [2600:1f14::1]:443", "2600:1f14::1", Expect::Reply),
    ("tcp6 [::ffff:3.64.0.2]:443", "3.64.0.2", Expect::Reply),
    ("tcp6 [::ffff:5.0.0.2]:443", "5.0.0.2", Expect::Reply),
    ("tcp6 [64:ff9b::500:1]:443", "64:ff9b::500:1", Expect::Reply),
    ("mptcp 3.64.0.3:443", "3.64.0.3", Expect::Reply),
    ("mptcp [2600:1f14::3]:443", "2600:1f14::3", Expect::Reply),
    ("fastopen 3.64.0.4:443", "3.64.0.4", Expect::Reply),
    ("fastopen [2600:1f14::4]:443", "2600:1f14::4", Expect::Reply),
    ("io_uring 3.64.0.5:443", "3.64.0.5", Expect::Reply),
    ("io_uring [2600:1f14::5]:443", "2600:1f14::5", Expect::Reply),
    ("udp 3.64.0.6:53", "3.64.0.6", Expect::Reply),
    ("udp 5.0.0.6:53", "5.0.0.6", Expect::Reply),
    ("udp [2600:1f14::6]:53", "2600:1f14::6", Expect::Reply),
    ("udp [::ffff:5.0.0.7]:53", "5.0.0.7", Expect::Reply),
    ("udpc 3.64.0.8:53", "3.64.0.8", Expect::Reply),
    ("udpc [2600:1f14::8]:53", "2600:1f14::8", Expect::Reply),
    ("sendmmsg 3.64.0.9:53", "3.64.0.9", Expect::Reply),
    ("sendmmsg [2600:1f14::9]:53", "2600:1f14::9", Expect::Reply),
    ("bigudp 3.64.0.10:53", "3.64.0.10", Expect::Reply),
    ("bigudp [2600:1f14::10]:53", "2600:1f14::10", Expect::Reply),
    ("udplite 3.64.0.11:53", "3.64.0.11", Expect::Reply),
    ("udplite [2600:1f14::11]:53", "2600:1f14::11", Expect::Reply),
    ("ping 3.64.0.12", "3.64.0.12", Expect::Reply),
    ("ping 5.0.0.12", "5.0.0.12", Expect::Reply),
    ("ping 2600:1f14::12", "2600:1f14::12", Expect::Reply),
    ("rawping 3.64.0.13", "3.64.0.13", Expect::Reply),
    ("rawping 2600:1f14::13", "2600:1f14::13", Expect::Reply),
    ("raw4 3.64.0.14 47", "3.64.0.14", Expect::Arrival),
    ("raw4 5.0.0.14 253", "5.0.0.14", Expect::Arrival),
    ("raw6 2600:1f14::14 47", "2600:1f14::14", Expect::Arrival),
    ("raw-hdrincl 3.64.0.15", "3.64.0.15", Expect::Arrival),
    (
        "raw-hdrincl 5.0.0.16 3.64.0.16",
        "3.64.0.16",
        Expect::Arrival,
    ),
    ("rawfrag 5.0.0.17", "5.0.0.17", Expect::Arrival),
    ("rawfrag 2600:1f14::17", "2600:1f14::17", Expect::Arrival),
    (
        "rawopts [2600:1f14::21]:443",
        "2600:1f14::21",
        Expect::Arrival,
    ),
    (
        "rthdr 2600:1f14::18 2a05:d014::18",
        "2a05:d014::18",
        Expect::Arrival,
    ),
    ("packet 5.0.0.19", "5.0.0.19", Expect::Arrival),
    ("packet 2600:1f14::19", "2600:1f14::19", Expect::Arrival),
    ("udp-hold 3.64.0.20:53", "3.64.0.20", Expect::Arrival),
];

#[test]
fn every_way_out_arrives_when_nothing_is_confined() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let cgroup = Cgroup::new("ways").expect("a cgroup");
    let probe = Probe::new(&world).in_cgroup(&cgroup);
    for (attempt, dst, expect) in WAYS {
        let dst: IpAddr = dst.parse().expect("an address");
        assert_eq!(recorder.arrived_at(dst).expect("arrivals"), [], "{attempt}");
        let mut held = probe.start(attempt).expect("a probe");
        let mut outcome = held.outcome().expect("an outcome");
        if attempt.starts_with("udp-hold") {
            outcome = held.send().expect("an outcome");
        }
        assert_eq!(
            (outcome.ok, &outcome.errno_name),
            (true, &None),
            "{attempt}"
        );
        assert_eq!(
            outcome.reply,
            expect == Expect::Reply || attempt.starts_with("udp-hold"),
            "{attempt}: {outcome:?}"
        );
        let arrived = recorder.arrived_at(dst).expect("arrivals");
        assert!(!arrived.is_empty(), "{attempt}");
        let marked = arrived
            .iter()
            .any(|arrival| arrival.carries("enforcer-probe"));
        assert!(marked, "{attempt}: {arrived:?}");
    }
}

#[test]
fn arrivals_are_told_apart() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let probe = Probe::new(&world).marker("first");
    let ways = ["udp 5.0.0.1:53", "raw4 5.0.0.1 47"];
    probe.run(&ways).expect("outcomes");
    probe
        .marker("second")
        .attempt("udp 5.0.0.1:443")
        .expect("an outcome");
    let arrived = recorder.arrived_at([5, 0, 0, 1].into()).expect("arrivals");
    let seen: Vec<_> = arrived
        .iter()
        .map(|it| (it.proto, it.port, it.carries("first"), it.carries("second")))
        .collect();
    let udp = |port, first: bool| (Some(17), Some(port), first, !first);
    assert_eq!(
        seen,
        [
            udp(53, true),
            (Some(47), None, true, false),
            udp(443, false)
        ]
    );

    recorder.clear().expect("cleared");
    assert_eq!(
        recorder.arrived_at([5, 0, 0, 1].into()).expect("arrivals"),
        []
    );
}

#[test]
fn what_fails_is_named() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let probe = Probe::new(&world).timeout(Duration::from_millis(100));
    let refused = probe.attempt("tcp4 5.0.0.1:1").expect("an outcome");
    assert_eq!(named(&refused), (Some(Step::Connect), Some("ECONNREFUSED")));
    // Broadcast needs SO_BROADCAST.
    let forbidden = probe.attempt("udp 255.255.255.255:53").expect("an outcome");
    assert_eq!(named(&forbidden), (Some(Step::Send), Some("EACCES")));
    let nobody = probe.attempt("listen 8080").expect("ready");
    assert!(nobody.ready);
    let outcomes = probe.run(&["listen 8080"]).expect("outcomes");
    assert_eq!(named(&outcomes[1]), (Some(Step::Accept), Some("ETIMEDOUT")));
    assert!(probe.run(&["teleport 5.0.0.1"]).is_err());
}

fn named(outcome: &Outcome) -> (Option<Step>, Option<&str>) {
    (outcome.step, outcome.errno_name.as_deref())
}

#[test]
fn held_connections_go_on() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    for attempt in [
        "hold 5.0.0.1:443",
        "hold [2600:1f14::1]:443",
        "udp-hold 5.0.0.1:53",
    ] {
        let mut held = Probe::new(&world).start(attempt).expect("a probe");
        assert!(held.outcome().expect("connected").ok, "{attempt}");
        for _ in 0..3 {
            let outcome = held.send().expect("an outcome");
            assert!(outcome.ok && outcome.reply, "{attempt}: {outcome:?}");
        }
    }
}

#[test]
fn the_world_can_open_connections_to_the_client() {
    let world = World::new().expect("a world");
    for (from, client) in [
        ("5.0.0.1:40000", IpAddr::from(CLIENT_V4)),
        ("[2600:1f14::1]:40000", IpAddr::from(CLIENT_V6)),
    ] {
        let from: SocketAddr = from.parse().expect("an address");
        let mut server = Probe::new(&world).start("listen 8080").expect("a probe");
        assert!(server.outcome().expect("ready").ready);
        let mut stream =
            Peer::connect_into(&world, from, (client, 8080).into()).expect("a connection");
        stream.write_all(b"hello").expect("sent");
        let mut back = [0; 5];
        stream.read_exact(&mut back).expect("the echo");
        assert_eq!(&back, b"hello");
        assert!(server.outcome().expect("an outcome").reply);

        let mut server = Probe::new(&world)
            .start("udp-listen 8053")
            .expect("a probe");
        assert!(server.outcome().expect("ready").ready);
        let socket = Peer::udp_at(&world, from).expect("a socket");
        socket.send_to(b"hello", (client, 8053)).expect("sent");
        let (length, sender) = socket.recv_from(&mut back).expect("the echo");
        assert_eq!((&back[..length], sender.ip()), (&b"hello"[..], client));
    }
}

#[test]
fn probes_run_in_their_cgroup_and_go_with_it() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let cgroup = Cgroup::new("probes").expect("a cgroup");
    let child = cgroup.child("inner").expect("a child");
    assert_ne!(cgroup.id().expect("an id"), child.id().expect("an id"));
    let mut held = Probe::new(&world)
        .in_cgroup(&child)
        .start("hold 5.0.0.1:443")
        .expect("a probe");
    assert!(held.outcome().expect("connected").ok);
    let membership = fs::read_to_string(format!("/proc/{}/cgroup", held.pid())).expect("cgroups");
    let unified = membership.lines().find_map(|line| line.strip_prefix("0::"));
    assert_eq!(unified, Some(child.below_mount().as_str()));

    let path = cgroup.path().to_owned();
    drop(cgroup);
    assert!(!path.exists(), "{}", path.display());
    assert!(held.send().is_err(), "the probe outlived its cgroup");
}

#[test]
fn nothing_is_left_over() {
    for _ in 0..2 {
        let links = links_of_the_host();
        let world = World::new().expect("a world");
        let namespaces = [world.client.path(), world.peer.path()]
            .map(|path| fs::metadata(path).expect("a namespace").ino());
        let panicked = std::thread::spawn(move || {
            let _peer = Peer::new(&world).expect("a peer");
            let _recorder = Recorder::new(&world).expect("a recorder");
            let cgroup = Cgroup::new("leftover").expect("a cgroup");
            let _held = Probe::new(&world)
                .in_cgroup(&cgroup)
                .start("hold 5.0.0.1:443")
                .expect("a probe");
            std::panic::resume_unwind(Box::new(cgroup.path().to_owned()));
        });
        let cgroup = panicked.join().expect_err("it panics");
        let cgroup: &std::path::PathBuf = cgroup.downcast_ref().expect("a path");
        assert!(!cgroup.exists(), "{}", cgroup.display());
        assert_eq!(links_of_the_host(), links);
        for namespace in namespaces {
            assert!(
                !open_here(namespace),
                "a descriptor keeps net:[{namespace}]"
            );
        }
    }
}

fn links_of_the_host() -> BTreeSet<String> {
    let links = fs::read_dir("/sys/class/net").expect("links");
    links
        .map(|link| {
            link.expect("a link")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

/// Whether this process holds the network namespace with that inode.
fn open_here(namespace: u64) -> bool {
    let wanted = format!("net:[{namespace}]");
    let descriptors = fs::read_dir("/proc/self/fd").expect("descriptors");
    descriptors
        .filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok())
        .any(|target| target.to_string_lossy() == wanted)
}

#[test]
fn the_cgroup2_mount_is_one() {
    let mount = lab::mount().expect("a mount");
    assert!(
        mount.join("cgroup.controllers").is_file(),
        "{}",
        mount.display()
    );
}

#[test]
fn the_gateway_is_a_neighbour() {
    let world = World::new().expect("a world");
    let outcome = Probe::new(&world)
        .attempt(&format!("ping {GATEWAY_V6}"))
        .expect("an outcome");
    assert!(outcome.reply, "{outcome:?}");
}
