//! Ends TLS in front of a receiver that speaks none.

use std::{net::SocketAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

/// A proxy on the loopback, until dropped.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    _running: Runtime,
}

impl TlsFront {
    /// One that presents a certificate, and passes on what HTTP/2 it gets.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(config: &ServerConfig, behind: SocketAddr) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let running = Runtime::new()?;
        let listener = running.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        running.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(behind).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self {
            address,
            _running: running,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
