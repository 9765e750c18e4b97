//! The Modbus TCP server, which the PLC reads and writes. Reading is free, writing has to be allowed: Modbus knows no passwords.

mod adu;
mod accept;
mod connections;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use self::accept::Guests;
use self::adu::{Device, Exception};
use super::ModbusServerConfig;
use super::registers::{BLOCK, Block, CONTROL, Command, LineSigns, PlcResult, RECIPE};
use crate::sinks::{SinkContext, SinkError};
use andon_core::{Accepted, Actor, CameraId, Control, ControlError, RecipeState, Record, Sink};
use andon_core::{CameraVerdict, Mono, Outcome, Reason, Stats};

/// Starts the sink of the table.
pub(in crate::sinks) fn start(
    config: &ModbusServerConfig,
    context: &SinkContext<'_>,
) -> Result<Box<dyn Sink>, SinkError> {
    let address: SocketAddr = config.listen.parse().map_err(SinkError::refused)?;
    let options = ModbusServerOptions {
        listen: address,
        allow_write: config.allow_write,
        takes_triggers: context.takes_triggers,
        idle: Duration::from_secs(config.idle_s),
    };
    let refused = |source: std::io::Error| SinkError::Address {
        key: "modbus_server.listen",
        action: "listen",
        address,
        source: Box::new(source),
    };
    let server = ModbusServer::start(options, context.station.cameras.len(), context.control.clone());
    Ok(Box::new(server.map_err(refused)?))
}

/// Where the server listens and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModbusServerOptions {
    /// Address and port.
    pub listen: SocketAddr,
    /// Whether the PLC may write: acknowledge results, trigger, release the line.
    pub allow_write: bool,
    /// Parts are announced by messages.
    pub takes_triggers: bool,
    /// A connection without a request for so long is closed.
    pub idle: Duration,
}

/// Steps of the heartbeat register a second.
const BEATS: u64 = 10;

struct Shared {
    options: ModbusServerOptions,
    blocks: Mutex<Vec<Block>>,
    control: Arc<dyn Control>,
    started: Mono,
    guests: Guests,
    /// A recipe that the PLC asked for is on its way.
    changes_recipe: AtomicBool,
    /// For threads that outlive a request.
    me: Weak<Shared>,
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
        let shared = Arc::new_cyclic(|me| Shared {
            options,
            blocks,
            control,
            started: Mono::now(),
            guests: Guests::default(),
            changes_recipe: AtomicBool::new(false),
            me: me.clone(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("modbus-in")
            .enable_all()
            .build()?;
        let address = shared.options.listen;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
        runtime.spawn(accept::serve(listener, shared.clone()));
        Ok(ModbusServer { shared, runtime: Some(runtime) })
    }
}

/// Any unit identifier is answered: there is one device behind this address.
impl Device for Shared {
    fn registers(&self, at: u16, count: u16) -> Result<Vec<u16>, Exception> {
        self.read(at, count)
    }

    fn bits(&self, at: u16, count: u16, coils: bool) -> Result<Vec<bool>, Exception> {
        self.read_bits(at, count, coils)
    }

    fn write_registers(&self, at: u16, words: &[u16]) -> Result<(), Exception> {
        // The control register or the recipe of one block, and nothing else, is writable.
        let [word] = words[..] else { return Err(Exception::Address) };
        self.write(at, word)
    }

    fn write_coils(&self, at: u16, on: &[bool]) -> Result<(), Exception> {
        self.write_bits(at, on)
    }
}

impl Shared {
    fn heartbeat(&self) -> u16 {
        (Mono::now().since(self.started).as_millis() as u64 * BEATS / 1000) as u16
    }

    /// What a block shows beside its results.
    fn signs(&self, n: usize, recipe: &RecipeState) -> LineSigns {
        LineSigns {
            heartbeat: self.heartbeat(),
            takes_triggers: self.options.takes_triggers,
            recipe: recipe.clone(),
            challenge: u8::try_from(n).map(|n| self.control.challenge_state(CameraId(n))).unwrap_or_default(),
        }
    }

    fn read(&self, at: u16, count: u16) -> Result<Vec<u16>, Exception> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let end = usize::from(at) + usize::from(count);
        if end > blocks.len() * usize::from(BLOCK) {
            return Err(Exception::Address);
        }
        let recipe = self.control.recipe();
        let mut cached: Option<(usize, [u16; CONTROL as usize])> = None;
        let word = |address: usize| {
            let (n, offset) = (address / usize::from(BLOCK), address % usize::from(BLOCK));
            if offset == usize::from(CONTROL) {
                return blocks[n].control();
            }
            if offset == usize::from(RECIPE) {
                return recipe.number;
            }
            if cached.is_none_or(|(c, _)| c != n) {
                cached = Some((n, blocks[n].registers(&self.signs(n, &recipe))));
            }
            cached.and_then(|(_, all)| all.get(offset).copied()).unwrap_or(0)
        };
        Ok((usize::from(at)..end).map(word).collect())
    }

    /// The status bits (discrete inputs) or the control bits (coils), 16 a block.
    fn read_bits(&self, at: u16, count: u16, control: bool) -> Result<Vec<bool>, Exception> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let end = usize::from(at) + usize::from(count);
        if end > blocks.len() * 16 {
            return Err(Exception::Address);
        }
        let recipe = self.control.recipe();
        let word = |n: usize| match control {
            true => blocks[n].control(),
            false => blocks[n].registers(&self.signs(n, &recipe))[0],
        };
        Ok((usize::from(at)..end).map(|b| word(b / 16) & 1 << (b % 16) != 0).collect())
    }

    fn write_bits(&self, at: u16, on: &[bool]) -> Result<(), Exception> {
        let n = usize::from(at / 16);
        if usize::from(at % 16) + on.len() > 16 {
            return Err(Exception::Address);
        }
        let word = {
            let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            let block = blocks.get(n).ok_or(Exception::Address)?;
            on.iter().enumerate().fold(block.control(), |word, (i, on)| {
                let bit = 1 << (usize::from(at % 16) + i);
                if *on { word | bit } else { word & !bit }
            })
        };
        self.write_block(n, word)
    }

    fn write(&self, at: u16, word: u16) -> Result<(), Exception> {
        if at % BLOCK == RECIPE {
            return self.write_recipe(usize::from(at / BLOCK), word);
        }
        if at % BLOCK != CONTROL {
            return Err(Exception::Address);
        }
        self.write_block(usize::from(at / BLOCK), word)
    }

    fn write_block(&self, n: usize, word: u16) -> Result<(), Exception> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.get_mut(n).ok_or(Exception::Address)?;
        if !self.options.allow_write {
            return Err(Exception::Function);
        }
        let commands: Vec<Command> = block.write(word).into_iter().collect();
        // An act may take the time of a write to the disk: results go on meanwhile.
        drop(blocks);
        for command in commands {
            let done = match command {
                Command::Trigger => self.control.trigger(None),
                Command::Release => self.control.release(&Actor::modbus()),
                Command::Challenge => match u8::try_from(n) {
                    Ok(n) => self.control.start_challenge(CameraId(n), &Actor::modbus()),
                    Err(_) => Err(ControlError::NoSuchCamera),
                },
                // Comes by a register of its own.
                Command::Recipe(_) => Ok(()),
            };
            if let Err(why) = &done {
                tracing::warn!("the PLC's {command:?} is refused: {why}");
            }
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(block) = blocks.get_mut(n) {
                block.done(command, done.is_ok());
            }
        }
        Ok(())
    }

    /// The number of a recipe. It takes as long as models take to load, so the answer says only that it was begun: RecipeChanging falls
    /// when it is over, and CommandFailed rises if nothing came of it.
    fn write_recipe(&self, n: usize, number: u16) -> Result<(), Exception> {
        if n >= self.blocks.lock().unwrap_or_else(PoisonError::into_inner).len() {
            return Err(Exception::Address);
        }
        if !self.options.allow_write {
            return Err(Exception::Function);
        }
        let in_force = self.control.recipe();
        if !in_force.changing && in_force.number == number && number != 0 {
            return Ok(());
        }
        let failed = move |shared: &Shared| {
            if let Some(block) = shared.blocks.lock().unwrap_or_else(PoisonError::into_inner).get_mut(n) {
                block.done(Command::Recipe(number), false);
            }
        };
        // One at a time, however often the PLC writes.
        if self.changes_recipe.swap(true, Relaxed) {
            failed(self);
            return Ok(());
        }
        let shared = self.me.upgrade().ok_or(Exception::Function)?;
        let change = move || {
            let done = shared.control.change_recipe(&number.to_string(), &Actor::modbus());
            if let Err(why) = &done {
                tracing::warn!("the PLC's recipe {number} is refused: {why}");
            }
            if done.is_err() {
                failed(&shared);
            }
            shared.changes_recipe.store(false, Relaxed);
        };
        let begun = std::thread::Builder::new().name("recipe".to_owned()).spawn(change);
        begun.map(drop).map_err(|e| {
            tracing::warn!("the PLC's recipe {number} is not begun: {e}");
            self.changes_recipe.store(false, Relaxed);
            Exception::Function
        })
    }

    fn verdict(&self, v: &CameraVerdict) {
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

    fn offer(&mut self, record: &Record) -> Accepted {
        match record {
            Record::Verdict(v) => self.shared.verdict(v),
            Record::Stats(s) => self.shared.stats(s),
            Record::Part(..) | Record::Ejection(..) | Record::Event(..) | Record::Map(_) => {
                return Accepted::Ignored;
            }
        }
        Accepted::Taken
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
