//! The page's server: few threads of the lowest priority, few connections, no patience with who is slow.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsAcceptor;

use super::aid::SetUps;
use super::forms::Peer;
use super::kept::{self, Turns};
use super::options::PageOptions;
use super::pictures::READERS;
use super::routes::router;
use super::site::{Judges, Site};
use super::{PictureSource, challenge, tls};
use crate::act::Service;
use crate::live::{Board, PageRecord};

/// Connections at once without a stream of events; one more ends the oldest of them.
const CONNECTIONS: usize = 64;
/// A request's head has to be there after this; so long may a connection be idle too.
const HEAD: Duration = Duration::from_secs(5);
/// A connection without a stream ends after this, whatever it does.
const WHOLE: Duration = Duration::from_secs(30);
/// One with a stream ends after this; the page connects again by itself. A reader that is gone without a word holds its place no longer.
const STREAM: Duration = Duration::from_secs(15 * 60);
/// A handshake has to be over after this.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Bytes of a request's head at most.
const HEAD_BYTES: usize = 16 * 1024;
/// A socket that cannot be accepted is tried again after this.
const RETRY: Duration = Duration::from_millis(200);
/// Threads that answer.
const THREADS: usize = 2;
/// Threads for what takes longer: checking passwords, which is done one at a time anyway, and reading pictures.
const LONG_THREADS: usize = 8;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum PageError {
    /// Address in use, or not ours.
    #[error("cannot serve the page on {address}: {source}; choose another page.listen, or page.enabled = false")]
    Bind {
        /// Address.
        address: SocketAddr,
        /// Cause.
        source: std::io::Error,
    },
    /// No threads.
    #[error("cannot start the page's threads: {0}")]
    Runtime(std::io::Error),
    /// Certificate or key.
    #[error("page.certificate, page.key: {0}")]
    Tls(String),
}

/// What the page is made of.
pub struct PageSpec {
    /// How it is served.
    pub options: PageOptions,
    /// What it shows.
    pub board: Arc<Board>,
    /// What brings the board up to date.
    pub records: Receiver<PageRecord>,
    /// What may be done.
    pub service: Arc<Service>,
    /// What judges now.
    pub judges: Judges,
    /// Pictures of parts, where they are kept.
    pub pictures: Option<Arc<dyn PictureSource>>,
}

/// Archives of pictures that are sent at once.
const ARCHIVES: usize = 1;

/// A running page; stops within a second when dropped.
#[derive(Debug)]
pub struct PageServer {
    address: SocketAddr,
    is_secure: bool,
    runtime: Option<Runtime>,
}

impl PageServer {
    /// Binds and serves.
    ///
    /// # Errors
    /// [`PageError`].
    pub fn start(spec: PageSpec) -> Result<PageServer, PageError> {
        let address = spec.options.listen;
        let bind = |source| PageError::Bind { address, source };
        let tls = spec.options.tls.as_ref().map(tls::acceptor).transpose().map_err(PageError::Tls)?;
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(LONG_THREADS)
            .thread_name("page")
            .on_thread_start(andon_core::lowest_priority)
            .enable_all()
            .build()
            .map_err(PageError::Runtime)?;
        let PageSpec { options, board, mut records, service, judges, pictures } = spec;
        let is_secure = tls.is_some();
        let site = Arc::new(Site {
            options,
            board: board.clone(),
            service,
            judges,
            pictures,
            turns: Turns::default(),
            readers: Semaphore::new(READERS),
            archives: Semaphore::new(ARCHIVES),
            set_ups: SetUps::default(),
            streams: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            failed_logins: AtomicU64::new(0),
        });
        let judged = site.clone();
        runtime.spawn(async move {
            while let Some(record) = records.recv().await {
                let ended = board.take(record);
                if let Some(challenge) = ended.challenge {
                    challenge::ended(&judged, challenge);
                }
                if let Some(trial) = ended.trial {
                    let of = judged.clone();
                    tokio::task::spawn_blocking(move || of.service.trial_ended(&trial));
                }
            }
        });
        runtime.spawn(challenge::watch(site.clone()));
        runtime.spawn(kept::keep_figures(site.clone()));
        runtime.spawn(async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(listener, router(site), tls).await,
                Err(e) => tracing::error!("the page cannot listen: {e}"),
            }
        });
        Ok(PageServer { address: bound, is_secure, runtime: Some(runtime) })
    }

    /// Where it listens (the port that was given for port 0).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to type into a browser on this box.
    pub fn url(&self) -> String {
        let scheme = if self.is_secure { "https" } else { "http" };
        let host = match self.address.ip() {
            any if any.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        format!("{scheme}://{}/", SocketAddr::new(host, self.address.port()))
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// What the server knows of a connection: whether it has a stream of events, which are counted and limited by themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Connection(Arc<AtomicBool>);

impl Connection {
    /// From now on it has.
    pub fn streams(&self) {
        self.0.store(true, Relaxed);
    }

    fn is_streaming(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// Accepts until the runtime ends.
async fn serve(listener: TcpListener, app: Router, tls: Option<TlsAcceptor>) {
    let mut open: VecDeque<(AbortHandle, Connection)> = VecDeque::with_capacity(CONNECTIONS + 1);
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                open.retain(|(task, _)| !task.is_finished());
                let connection = Connection::default();
                let app = app.clone().layer(Extension(Peer(peer))).layer(Extension(connection.clone()));
                let task = tokio::spawn(answer(stream, app, tls.clone(), connection.clone())).abort_handle();
                open.push_back((task, connection));
                let short: Vec<usize> = (0..open.len()).filter(|&n| !open[n].1.is_streaming()).collect();
                if short.len() > CONNECTIONS {
                    if let Some((oldest, _)) = open.remove(short[0]) {
                        oldest.abort();
                    }
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(
                            "the page has more than {CONNECTIONS} connections, the last from {peer}; the oldest are closed"
                        );
                    }
                }
            }
            Err(e) => {
                tracing::debug!("the page cannot accept a connection: {e}");
                sleep(RETRY).await;
            }
        }
    }
}

async fn answer(stream: TcpStream, app: Router, tls: Option<TlsAcceptor>, connection: Connection) {
    // An event is small, and somebody waits for it.
    if let Err(e) = stream.set_nodelay(true) {
        tracing::debug!("a connection of the page is gone: {e}");
        return;
    }
    match tls {
        None => requests(stream, app, connection).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, app, connection).await,
            Ok(Err(e)) => tracing::debug!("no TLS on the page: {e}"),
            Err(_) => tracing::debug!("a handshake of the page lasted over {} s", HANDSHAKE.as_secs()),
        },
    }
}

/// The requests of one connection, until it ends or has lasted long enough.
async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin + Send, app: Router, connection: Connection) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES).keep_alive(true);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    tokio::pin!(served);
    let begun = Instant::now();
    loop {
        let limit = if connection.is_streaming() { STREAM } else { WHOLE };
        tokio::select! {
            ended = &mut served => {
                if let Err(e) = ended {
                    tracing::debug!("a connection of the page ended: {e}");
                }
                return;
            }
            () = sleep(Duration::from_secs(1)) => {
                if begun.elapsed() > limit {
                    return;
                }
            }
        }
    }
}
