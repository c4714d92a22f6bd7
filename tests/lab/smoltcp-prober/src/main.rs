//! One TCP connection from a smoltcp stack over a TAP device, kept alive by
//! smoltcp's own keepalive (one octet per probe). Says on standard output what
//! state the connection is in, and goes on until it is ended from outside.
//!
//! Usage: smoltcp-prober TAP OWN_ADDRESS OWN_PORT PEER_ADDRESS PEER_PORT INTERVAL_MS

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr, Ipv4Address};
use std::error::Error;
use std::os::fd::AsRawFd;

const HELLO: &[u8] = b"hello from smoltcp";
/// The locally administered address of this end of the wire.
const OWN_MAC: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0x02]);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tap, own, own_port, peer, peer_port, interval_ms] = arguments.as_slice() else {
        return Err("six arguments are needed: TAP OWN OWN_PORT PEER PEER_PORT INTERVAL_MS".into());
    };
    let own: Ipv4Address = own.parse()?;
    let peer: Ipv4Address = peer.parse()?;
    let own_port: u16 = own_port.parse()?;
    let peer_port: u16 = peer_port.parse()?;
    let interval = Duration::from_millis(interval_ms.parse()?);

    let mut device = TunTapInterface::new(tap, Medium::Ethernet)?;
    let fd = device.as_raw_fd();
    let mut config = Config::new(HardwareAddress::Ethernet(OWN_MAC));
    // A fixed seed: the same initial sequence number and port in every run.
    config.random_seed = 7;
    let mut interface = Interface::new(config, &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // One address always fits into the list.
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(own), 24));
    });

    let socket =
        tcp::Socket::new(tcp::SocketBuffer::new(vec![0; 4096]), tcp::SocketBuffer::new(vec![0; 4096]));
    let mut sockets = SocketSet::new(vec![]);
    let handle = sockets.add(socket);
    sockets
        .get_mut::<tcp::Socket>(handle)
        .connect(interface.context(), (peer, peer_port), own_port)
        .map_err(|error| format!("connect: {error}"))?;

    let mut state = tcp::State::Closed;
    loop {
        let now = Instant::now();
        interface.poll(now, &mut device, &mut sockets);
        let socket = sockets.get_mut::<tcp::Socket>(handle);
        if socket.state() != state {
            state = socket.state();
            println!("{state}");
            if state == tcp::State::Established {
                socket.send_slice(HELLO).map_err(|error| format!("send: {error}"))?;
                socket.set_keep_alive(Some(interval));
                continue;
            }
            if state == tcp::State::Closed {
                return Ok(());
            }
        }
        while socket.can_recv() {
            socket.recv(|octets| (octets.len(), ())).map_err(|error| format!("receive: {error}"))?;
        }
        wait(fd, interface.poll_delay(now, &sockets))?;
    }
}
