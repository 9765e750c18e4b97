//! The Modbus TCP server: the PLC's way in. Reading is free, writing has to be allowed: Modbus knows no passwords.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_modbus::prelude::{ExceptionCode, Request, Response};
use tokio_modbus::server::Service;
use tokio_modbus::server::tcp::Server;

use super::map::{BLOCK, Block, CONTROL, Command, PlcResult};
use crate::publish::{Control, Offer, Record, Sink};
use crate::types::{Mono, Outcome, Reason, Stats, Verdict};

/// Where the server listens and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModbusServerOptions {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether the PLC may write: acknowledge results, trigger, release the line.
    pub allow_write: bool,
    /// Parts are announced by messages.
    pub takes_triggers: bool,
}

/// Connections at once; a PLC needs one or two.
const CONNECTIONS: usize = 16;
/// A server that cannot listen tries again after this.
const RETRY: Duration = Duration::from_secs(2);
/// Steps of the heartbeat register a second.
const BEATS: u64 = 10;

struct Shared {
    options: ModbusServerOptions,
    blocks: Mutex<Vec<Block>>,
    control: Arc<dyn Control>,
    started: Mono,
    connections: AtomicUsize,
}

/// The sink that fills the map, and the server beside it.
pub struct ModbusServer {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl ModbusServer {
    /// Listens, with a block for each of `cameras`.
    ///
    /// # Errors
    /// The address cannot be used, or there is no room for a thread.
    pub fn start(
        options: ModbusServerOptions,
        cameras: usize,
        control: Arc<dyn Control>,
    ) -> std::io::Result<ModbusServer> {
        let blocks = Mutex::new((0..cameras).map(|_| Block::default()).collect());
        let shared =
            Arc::new(Shared { options, blocks, control, started: Mono::now(), connections: AtomicUsize::new(0) });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("modbus-in")
            .enable_all()
            .build()?;
        let address = shared.options.listen;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
        runtime.spawn(serve(listener, address, shared.clone()));
        Ok(ModbusServer { shared, runtime: Some(runtime) })
    }
}

/// Accepts until the runtime ends; a listener that fails is opened again.
async fn serve(listener: tokio::net::TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut listener = Some(listener);
    loop {
        let open = match listener.take() {
            Some(listener) => Ok(listener),
            None => tokio::net::TcpListener::bind(address).await,
        };
        match open {
            Ok(open) => {
                let connected = |stream: tokio::net::TcpStream, _: SocketAddr| {
                    let guest = Guest::enter(&shared);
                    let quick = stream.set_nodelay(true);
                    async move { Ok(guest.filter(|_| quick.is_ok()).map(|g| (g, stream))) }
                };
                let failed = |e| tracing::debug!("a Modbus connection ended: {e}");
                if let Err(e) = Server::new(open).serve(&connected, failed).await {
                    tracing::warn!("the Modbus server stopped listening: {e}");
                }
            }
            Err(e) => tracing::warn!("the Modbus server cannot listen on {address}: {e}"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One connection.
struct Guest(Arc<Shared>);

impl Guest {
    fn enter(shared: &Arc<Shared>) -> Option<Guest> {
        let before = shared.connections.fetch_add(1, Relaxed);
        let guest = Guest(shared.clone());
        if before >= CONNECTIONS {
            tracing::warn!("more than {CONNECTIONS} Modbus connections; one is refused");
            return None;
        }
        Some(guest)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

impl Service for Guest {
    type Request = Request<'static>;
    type Response = Response;
    type Exception = ExceptionCode;
    type Future = std::future::Ready<Result<Response, ExceptionCode>>;

    fn call(&self, request: Self::Request) -> Self::Future {
        std::future::ready(self.0.answer(request))
    }
}

impl Shared {
    fn answer(&self, request: Request<'_>) -> Result<Response, ExceptionCode> {
        match request {
            Request::ReadInputRegisters(at, n) => self.read(at, n).map(Response::ReadInputRegisters),
            Request::ReadHoldingRegisters(at, n) => self.read(at, n).map(Response::ReadHoldingRegisters),
            Request::ReadDiscreteInputs(at, n) => self.bits(at, n, false).map(Response::ReadDiscreteInputs),
            Request::ReadCoils(at, n) => self.bits(at, n, true).map(Response::ReadCoils),
            Request::WriteSingleRegister(at, word) => {
                self.write(at, word)?;
                Ok(Response::WriteSingleRegister(at, word))
            }
            Request::WriteMultipleRegisters(at, words) => {
                // The control register of one block, and nothing else, is writable.
                let [word] = words[..] else { return Err(ExceptionCode::IllegalDataAddress) };
                self.write(at, word)?;
                Ok(Response::WriteMultipleRegisters(at, 1))
            }
            Request::WriteSingleCoil(at, on) => {
                self.write_coils(at, &[on])?;
                Ok(Response::WriteSingleCoil(at, on))
            }
            Request::WriteMultipleCoils(at, on) => {
                self.write_coils(at, &on)?;
                Ok(Response::WriteMultipleCoils(at, on.len() as u16))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        }
    }

    fn heartbeat(&self) -> u16 {
        (Mono::now().since(self.started).as_millis() as u64 * BEATS / 1000) as u16
    }

    fn read(&self, at: u16, count: u16) -> Result<Vec<u16>, ExceptionCode> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let end = usize::from(at) + usize::from(count);
        if !(1..=125).contains(&count) || end > blocks.len() * usize::from(BLOCK) {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        let beat = self.heartbeat();
        let mut cached: Option<(usize, [u16; CONTROL as usize])> = None;
        let word = |address: usize| {
            let (n, offset) = (address / usize::from(BLOCK), address % usize::from(BLOCK));
            if offset == usize::from(CONTROL) {
                return blocks[n].control();
            }
            if cached.is_none_or(|(c, _)| c != n) {
                cached = Some((n, blocks[n].registers(beat, self.options.takes_triggers)));
            }
            cached.and_then(|(_, all)| all.get(offset).copied()).unwrap_or(0)
        };
        Ok((usize::from(at)..end).map(word).collect())
    }

    /// The status bits (discrete inputs) or the control bits (coils), 16 a block.
    fn bits(&self, at: u16, count: u16, control: bool) -> Result<Vec<bool>, ExceptionCode> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let end = usize::from(at) + usize::from(count);
        if !(1..=2000).contains(&count) || end > blocks.len() * 16 {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        let word = |n: usize| match control {
            true => blocks[n].control(),
            false => blocks[n].registers(0, self.options.takes_triggers)[0],
        };
        Ok((usize::from(at)..end).map(|b| word(b / 16) & 1 << (b % 16) != 0).collect())
    }

    fn write_coils(&self, at: u16, on: &[bool]) -> Result<(), ExceptionCode> {
        let n = usize::from(at / 16);
        if usize::from(at % 16) + on.len() > 16 {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        let word = {
            let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            let block = blocks.get(n).ok_or(ExceptionCode::IllegalDataAddress)?;
            on.iter().enumerate().fold(block.control(), |word, (i, on)| {
                let bit = 1 << (usize::from(at % 16) + i);
                if *on { word | bit } else { word & !bit }
            })
        };
        self.write_block(n, word)
    }

    fn write(&self, at: u16, word: u16) -> Result<(), ExceptionCode> {
        if at % BLOCK != CONTROL {
            return Err(ExceptionCode::IllegalDataAddress);
        }
        self.write_block(usize::from(at / BLOCK), word)
    }

    fn write_block(&self, n: usize, word: u16) -> Result<(), ExceptionCode> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.get_mut(n).ok_or(ExceptionCode::IllegalDataAddress)?;
        if !self.options.allow_write {
            return Err(ExceptionCode::IllegalFunction);
        }
        for command in block.write(word) {
            let done = match command {
                Command::Trigger => self.control.trigger(None),
                Command::Release => self.control.release(),
            };
            if let Err(why) = &done {
                tracing::warn!("the PLC's {command:?} is refused: {why}");
            }
            block.done(command, done.is_ok());
        }
        Ok(())
    }

    fn verdict(&self, v: &Verdict) {
        let code = match v.outcome {
            Outcome::Pass(_) => 1,
            Outcome::Reject => 2,
            Outcome::Uninspected => 3,
            Outcome::Error => 4,
        };
        let result = PlcResult {
            code,
            reason: Reason::ALL.iter().position(|r| *r == v.reason).unwrap_or_default() as u16,
            part: v.seq.0,
            trigger_id: v.trigger_id.unwrap_or_default(),
            score: v.score.map(|s| s.get()),
            threshold: v.threshold,
            latency_ns: v.t_verdict.0.saturating_sub(v.t_trigger.0),
            margin_ns: v.deadline.0.saturating_sub(v.t_verdict.0),
        };
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = blocks.get_mut(v.camera.index()) {
            block.result(result, self.options.allow_write);
        }
    }

    fn stats(&self, s: &Stats) {
        let c = s.counts;
        let counts = [c.offered, c.pass, c.reject, c.uninspected, c.error, c.late_results];
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(block) = blocks.get_mut(s.camera.index()) {
            block.state(counts, s.camera_state == "running", c.in_flight > 0, s.line_stop);
        }
    }
}

impl Sink for ModbusServer {
    fn name(&self) -> &'static str {
        "modbus"
    }

    fn offer(&mut self, record: &Record) -> Offer {
        match record {
            Record::Verdict(v) => self.shared.verdict(v),
            Record::Stats(s) => self.shared.stats(s),
            Record::Part(..) | Record::Fired(..) | Record::Notice(..) | Record::Map(_) => return Offer::Ignored,
        }
        Offer::Taken
    }

    fn close(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

impl Drop for ModbusServer {
    fn drop(&mut self) {
        self.close();
    }
}
