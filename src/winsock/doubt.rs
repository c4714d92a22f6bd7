//! How sure the settings of a socket are.
//!
//! Owns which unverified points they rest on. Uses the host, the settings and the registry.

use super::host::Host;
use super::registry::{Registry, RegistryEntry};
use super::setting::{Effective, Origin};
use super::socket::{Socket, SocketHandle};
use super::unverified::Unverified;
use super::version::WindowsVersion;

impl Host {
    /// The unverified points that [`Host::effective`] rests on for this socket, each once.
    pub fn rests_on(&self, handle: SocketHandle) -> Vec<Unverified> {
        let (Some(socket), Some(effective)) = (self.socket(handle), self.effective(handle)) else {
            return Vec::new();
        };
        let of_calls = of_calls(socket, &effective);
        let of_registry = of_registry(&effective, self.version(), self.registry_in_use());
        let points = of_calls.into_iter().chain(of_registry);
        points.filter_map(|(holds, point)| holds.then_some(point)).collect()
    }
}

fn of_calls(socket: &Socket, effective: &Effective) -> [(bool, Unverified); 6] {
    let (on, times) = (effective.on.origin, [effective.idle.origin, effective.interval.origin]);
    let by_vals = times.contains(&Origin::SioKeepaliveVals);
    let by_option = times.contains(&Origin::TcpKeepidle) || times.contains(&Origin::TcpKeepintvl);
    let times_inherited =
        effective.idle.inherited || effective.interval.inherited || effective.count.inherited;
    [
        (on == Origin::SioKeepaliveVals, Unverified::ValsSwitchSoKeepalive),
        (by_vals && on == Origin::SoKeepalive, Unverified::TimesOutliveSwitch),
        (by_vals && by_option, Unverified::LaterCallWins),
        (times_inherited, Unverified::AcceptInheritsTimes),
        (socket.enabled != socket.options, Unverified::ConnectExForgets),
        (effective.sends_probes(), Unverified::GiveUpTime),
    ]
}

fn of_registry(
    effective: &Effective,
    version: WindowsVersion,
    registry: &Registry,
) -> [(bool, Unverified); 4] {
    let read = |origin| matches!(origin, Origin::Registry(_));
    let times_read = read(effective.idle.origin) || read(effective.interval.origin);
    let unusable = |entry| registry.get(entry).is_some() && registry.usable(entry).is_none();
    let both = registry.usable(RegistryEntry::TcpMaxDataRetransmissions).is_some()
        && registry.usable(RegistryEntry::PptpTcpMaxDataRetransmissions).is_some();
    let count_read = read(effective.count.origin);
    [
        (times_read || count_read, Unverified::RegistryReadAtStart),
        (times_read && version.is_vista_or_later(), Unverified::RegistrySinceVista),
        (count_read && !both, Unverified::AbsentRetransmissions),
        (RegistryEntry::ALL.into_iter().any(unusable), Unverified::RegistryOutOfRange),
    ]
}
