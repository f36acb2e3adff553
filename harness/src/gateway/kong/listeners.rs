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
    /// Of the driver's own server; with a database only.
    pub probe: SocketAddr,
    /// Of a control plane, for its data planes.
    pub cluster: SocketAddr,
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
        let wanted = [setup.proxy, any, setup.status.unwrap_or(any), any, any];
        let listeners = wanted
            .into_iter()
            .map(|address| TcpListener::bind(address).with_context(|| format!("cannot listen on {address}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let address = |number: usize| listeners[number].local_addr();
        Ok(Self {
            proxy: address(0)?,
            admin: address(1)?,
            status: address(2)?,
            probe: address(3)?,
            cluster: address(4)?,
        })
    }
}
