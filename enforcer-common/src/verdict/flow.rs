use crate::abi::{Addr, CgroupId, Hook, Ports, Proto};

/// All that a verdict may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Cgroup of the socket, or of the process where the hook knows no socket.
    pub subject: CgroupId,
    /// Destination, as the application or the packet gives it.
    pub dst: Addr,
    /// IP protocol.
    pub proto: Proto,
    /// Destination port.
    pub ports: Ports,
    /// Who asks.
    pub hook: Hook,
}
