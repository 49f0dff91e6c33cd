//! Ways around: each leaks when nothing is confined, and not when it is.

use std::{
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use enforcer_tests::{
    lab::{self, Cgroup, Confined, Peer, Probe, Recorder, World},
    probe::Step,
};

/// Scripts for `sh` that run the attempts they are given (`"$PROBE" "$@"`) as somebody else.
const DISGUISES: [(&str, &str); 7] = [
    ("a child", r#"sh -c '"$PROBE" "$@"' sh "$@""#),
    ("a session of its own", r#"setsid --wait "$PROBE" "$@""#),
    ("a daemon", r#"(setsid "$PROBE" "$@" &)"#),
    (
        "a child cgroup",
        r#"own="$CGROUP2$(sed -n s/^0:://p /proc/self/cgroup)"
        mkdir -p "$own/inner/most"
        echo 0 > "$own/inner/most/cgroup.procs"
        exec "$PROBE" "$@""#,
    ),
    (
        "a user namespace",
        r#"exec unshare --user --map-root-user "$PROBE" "$@""#,
    ),
    (
        "a cgroup and mount namespace",
        r#"exec unshare --cgroup --mount "$PROBE" "$@""#,
    ),
    (
        "a network namespace behind this one",
        r#"set -e
        here=a$$ there=b$$
        ip link add $here type veth peer name $there
        ip addr add 192.0.2.1/24 dev $here
        ip link set $here up
        mkfifo "$DIRECTORY/go$$"
        unshare --net sh -c '
            read _ < "$1"; shift; there=$1; shift
            ip addr add 192.0.2.2/24 dev $there
            ip link set $there up
            ip route add default via 192.0.2.1
            exec "$PROBE" "$@"' sh "$DIRECTORY/go$$" $there "$@" &
        # Once it reads, it is in its namespace.
        exec 4> "$DIRECTORY/go$$"
        ip link set $there netns $!
        echo >&4
        wait $!"#,
    ),
];

#[test]
fn no_disguise_gets_out() {
    let world = World::new().expect("a world");
    world
        .client
        .sysctl("ipv4/ip_forward", "1")
        .expect("forwarding");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let cgroup = Cgroup::new("free").expect("a cgroup");
    let (refused, allowed) = ("52.0.0.1", "3.64.0.1");
    let arrives = |ip: &str| {
        let ip: IpAddr = ip.parse().expect("an address");
        !recorder.arrived_at(ip).expect("arrivals").is_empty()
    };
    for (disguise, script) in DISGUISES {
        let mut free = Command::new("sh");
        world.client.confine(&mut free).expect("a namespace");
        cgroup.confine(&mut free).expect("a cgroup");
        let output = run(&mut free, script);
        // Neighbours are looked for on the way: what was sent may still wait for them.
        let patience = Instant::now() + Duration::from_secs(10);
        let both = || arrives(refused) && arrives(allowed);
        while !both() {
            assert!(Instant::now() < patience, "{disguise}: {output:?}");
        }
        recorder.clear().expect("cleared");

        let confined = sovereign(&world);
        let output = run(confined.command().expect("exec").arg("sh"), script);
        assert!(!arrives(refused), "{disguise}: {output:?}");
        assert!(arrives(allowed), "{disguise}: {output:?}");
        recorder.clear().expect("cleared");
    }
}

/// What `sh` and everything that it leaves behind write.
fn run(shell: &mut Command, script: &str) -> Output {
    let directory = tempfile::tempdir().expect("a directory");
    shell
        .args(["-c", script, "sh"])
        .args(["--timeout-ms", "200", "udp 52.0.0.1:53", "udp 3.64.0.1:53"])
        .env("PROBE", lab::binary("probe").expect("the probe"))
        .env("CGROUP2", lab::mount().expect("a mount"))
        .env("DIRECTORY", directory.path())
        .stdin(Stdio::null())
        .output()
        .expect("a shell")
}

#[test]
fn ways_past_the_connect_hook_are_shut() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let ways = [
        ("fastopen 52.0.0.1:443", Step::Send, "EPERM"),
        ("fastopen [2600:1f14::1]:443", Step::Send, "EPERM"),
        ("mptcp 52.0.0.2:443", Step::Connect, "EPERM"),
        ("sendmmsg 52.0.0.3:53", Step::Send, "EPERM"),
        // A ring opens and connects sockets past seccomp, so there is none.
        ("io_uring 52.0.0.4:443", Step::Socket, "ENOSYS"),
        ("io_uring 3.64.0.4:443", Step::Socket, "ENOSYS"),
        // Packet sockets pass no hook of a cgroup, so there are none.
        ("packet 52.0.0.5", Step::Socket, "EPERM"),
        ("packet 2600:1f14::5", Step::Socket, "EPERM"),
        ("packet 3.64.0.5", Step::Socket, "EPERM"),
    ];
    let run = sovereign(&world)
        .run(&Probe::new(&world), &ways.map(|way| way.0))
        .expect("outcomes");
    for ((attempt, step, errno), outcome) in ways.iter().zip(&run.outcomes) {
        let seen = (outcome.step, outcome.errno_name.as_deref());
        assert_eq!(seen, (Some(*step), Some(*errno)), "{attempt}");
    }
    let arrivals = recorder.arrivals().expect("arrivals");
    assert!(
        arrivals
            .iter()
            .all(|it| !it.carries("enforcer-probe") && it.proto != Some(6)),
        "{arrivals:?}"
    );
}

#[test]
fn inherited_sockets_are_closed() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let recorder = Recorder::new(&world).expect("a recorder");
    let to: SocketAddr = "52.0.0.1:443".parse().expect("an address");
    let open = || {
        world.client.run(|| {
            let udp = UdpSocket::bind(("0.0.0.0", 0))?;
            udp.connect(to)?;
            Ok([OwnedFd::from(TcpStream::connect(to)?), OwnedFd::from(udp)])
        })
    };
    let send = "echo inherited >&9";
    for socket in open().expect("sockets") {
        let mut free = Command::new("sh");
        hand_over(&mut free, &socket);
        let output = free.args(["-c", send]).output().expect("a shell");
        assert!(output.status.success(), "{output:?}");
        assert!(leaked(&recorder), "{output:?}");
        recorder.clear().expect("cleared");

        let confined = sovereign(&world);
        let mut command = confined.command().expect("exec");
        hand_over(&mut command, &socket);
        let output = command.args(["sh", "-c", send]).output().expect("exec");
        assert!(!output.status.success(), "{output:?}");
        assert!(!leaked(&recorder), "{output:?}");
    }
}

#[test]
fn a_socket_as_standard_input_is_refused() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let stream = world
        .client
        .run(|| Ok(TcpStream::connect("52.0.0.1:443")?))
        .expect("a connection");
    let confined = sovereign(&world);
    let output = confined
        .command()
        .expect("exec")
        .args(["sh", "-c", "echo inherited >&0"])
        .stdin(OwnedFd::from(stream))
        .output()
        .expect("exec");
    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("standard input is a network socket"),
        "{said}"
    );
    assert_eq!(confined.instance.traces(), [] as [PathBuf; 0]);
}

#[test]
fn children_of_the_cgroup_go_with_it() {
    let world = World::new().expect("a world");
    let _peer = Peer::new(&world).expect("a peer");
    let confined = sovereign(&world);
    let (disguise, script) = DISGUISES[3];
    assert_eq!(disguise, "a child cgroup");
    let output = run(confined.command().expect("exec").arg("sh"), script);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(confined.instance.traces(), [] as [PathBuf; 0]);
}

/// As descriptor 9, open across exec.
fn hand_over(command: &mut Command, socket: &OwnedFd) {
    let from = socket.as_raw_fd();
    let duplicate = move || {
        // SAFETY: one system call on a descriptor that is open until the command has started.
        match unsafe { libc::dup2(from, 9) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: between fork and exec the closure makes one system call and does not allocate.
    unsafe { command.pre_exec(duplicate) };
}

fn leaked(recorder: &Recorder<'_>) -> bool {
    let arrivals = recorder.arrivals().expect("arrivals");
    arrivals.iter().any(|it| it.carries("inherited"))
}

fn sovereign(world: &World) -> Confined<'_> {
    Confined::new(world)
        .expect("an instance")
        .policy(&lab::policy("sovereign-llm.yaml"))
}
