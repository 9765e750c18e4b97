//! The connections of the Modbus server: accepted, answered, and ended when they say nothing or something else than Modbus.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::Shared;
use super::adu::{self, MAX_ADU, Next};
use super::connections::{Places, Seldom};
use andon_core::Mono;

/// Connections at once; a PLC needs one or two.
const CONNECTIONS: usize = 16;
/// A request has to be complete this long after its first byte, and its answer taken in the same time.
const WHOLE: Duration = Duration::from_secs(3);
/// A socket that cannot be accepted, because the process has no descriptor left for instance, is tried again after this.
const RETRY: Duration = Duration::from_millis(200);
/// Keep-alive: after this silence the peer's machine is asked, again and again, whether it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The connections and when they were last spoken of in the log.
#[derive(Default)]
pub(super) struct Guests {
    places: Mutex<Places>,
    /// By [`Topic`].
    seldom: Mutex<[Seldom; 6]>,
}

/// Kinds of messages; each comes seldom.
#[derive(Clone, Copy)]
enum Topic {
    Came,
    GaveWay,
    Idle,
    Broken,
    Refused,
    Accept,
}

/// Why a connection ended.
enum End {
    Closed,
    Idle,
    Half(usize),
    Broken(&'static str),
    Failed(std::io::Error),
}

impl Guests {
    /// What to add to a message about this, if it is time for one.
    fn say(&self, topic: Topic) -> Option<String> {
        self.seldom.lock().unwrap_or_else(PoisonError::into_inner)[topic as usize].say(Mono::now())
    }

    fn places(&self) -> std::sync::MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts until the runtime ends.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => admit(stream, peer, &shared),
            Err(e) => {
                if let Some(more) = shared.guests.say(Topic::Accept) {
                    tracing::warn!("the Modbus server cannot accept a connection: {e}{more}");
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>) {
    let guests = &shared.guests;
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE / 2);
    // Without them answers come later, or a dead peer is noticed later: by the limit of idleness.
    if let Err(e) = stream.set_nodelay(true).and_then(|()| SockRef::from(&stream).set_tcp_keepalive(&keep_alive)) {
        tracing::debug!("Modbus, {peer}: the socket's options are refused: {e}");
    }
    let id = guests.places().number();
    let task = tokio::spawn(connection(stream, peer, id, shared.clone()));
    let replaced = guests.places().enter(id, peer, task.abort_handle(), CONNECTIONS);
    if let Some(more) = guests.say(Topic::Came) {
        let places = guests.places().len();
        tracing::info!("Modbus, {peer}: connected; {places} of {CONNECTIONS} places are taken{more}");
    }
    if let Some(old) = replaced
        && let Some(more) = guests.say(Topic::GaveWay)
    {
        tracing::warn!(
            "Modbus, {}: all {CONNECTIONS} places are taken and it asked nothing for {} s; its connection gives way to {peer}{more}",
            old.peer,
            old.silent.as_secs()
        );
    }
}

async fn connection(mut stream: TcpStream, peer: SocketAddr, id: u64, shared: Arc<Shared>) {
    let end = talk(&mut stream, peer, id, &shared).await;
    let guests = &shared.guests;
    match end {
        End::Closed => tracing::debug!("Modbus, {peer}: closed its connection"),
        End::Failed(e) => tracing::debug!("Modbus, {peer}: the connection broke: {e}"),
        End::Idle => {
            if let Some(more) = guests.say(Topic::Idle) {
                let idle = shared.options.idle.as_secs();
                tracing::info!("Modbus, {peer}: no request for {idle} s (modbus_server.idle_s); closed{more}");
            }
        }
        End::Half(bytes) => {
            if let Some(more) = guests.say(Topic::Broken) {
                let whole = WHOLE.as_secs();
                tracing::warn!(
                    "Modbus, {peer}: {bytes} bytes of a request, and not the rest within {whole} s; closed{more}"
                );
            }
        }
        End::Broken(why) => {
            if let Some(more) = guests.say(Topic::Broken) {
                tracing::warn!("Modbus, {peer}: what it sent is no Modbus TCP: {why}; closed{more}");
            }
        }
    }
}

/// Answers one request after the other.
async fn talk(stream: &mut TcpStream, peer: SocketAddr, id: u64, shared: &Shared) -> End {
    let mut buffer = [0u8; 2 * MAX_ADU];
    let mut held = 0;
    let mut idle_at = Instant::now() + shared.options.idle;
    // When the request that has begun has to be complete.
    let mut whole_at: Option<Instant> = None;
    loop {
        match adu::next(&buffer[..held], shared) {
            Next::Answer { used, bytes, refused } => {
                shared.guests.places().asked(id);
                if let Some((function, exception)) = refused
                    && let Some(more) = shared.guests.say(Topic::Refused)
                {
                    let code = exception as u8;
                    tracing::info!(
                        "Modbus, {peer}: function {function} is answered with exception {code}, {exception:?}{more}"
                    );
                }
                match timeout(WHOLE, stream.write_all(&bytes)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(e)) => return End::Failed(e),
                    Err(_) => return End::Broken("it does not take its answers"),
                }
                buffer.copy_within(used..held, 0);
                held -= used;
                whole_at = None;
                idle_at = Instant::now() + shared.options.idle;
                continue;
            }
            Next::Broken(why) => return End::Broken(why),
            Next::More => {}
        }
        if held > 0 && whole_at.is_none() {
            whole_at = Some(Instant::now() + WHOLE);
        }
        match timeout_at(whole_at.unwrap_or(idle_at), stream.read(&mut buffer[held..])).await {
            Ok(Ok(0)) => return End::Closed,
            Ok(Ok(n)) => held += n,
            Ok(Err(e)) => return End::Failed(e),
            Err(_) if held > 0 => return End::Half(held),
            Err(_) => return End::Idle,
        }
    }
}
