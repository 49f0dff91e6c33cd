//! Who answers the node's own questions about names.

use std::{fs, net::IpAddr, path::Path};

use enforcer_common::abi::Addr;

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// What `cluster-dns` stands for on this node: the resolvers that its own programs ask. In a pod, the
/// resolvers of the cluster.
#[must_use]
pub fn node_resolvers() -> Vec<Addr> {
    read(Path::new(RESOLV_CONF))
}

fn read(path: &Path) -> Vec<Addr> {
    let text = fs::read(path).unwrap_or_default();
    let servers = resolv_conf::Config::parse(text).map(|config| config.nameservers);
    let mut resolvers: Vec<Addr> = servers
        .unwrap_or_default()
        .into_iter()
        .map(|server| Addr::from(IpAddr::from(server)))
        .collect();
    // resolv.conf(5): without a `nameserver`, the one on this host is asked.
    if resolvers.is_empty() {
        resolvers.push(Addr::from(IpAddr::from([127, 0, 0, 1])));
    }
    resolvers
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let resolvers = read(file.path()).into_iter();
        resolvers.map(|address| format!("{address:?}")).collect()
    }

    #[test]
    fn the_servers_of_the_file() {
        let text = "search a.example\nnameserver 10.96.0.10\nnameserver fd00::53\n";
        assert_eq!(of(text), ["10.96.0.10", "fd00::53"]);
    }

    #[test]
    fn without_any_the_host_itself_is_asked() {
        assert_eq!(of("options edns0\n"), ["127.0.0.1"]);
        let missing = read(Path::new("/nonexistent/resolv.conf"));
        assert_eq!(missing, [Addr::from(IpAddr::from([127, 0, 0, 1]))]);
    }
}
