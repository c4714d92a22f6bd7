//! smoltcp and lwIP.
