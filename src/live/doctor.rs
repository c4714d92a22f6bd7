//! What this machine allows: rights, sockets, interfaces, clocks and settings; and what mends each lack.
//!
//! Owns [`Examination`]. It opens the sockets that probing takes, and closes them again; it sends nothing.

use std::io;
use std::path::PathBuf;

use caps::{CapSet, Capability};
use rustix::system::uname;
use rustix::time::{ClockId, clock_getres};
use socket2::{Domain, Protocol, Socket, Type};

use super::clock::nanos;
use super::interface::Interface;
use super::privilege::{self, RightsMissing};
use super::sys::{self, Offload};

/// Whether a kind of socket can be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Allowed,
    /// Rights are missing.
    Denied,
    /// The system has no such thing: an IP version that is switched off.
    Absent,
    /// Something else is wrong.
    Failed(String),
}

/// In which sets of the process a capability is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// It counts now.
    pub effective: bool,
    /// It can be put into effect.
    pub permitted: bool,
    /// A program that is started can get it.
    pub bounding: bool,
}

/// An interface and what it does in the kernel's place.
#[derive(Clone, Debug)]
pub struct InterfaceState {
    /// The interface.
    pub interface: Interface,
    /// Name of the offload, and whether it is on; none where its driver does not know it.
    pub offloads: Vec<(&'static str, Option<bool>)>,
}

/// Settings of the kernel in this network namespace (Documentation/networking/ip-sysctl.rst); none where they
/// cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// net.ipv4.tcp_keepalive_time, seconds.
    pub keepalive_time: Option<u32>,
    /// net.ipv4.tcp_keepalive_intvl, seconds.
    pub keepalive_intvl: Option<u32>,
    /// net.ipv4.tcp_keepalive_probes.
    pub keepalive_probes: Option<u32>,
    /// net.ipv4.tcp_timestamps: 0 off, 1 on with a random offset, 2 on without.
    pub timestamps: Option<u32>,
    /// net.ipv4.tcp_sack.
    pub sack: Option<u32>,
    /// net.ipv4.tcp_dsack.
    pub dsack: Option<u32>,
}

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// What cannot be done for it.
    pub what: String,
    /// The command that mends it, or what else to do.
    pub mend: String,
    /// Whether nothing can be probed without it.
    pub needed: bool,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The running program.
    pub program: PathBuf,
    /// Kernel release, as `uname -r`.
    pub kernel: String,
    /// Jiffies a second (CONFIG_HZ): the resolution of CLOCK_MONOTONIC_COARSE. Kernel timers are no finer.
    pub hz: Option<u32>,
    /// CAP_NET_RAW.
    pub net_raw: Held,
    /// CAP_SYS_ADMIN, which entering a network namespace takes.
    pub sys_admin: Held,
    /// Starting a program gives no rights any more.
    pub no_new_privs: bool,
    /// Seeing packets.
    pub packet: Access,
    /// Sending raw IPv4 packets.
    pub raw_v4: Access,
    /// Sending raw IPv6 packets.
    pub raw_v6: Access,
    /// All interfaces.
    pub interfaces: Vec<InterfaceState>,
    /// What the kernel does unless a socket says otherwise.
    pub settings: Settings,
    /// All that is missing, what matters most first.
    pub lacks: Vec<Lack>,
}

/// Whether a peer can be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Works,
    /// Rights are missing.
    RightsMissing,
    /// The rights are there, and something else is missing.
    Unusable,
}

impl Examination {
    /// Examines this machine, as the calling thread sees it.
    ///
    /// # Errors
    /// If the interfaces cannot be listed.
    pub fn new() -> io::Result<Self> {
        // Before anything is raised and lowered again.
        let (net_raw, sys_admin) = (held(Capability::CAP_NET_RAW), held(Capability::CAP_SYS_ADMIN));
        let (packet, raw_v4, raw_v6) = privilege::raised(|| {
            let raw = Protocol::from(libc::IPPROTO_RAW);
            (
                access(Socket::new(Domain::PACKET, Type::RAW, None)),
                access(Socket::new(Domain::IPV4, Type::RAW, Some(raw))),
                access(Socket::new(Domain::IPV6, Type::RAW, Some(raw))),
            )
        });
        let mut found = Self {
            program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("keepscope")),
            kernel: uname().release().to_string_lossy().into_owned(),
            hz: hz(),
            net_raw,
            sys_admin,
            no_new_privs: rustix::thread::no_new_privs().unwrap_or(false),
            packet,
            raw_v4,
            raw_v6,
            interfaces: interfaces()?,
            settings: Settings::read(),
            lacks: Vec::new(),
        };
        found.lacks = found.find_lacks();
        Ok(found)
    }

    /// Whether a peer can be probed.
    pub fn verdict(&self) -> Verdict {
        if [&self.packet, &self.raw_v4].contains(&&Access::Denied) {
            Verdict::RightsMissing
        } else if self.lacks.iter().any(|lack| lack.needed) {
            Verdict::Unusable
        } else {
            Verdict::Works
        }
    }

    fn find_lacks(&self) -> Vec<Lack> {
        let mut lacks = Vec::new();
        self.rights(&mut lacks);
        for (name, access, needed) in [
            ("seeing packets", &self.packet, true),
            ("sending raw IPv4 packets", &self.raw_v4, true),
            ("sending raw IPv6 packets", &self.raw_v6, false),
        ] {
            if let Access::Failed(error) = access {
                lacks.push(lack(
                    format!("{name} fails: {error}"),
                    "look at the kernel's log: sudo dmesg",
                    needed,
                ));
            }
        }
        let up = |state: &&InterfaceState| state.interface.is_up();
        if !self.interfaces.iter().any(|state| up(&state)) {
            lacks.push(lack("no interface is up", "sudo ip link set lo up", true));
        } else if let Some(lo) =
            self.interfaces.iter().find(|state| state.interface.is_loopback() && !up(state))
        {
            let name = lo.interface.name();
            lacks.push(lack(
                format!("this machine cannot be reached from itself: {name} is down"),
                format!("sudo ip link set {name} up"),
                false,
            ));
        }
        if !self
            .interfaces
            .iter()
            .flat_map(|state| state.interface.addresses())
            .any(|address| address.is_ipv6())
        {
            lacks.push(lack(
                "no interface has an IPv6 address: only IPv4 peers can be reached",
                "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0",
                false,
            ));
        }
        for (value, name, what) in [
            (self.settings.timestamps, "net.ipv4.tcp_timestamps", "connections carry no timestamps"),
            (self.settings.sack, "net.ipv4.tcp_sack", "answers carry no D-SACK to tell stacks apart by"),
        ] {
            if value == Some(0) {
                lacks.push(lack(what, format!("sudo sysctl -w {name}=1"), false));
            }
        }
        lacks
    }

    /// Rights, and how to get them where this process is.
    fn rights(&self, lacks: &mut Vec<Lack>) {
        let denied = [&self.packet, &self.raw_v4, &self.raw_v6].contains(&&Access::Denied);
        if denied {
            let (what, mend) = if self.net_raw.permitted {
                let what = "raw packets are denied although CAP_NET_RAW is held: a sandbox is in the way";
                (what, "run it outside of the sandbox (seccomp, AppArmor, SELinux)".to_owned())
            } else if !self.net_raw.bounding {
                let what = "raw packets need CAP_NET_RAW, which no program can get here";
                (what, "in a container: docker run --cap-add=NET_RAW ...".to_owned())
            } else if self.no_new_privs {
                let what = "raw packets need CAP_NET_RAW, and no_new_privs keeps programs from getting it";
                (what, "run it from a shell that does not set no_new_privs".to_owned())
            } else {
                ("raw packets need CAP_NET_RAW", RightsMissing::new("").command())
            };
            lacks.push(lack(what, mend, true));
        }
        if !self.sys_admin.permitted {
            let mend = format!("sudo {} ... --netns NAME", self.program.display());
            lacks.push(lack("other network namespaces (--netns) need CAP_SYS_ADMIN", mend, false));
        }
    }
}

fn lack(what: impl Into<String>, mend: impl Into<String>, needed: bool) -> Lack {
    Lack { what: what.into(), mend: mend.into(), needed }
}

fn access(opened: io::Result<Socket>) -> Access {
    match opened {
        Ok(_) => Access::Allowed,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Access::Denied,
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Access::Absent,
        Err(error) => Access::Failed(error.to_string()),
    }
}

fn held(capability: Capability) -> Held {
    let has = |set| caps::has_cap(None, set, capability).unwrap_or(false);
    Held {
        effective: has(CapSet::Effective),
        permitted: has(CapSet::Permitted),
        bounding: has(CapSet::Bounding),
    }
}

/// CONFIG_HZ of this kernel: its coarse clock goes on once in each tick. Takes no rights.
pub fn hz() -> Option<u32> {
    let resolution = nanos(clock_getres(ClockId::MonotonicCoarse));
    let per_second = 1_000_000_000_i64.checked_add(resolution / 2)?.checked_div(resolution)?;
    u32::try_from(per_second).ok().filter(|hz| *hz > 0)
}

fn interfaces() -> io::Result<Vec<InterfaceState>> {
    let socket = Interface::socket()?;
    let state = |interface: Interface| {
        let offloads = [
            ("rx_checksum", Offload::RxChecksum),
            ("tx_checksum", Offload::TxChecksum),
            ("tso", Offload::Tso),
            ("gso", Offload::Gso),
            ("gro", Offload::Gro),
        ];
        let offloads =
            offloads.map(|(name, which)| (name, sys::offload(&socket, interface.name(), which).ok()));
        InterfaceState { interface, offloads: offloads.to_vec() }
    };
    Ok(Interface::all()?.into_iter().map(state).collect())
}

impl Settings {
    /// Those of the calling thread's network namespace.
    pub fn read() -> Self {
        let read = |name: &str| {
            // What stands under /proc/sys/net is that of the reader's network namespace.
            let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
            text.trim().parse().ok()
        };
        Self {
            keepalive_time: read("tcp_keepalive_time"),
            keepalive_intvl: read("tcp_keepalive_intvl"),
            keepalive_probes: read("tcp_keepalive_probes"),
            timestamps: read("tcp_timestamps"),
            sack: read("tcp_sack"),
            dsack: read("tcp_dsack"),
        }
    }
}
