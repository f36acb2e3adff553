//! Where one Kong listens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;

use crate::gateway::Setup;

/// Addresses of one Kong, ports included.
#[derive(Clone, Copy, Debug)]
pub struct Listeners {
    pub proxy: SocketAddr,
    pub admin: SocketAddr,
    pub status: SocketAddr,
}

impl Listeners {
    /// Takes what the setup asks for; where it asks for port 0, and for what only the driver needs, the system chooses.
    /// Nobody holds a chosen port until Kong does: whoever is told that it is taken chooses again.
    ///
    /// # Errors
    /// An address that is asked for cannot be had.
    pub fn choose(setup: &Setup) -> anyhow::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // All at once, so that no two are the same.
        let [proxy, admin, status] = [setup.proxy, any, setup.status.unwrap_or(any)]
            .map(|address| TcpListener::bind(address).with_context(|| format!("cannot listen on {address}")));
        let (proxy, admin, status) = (proxy?, admin?, status?);
        Ok(Self { proxy: proxy.local_addr()?, admin: admin.local_addr()?, status: status.local_addr()? })
    }
}
