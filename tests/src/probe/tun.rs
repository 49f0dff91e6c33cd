//! Packets that a device of one's own lets in: the kernel forwards them, and no socket sends them.

use std::{
    fs::{self, File},
    io::{self, Write},
    net::Ipv4Addr,
    os::fd::AsRawFd,
    process::Command,
};

use etherparse::PacketBuilder;

use super::{Failure, Options, Step};

const NAME: &str = "probe-tun";
/// On the device's network.
const FROM: [u8; 4] = [192, 0, 2, 2];

pub(super) fn attempt(to: Ipv4Addr, options: &Options) -> Result<bool, Failure> {
    let mut device = open().map_err(Step::Socket.failed())?;
    let mut packet = vec![];
    PacketBuilder::ipv4(FROM, to.octets(), 64)
        .udp(40000, 9)
        .write(&mut packet, options.marker.as_bytes())
        .map_err(|error| Step::Socket.failed()(io::Error::other(error)))?;
    device.write_all(&packet).map_err(Step::Send.failed())?;
    Ok(false)
}

/// A device that forwards. It goes with its descriptor.
fn open() -> io::Result<File> {
    let device = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    // SAFETY: all zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(NAME.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: the pointer is to a request of the size that this call takes.
    if unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for arguments in [
        format!("addr add 192.0.2.1/24 dev {NAME}"),
        format!("link set {NAME} up"),
    ] {
        let status = Command::new("ip")
            .args(arguments.split_whitespace())
            .status()?;
        if !status.success() {
            return Err(io::Error::other("ip failed"));
        }
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    Ok(device)
}
