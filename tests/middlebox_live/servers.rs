//! Servers that know nothing of a search.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use keepscope::live::netns::NetNs;
use socket2::{SockRef, TcpKeepalive};

use crate::lab::Lab;

/// A server on one port of both IP versions.
pub struct Server {
    pub port: u16,
}

impl Server {
    /// Accepts connections and holds them until the client closes them.
    pub fn that_holds(lab: &Lab) -> Server {
        Self::on(lab, hold)
    }

    /// Greets, as mail and SSH servers do, and holds.
    pub fn that_greets(lab: &Lab) -> Server {
        Self::on(lab, |mut stream| {
            stream.write_all(b"220 ready\r\n").expect("room");
            hold(stream);
        })
    }

    /// Keeps its connections alive by its kernel's probes.
    pub fn that_probes(lab: &Lab, every: Duration) -> Server {
        Self::on(lab, move |stream| {
            let probes = TcpKeepalive::new().with_time(every).with_interval(every);
            SockRef::from(&stream).set_tcp_keepalive(&probes).expect("keepalive");
            hold(stream);
        })
    }

    /// Closes what was silent for so long.
    pub fn that_closes(lab: &Lab, after: Duration) -> Server {
        Self::on(lab, move |stream| {
            stream.set_read_timeout(Some(after)).expect("a time");
            hold(stream);
        })
    }

    /// Says this to whoever connects, and then nothing.
    pub fn that_says(lab: &Lab, what: &'static [u8]) -> Server {
        Self::on(lab, move |mut stream| {
            stream.write_all(what).expect("room");
            hold(stream);
        })
    }

    /// Says what it is told.
    pub fn that_echoes(lab: &Lab) -> Server {
        Self::on(lab, |stream| {
            let mut told = stream.try_clone().expect("a descriptor");
            let mut says = stream;
            let _ = std::io::copy(&mut told, &mut says);
        })
    }

    /// Accepts, and closes at once.
    pub fn that_hangs_up(lab: &Lab) -> Server {
        Self::on(lab, drop)
    }

    fn on(lab: &Lab, serve: impl Fn(TcpStream) + Clone + Send + 'static) -> Server {
        let host = NetNs::Name(lab.server.clone());
        let (say, hear) = mpsc::channel();
        // Namespaces belong to threads; this one goes away with the process.
        std::thread::spawn(move || {
            host.enter().expect("the namespace");
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a listener");
            say.send(listener.local_addr().expect("an address").port()).expect("a test that waits");
            for stream in listener.incoming() {
                let stream = stream.expect("a connection");
                let serve = serve.clone();
                std::thread::spawn(move || serve(stream));
            }
        });
        Server { port: hear.recv().expect("a listener") }
    }
}

/// Reads until the end, or until nothing came for too long.
fn hold(mut stream: TcpStream) {
    while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
}
