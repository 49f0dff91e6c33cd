//! Interfaces of the network namespace that this thread is in.

use std::{
    ffi::{CStr, c_void},
    io,
    net::UdpSocket,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
};

use enforcer_common::abi::Device;

/// Interfaces by which DNS answers may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// Cookie of the namespace.
    pub netns: u64,
    /// Those of it that count.
    pub devices: Vec<Device>,
}

impl Interfaces {
    /// All that exist: before a workload is there, none can be its own.
    ///
    /// # Errors
    /// The kernel cannot tell namespaces apart for userspace (before 5.14).
    pub fn all() -> io::Result<Self> {
        Self::those(|_, _| true)
    }

    /// All but tun and tap devices, whose packets a process writes: it may be a workload's.
    ///
    /// # Errors
    /// As [`all`](Self::all).
    pub fn without_tunnels_of_processes() -> io::Result<Self> {
        Self::those(|socket, name| driver(socket, name).is_none_or(|driver| driver != b"tun"))
    }

    fn those(counts: impl Fn(BorrowedFd<'_>, &CStr) -> bool) -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).or_else(|_| UdpSocket::bind(("::1", 0)))?;
        let netns = netns_cookie(socket.as_fd())?;
        let mut devices = Vec::new();
        // SAFETY: the list ends with an element of zeros and is freed once.
        unsafe {
            let list = libc::if_nameindex();
            if list.is_null() {
                return Err(io::Error::last_os_error());
            }
            let mut next = list;
            while (*next).if_index != 0 {
                if counts(socket.as_fd(), CStr::from_ptr((*next).if_name)) {
                    devices.push(Device {
                        netns,
                        ifindex: (*next).if_index,
                        reserved: 0,
                    });
                }
                next = next.add(1);
            }
            libc::if_freenameindex(list);
        }
        Ok(Self { netns, devices })
    }
}

/// `SO_NETNS_COOKIE` (kernel 5.14).
fn netns_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the option is eight bytes and lives until the call returns.
    let outcome = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if outcome == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Name of an interface's driver (`ETHTOOL_GDRVINFO`), as far as it has one that says so.
fn driver(socket: BorrowedFd<'_>, name: &CStr) -> Option<Vec<u8>> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    const ETHTOOL_GDRVINFO: u32 = 3;
    /// `struct ethtool_drvinfo` (include/uapi/linux/ethtool.h).
    #[repr(C)]
    struct DriverInfo {
        command: u32,
        driver: [u8; 32],
        rest: [u8; 160],
    }
    /// `struct ifreq` with the member that this call uses.
    #[repr(C)]
    struct Request {
        name: [u8; libc::IFNAMSIZ],
        data: *mut c_void,
        rest: [u8; 16],
    }
    let mut info = DriverInfo {
        command: ETHTOOL_GDRVINFO,
        driver: [0; 32],
        rest: [0; 160],
    };
    let mut request = Request {
        name: [0; libc::IFNAMSIZ],
        data: (&raw mut info).cast(),
        rest: [0; 16],
    };
    let name = name.to_bytes();
    request.name.get_mut(..name.len())?.copy_from_slice(name);
    // SAFETY: both structures are those of the call and live until it returns.
    let outcome = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    let end = info.driver.iter().position(|&byte| byte == 0)?;
    (outcome == 0).then(|| info.driver[..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::Interfaces;

    #[test]
    fn loopback_is_there_and_is_no_tunnel() {
        let all = Interfaces::all().expect("a kernel that tells namespaces apart");
        let some = Interfaces::without_tunnels_of_processes().expect("the same");
        for interfaces in [all, some] {
            assert!(interfaces.devices.iter().any(|device| device.ifindex == 1));
            assert_ne!(interfaces.netns, 0);
        }
    }
}
