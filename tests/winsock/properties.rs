//! What holds for every sequence of calls.

use std::collections::BTreeMap;

use keepscope::winsock::*;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::MAIN;

/// Something that happens to a host. Sockets are named by their place among those ever made.
#[derive(Clone, Debug)]
enum Step {
    Startup(u16),
    Cleanup,
    Socket(SocketKind),
    Bind(usize),
    Listen(usize),
    Accept(usize),
    Connect(usize, ConnectFunction, Connecting),
    Complete(usize, bool),
    Lose(usize, Loss),
    Close(usize),
    Set { socket: usize, level: i32, name: i32, value: Option<Vec<u8>>, len: i32 },
    Get { socket: usize, level: i32, name: i32, room: Option<usize>, len: Option<i32> },
    Vals { socket: usize, vals: TcpKeepalive, len: u32 },
    Network(bool),
    Progress(Option<InProgress>),
    Registry(RegistryEntry, u32),
    Restart,
}

fn version() -> impl Strategy<Value = WindowsVersion> {
    prop::sample::select(WindowsVersion::ALL)
}

fn option() -> impl Strategy<Value = (i32, i32)> {
    prop_oneof![
        6 => Just((SOL_SOCKET, SO_KEEPALIVE)),
        2 => Just((IPPROTO_TCP, TCP_KEEPIDLE)),
        2 => Just((IPPROTO_TCP, TCP_KEEPINTVL)),
        2 => Just((IPPROTO_TCP, TCP_KEEPCNT)),
        1 => Just((SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT)),
        1 => (any::<i32>(), any::<i32>()),
        1 => (prop::sample::select(vec![SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, 1]), 0..20),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0u32..300).prop_map(|value| value.to_le_bytes().to_vec()),
        2 => any::<[u8; 4]>().prop_map(|value| value.to_vec()),
        1 => vec(any::<u8>(), 0..9),
    ]
}

fn len() -> impl Strategy<Value = i32> {
    prop_oneof![8 => Just(4), 1 => 0..9, 1 => any::<i32>()]
}

fn connecting() -> impl Strategy<Value = Connecting> {
    prop_oneof![
        Just(Connecting::Pending),
        Just(Connecting::Blocking(Ok(()))),
        Just(Connecting::Blocking(Err(WsaError::TimedOut))),
    ]
}

fn vals() -> impl Strategy<Value = TcpKeepalive> {
    let time = || prop_oneof![0..10_000u32, any::<u32>()];
    (0..3u32, time(), time()).prop_map(|(onoff, keepalivetime, keepaliveinterval)| TcpKeepalive {
        onoff,
        keepalivetime,
        keepaliveinterval,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let socket = || 0usize..6;
    let function = prop::sample::select(ConnectFunction::ALL.to_vec());
    let progress = prop_oneof![3 => Just(None), 1 => Just(Some(InProgress::BlockingCall)), 1 => Just(Some(InProgress::Callback))];
    prop_oneof![
        4 => Just(Step::Startup(0x0202)),
        1 => any::<u16>().prop_map(Step::Startup),
        1 => Just(Step::Cleanup),
        6 => Just(Step::Socket(SocketKind::Tcp)),
        2 => prop::sample::select(SocketKind::ALL.to_vec()).prop_map(Step::Socket),
        2 => socket().prop_map(Step::Bind),
        2 => socket().prop_map(Step::Listen),
        2 => socket().prop_map(Step::Accept),
        4 => (socket(), function, connecting()).prop_map(|(s, by, how)| Step::Connect(s, by, how)),
        4 => (socket(), any::<bool>()).prop_map(|(socket, made)| Step::Complete(socket, made)),
        1 => (socket(), prop::sample::select(vec![Loss::Reset, Loss::TimedOut]))
            .prop_map(|(socket, loss)| Step::Lose(socket, loss)),
        1 => socket().prop_map(Step::Close),
        12 => (socket(), option(), prop::option::weighted(0.95, value()), len())
            .prop_map(|(socket, (level, name), value, len)| Step::Set { socket, level, name, value, len }),
        12 => (socket(), option(), prop::option::weighted(0.95, 3usize..9), prop::option::weighted(0.95, len()))
            .prop_map(|(socket, (level, name), room, len)| Step::Get { socket, level, name, room, len }),
        6 => (socket(), vals(), prop_oneof![8 => Just(12u32), 1 => any::<u32>()])
            .prop_map(|(socket, vals, len)| Step::Vals { socket, vals, len }),
        1 => prop::bool::weighted(0.3).prop_map(Step::Network),
        1 => progress.prop_map(Step::Progress),
        1 => (prop::sample::select(RegistryEntry::ALL.to_vec()), any::<u32>())
            .prop_map(|(entry, value)| Step::Registry(entry, value)),
        1 => Just(Step::Restart),
    ]
}

const OPTION_ERRORS: &[WsaError] = &[
    WsaError::NotInitialised,
    WsaError::NetDown,
    WsaError::Fault,
    WsaError::InProgress,
    WsaError::Inval,
    WsaError::NoProtoOpt,
    WsaError::NotSock,
];
const SET_ERRORS: &[WsaError] = &[WsaError::NetReset, WsaError::NotConn];
const IOCTL_ERRORS: &[WsaError] = &[WsaError::OpNotSupp];

/// What was last set on a socket, kept apart from the model.
#[derive(Clone, Copy, Debug, Default)]
struct Shadow {
    on: u32,
    idle: Option<u32>,
    interval: Option<u32>,
    count: Option<u32>,
}

struct Run {
    host: Host,
    sockets: Vec<SocketHandle>,
    shadows: BTreeMap<SocketHandle, Shadow>,
}

impl Run {
    fn new(version: WindowsVersion) -> Self {
        Self { host: Host::new(version), sockets: Vec::new(), shadows: BTreeMap::new() }
    }

    /// A socket, or some number that is none.
    fn handle(&self, place: usize) -> SocketHandle {
        self.sockets.iter().rev().nth(place).copied().unwrap_or(SocketHandle(place as u64 + 1))
    }

    fn add(&mut self, made: WsaResult<SocketHandle>, shadow: Shadow) -> WsaResult {
        made.map(|handle| {
            self.sockets.push(handle);
            self.shadows.insert(handle, shadow);
        })
    }

    fn set(
        &mut self,
        handle: SocketHandle,
        (level, name): (i32, i32),
        value: Option<&[u8]>,
        len: i32,
    ) -> WsaResult {
        let memory = value.map_or(Memory::Invalid, Memory::Valid);
        self.host.on(MAIN).setsockopt(handle, level, name, memory, len)?;
        let shadow = self.shadows.get_mut(&handle).expect("only a socket can be set");
        let value = value.and_then(|value| value.first_chunk()).map_or(0, |dword| u32::from_le_bytes(*dword));
        match (level, name) {
            (SOL_SOCKET, SO_KEEPALIVE) => shadow.on = (value != 0).into(),
            (IPPROTO_TCP, TCP_KEEPIDLE) => shadow.idle = Some(value),
            (IPPROTO_TCP, TCP_KEEPINTVL) => shadow.interval = Some(value),
            (IPPROTO_TCP, TCP_KEEPCNT) => shadow.count = Some(value),
            other => assert_eq!(other, (SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT)),
        }
        Ok(())
    }

    fn get(
        &mut self,
        handle: SocketHandle,
        (level, name): (i32, i32),
        room: Option<usize>,
        len: Option<i32>,
    ) -> WsaResult {
        let mut buffer = room.map(|room| vec![0xaa; room]);
        let mut written = len;
        let value = buffer.as_deref_mut().map_or(Memory::Invalid, Memory::Valid);
        let length = written.as_mut().map_or(Memory::Invalid, Memory::Valid);
        let result = self.host.on(MAIN).getsockopt(handle, level, name, value, length);
        let buffer = buffer.unwrap_or_default();
        if result.is_err() {
            assert_eq!(written, len);
            assert!(buffer.iter().all(|octet| *octet == 0xaa));
            return result;
        }
        assert_eq!(written, Some(4));
        assert!(buffer[4..].iter().all(|octet| *octet == 0xaa));
        let read = u32::from_le_bytes(*buffer.first_chunk().expect("a DWORD"));
        let shadow = self.shadows[&handle];
        match (level, name) {
            (SOL_SOCKET, SO_KEEPALIVE) => assert_eq!(read, shadow.on),
            (IPPROTO_TCP, TCP_KEEPIDLE) => assert!(shadow.idle.is_none_or(|idle| idle == read)),
            (IPPROTO_TCP, TCP_KEEPINTVL) => assert!(shadow.interval.is_none_or(|interval| interval == read)),
            (IPPROTO_TCP, TCP_KEEPCNT) => assert_eq!(read, shadow.count.unwrap_or(10)),
            other => panic!("{other:?} cannot be read"),
        }
        Ok(())
    }

    fn vals(&mut self, handle: SocketHandle, vals: TcpKeepalive, len: u32) -> WsaResult {
        let bytes = vals.to_bytes();
        let ioctl = Ioctl { input_len: len, ..Ioctl::keepalive_vals(&bytes) };
        self.host.on(MAIN).wsa_ioctl(handle, ioctl)?;
        let shadow = self.shadows.get_mut(&handle).expect("only a socket can be set");
        shadow.on = (vals.onoff != 0).into();
        if vals.onoff != 0 {
            shadow.idle = Some(vals.keepalivetime / 1_000);
            shadow.interval = Some(vals.keepaliveinterval / 1_000);
        }
        Ok(())
    }

    /// Takes a step; returns what the call came to, and what else than `OPTION_ERRORS` it may come to
    /// (`None`: anything in `WsaError`).
    fn take(&mut self, step: &Step) -> Option<(WsaResult, Option<&'static [WsaError]>)> {
        let mut caller = self.host.on(MAIN);
        let any = |result: WsaResult| Some((result, None));
        match step {
            Step::Startup(word) => {
                // Its error is returned only.
                let _ = caller.wsa_startup(WinsockVersion::from_word(*word));
                None
            }
            Step::Cleanup => any(caller.wsa_cleanup()),
            Step::Socket(kind) => {
                let made = caller.socket(*kind);
                any(self.add(made, Shadow::default()))
            }
            Step::Bind(socket) => {
                let handle = self.handle(*socket);
                any(self.host.on(MAIN).bind(handle))
            }
            Step::Listen(socket) => {
                let handle = self.handle(*socket);
                any(self.host.on(MAIN).listen(handle))
            }
            Step::Accept(socket) => {
                let handle = self.handle(*socket);
                let made = self.host.on(MAIN).accept(handle);
                let shadow = self.shadows.get(&handle).copied().unwrap_or_default();
                any(self.add(made, shadow))
            }
            Step::Connect(socket, by, how) => {
                let handle = self.handle(*socket);
                any(self.host.on(MAIN).connect(handle, *by, *how))
            }
            Step::Close(socket) => {
                let handle = self.handle(*socket);
                any(self.host.on(MAIN).closesocket(handle))
            }
            Step::Set { socket, level, name, value, len } => {
                let result = self.set(self.handle(*socket), (*level, *name), value.as_deref(), *len);
                Some((result, Some(SET_ERRORS)))
            }
            Step::Get { socket, level, name, room, len } => {
                Some((self.get(self.handle(*socket), (*level, *name), *room, *len), Some(&[])))
            }
            Step::Vals { socket, vals, len } => {
                Some((self.vals(self.handle(*socket), *vals, *len), Some(IOCTL_ERRORS)))
            }
            _ => {
                self.happen(step);
                None
            }
        }
    }

    /// What is not a call.
    fn happen(&mut self, step: &Step) {
        match step {
            Step::Complete(socket, made) => {
                self.host.complete_connect(self.handle(*socket), *made);
            }
            Step::Lose(socket, loss) => {
                self.host.lose_connection(self.handle(*socket), *loss);
            }
            Step::Network(down) => self.host.set_network_down(*down),
            Step::Progress(what) => self.host.set_in_progress(MAIN, *what),
            Step::Registry(entry, value) => self.host.registry_mut().set_dword(*entry, *value),
            Step::Restart => self.host.restart(),
            _ => {}
        }
    }

    /// What always holds.
    fn judge(&self) {
        let version = self.host.version();
        for handle in &self.sockets {
            let Some(effective) = self.host.effective(*handle) else { continue };
            let shadow = self.shadows[handle];
            if version.is_vista_or_later() && shadow.count.is_none() {
                assert_eq!((effective.count.value, effective.count.origin), (10, Origin::Default));
            }
            for origin in [effective.on.origin, effective.idle.origin, effective.interval.origin] {
                assert_ne!(origin, Origin::TcpKeepcnt);
                if matches!(origin, Origin::TcpKeepidle | Origin::TcpKeepintvl) {
                    assert!(version.has_tcp_keepidle());
                }
            }
            if effective.count.origin == Origin::TcpKeepcnt {
                assert!(version.has_tcp_keepcnt());
            }
            assert!(effective.idle.value.as_nanos() > 0 && effective.interval.value.as_nanos() > 0);
            assert!(!effective.on.value || shadow.on == 1);
        }
    }
}

proptest! {
    #[test]
    fn calls_keep_their_promises(version in version(), steps in vec(step(), 0..80)) {
        let mut run = Run::new(version);
        run.take(&Step::Startup(0x0202));
        for step in &steps {
            let before = run.host.on(MAIN).wsa_get_last_error();
            let taken = run.take(step);
            let after = run.host.on(MAIN).wsa_get_last_error();
            match taken {
                Some((Err(error), allowed)) => {
                    prop_assert_eq!(after, error.code());
                    prop_assert_eq!(returned::<()>(&Err(error)), -1);
                    let documented = allowed.is_none_or(|more| {
                        OPTION_ERRORS.contains(&error) || more.contains(&error)
                    });
                    prop_assert!(documented, "{} from {:?}", error, step);
                }
                Some((Ok(()), _)) => prop_assert_eq!(after, before),
                None => {}
            }
            run.judge();
        }
    }

    /// On Vista and later nothing can be set while a connection is being made; before, everything can.
    #[test]
    fn transitions_are_closed_since_vista(
        version in version(),
        function in prop::sample::select(ConnectFunction::ALL.to_vec()),
        value in any::<u32>(),
    ) {
        let mut run = Run::new(version);
        for step in [Step::Startup(0x0202), Step::Socket(SocketKind::Tcp), Step::Bind(0)] {
            run.take(&step);
        }
        run.take(&Step::Connect(0, function, Connecting::Pending));
        let connecting = run.host.state(run.handle(0)) == Some(SocketState::Connecting(function));
        prop_assert_eq!(connecting, function.exists_on(version));
        let bytes = value.to_le_bytes();
        let set = run.set(run.handle(0), (SOL_SOCKET, SO_KEEPALIVE), Some(&bytes), 4);
        let refused = connecting && version.is_vista_or_later();
        prop_assert_eq!(set, if refused { Err(WsaError::Inval) } else { Ok(()) });
        let shadow = run.shadows[&run.handle(0)];
        prop_assert_eq!(shadow.on, u32::from(!refused && value != 0));
        prop_assert_eq!(run.get(run.handle(0), (SOL_SOCKET, SO_KEEPALIVE), Some(4), Some(4)), Ok(()));
    }

    /// Before Vista the number of probes is the larger entry, and never above 255.
    #[test]
    fn probes_before_vista_follow_the_registry(
        version in prop::sample::select(&WindowsVersion::ALL[..3]),
        data in prop::option::of(prop_oneof![0..300u32, any::<u32>()]),
        pptp in prop::option::of(prop_oneof![0..300u32, any::<u32>()]),
    ) {
        let mut run = Run::new(version);
        for (entry, value) in [
            (RegistryEntry::TcpMaxDataRetransmissions, data),
            (RegistryEntry::PptpTcpMaxDataRetransmissions, pptp),
        ] {
            if let Some(value) = value {
                run.happen(&Step::Registry(entry, value));
            }
        }
        for step in [Step::Restart, Step::Startup(0x0202), Step::Socket(SocketKind::Tcp)] {
            run.take(&step);
        }
        let count = run.host.effective(run.handle(0)).expect("a TCP socket").count.value;
        prop_assert_eq!(u32::from(count), data.max(pptp).unwrap_or(5).min(255));
    }

    #[test]
    fn the_structure_survives_memory(onoff in any::<u32>(), time in any::<u32>(), interval in any::<u32>(), more in vec(any::<u8>(), 0..5)) {
        let vals = TcpKeepalive { onoff, keepalivetime: time, keepaliveinterval: interval };
        let mut bytes = vals.to_bytes().to_vec();
        bytes.extend(more);
        prop_assert_eq!(TcpKeepalive::from_bytes(&bytes), Some(vals));
    }

    #[test]
    fn octets_survive_the_structure(bytes in any::<[u8; 12]>()) {
        prop_assert_eq!(TcpKeepalive::from_bytes(&bytes).map(TcpKeepalive::to_bytes), Some(bytes));
    }

    #[test]
    fn any_text_is_a_version_or_is_not(text in ".{0,12}") {
        if let Ok(version) = text.parse::<WindowsVersion>() {
            prop_assert_eq!(version.name().parse(), Ok(version));
        }
    }
}
