//! I/O modules on Modbus TCP: coils as outputs, discrete inputs as sensors, registers as encoders. Each device has a thread
//! of its own; its caller only leaves an order.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio_modbus::Slave;
use tokio_modbus::client::sync::{Context, Reader, Writer, tcp};

use super::ModbusAddress;
use crate::fieldio::{Devices, EncoderPoint, IoPoint};
use andon_core::Mono;
use andon_core::{Edge, Encoder, FieldError, Input, Output, SharedEncoder, real_time};

/// How long the devices may take to answer before the line starts.
const READY: Duration = Duration::from_secs(1);

/// Devices that hold outputs, one connection each.
#[derive(Default)]
pub struct Coils {
    /// By host and port, and unit.
    devices: Vec<((String, u8), CoilDevice)>,
}

impl Coils {
    /// The device of an address, which is connected to when it is asked for first.
    fn device(&mut self, point: &IoPoint, address: &ModbusAddress) -> Result<&CoilDevice, FieldError> {
        let key = (address.address.clone(), address.unit);
        let place = match self.devices.iter().position(|(known, _)| *known == key) {
            Some(place) => place,
            None => {
                let spec = ModbusPoint::of(point, address);
                let device = CoilDevice::start(spec.clone()).map_err(|e| spec.error(e))?;
                self.devices.push((key, device));
                self.devices.len() - 1
            }
        };
        Ok(&self.devices[place].1)
    }

    /// Gives the devices a moment to answer, so that the line does not start with an alarm.
    pub fn wait(&self) {
        for ((address, _), device) in &self.devices {
            if !device.ready(READY) {
                tracing::error!(address, "the Modbus device does not answer; the line starts with its alarm");
            }
        }
    }
}

/// Opens a coil at its safe level.
pub(in crate::fieldio) fn open_output(
    point: &IoPoint,
    address: &ModbusAddress,
    devices: &mut Devices,
) -> Result<Box<dyn Output>, FieldError> {
    let device = devices.coils.device(point, address)?;
    Ok(device.coil(&point.name, address.point, point.active_low, point.safe))
}

/// Opens a discrete input.
pub(in crate::fieldio) fn open_input(point: &IoPoint, address: &ModbusAddress) -> Result<Box<dyn Input>, FieldError> {
    Ok(Box::new(ModbusInput::new(ModbusPoint::of(point, address), address.poll, point.active_low)))
}

/// Opens a counter in one register, or two for one of 32 bits.
pub(in crate::fieldio) fn open_encoder(
    encoder: &EncoderPoint,
    address: &ModbusAddress,
) -> Result<Box<dyn Encoder>, FieldError> {
    let words = if encoder.modulus > 1 << 16 { 2 } else { 1 };
    Ok(Box::new(ModbusEncoder::new(ModbusPoint::of(&encoder.point, address), address.poll, words)))
}

/// Where something is on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModbusPoint {
    /// Name in the configuration.
    pub name: String,
    /// Host and port.
    pub address: String,
    /// Unit identifier.
    pub unit: u8,
    /// Coil, input or register, from 0.
    pub point: u16,
    /// No answer for so long is a fault.
    pub timeout: Duration,
}

impl ModbusPoint {
    fn of(point: &IoPoint, address: &ModbusAddress) -> ModbusPoint {
        ModbusPoint {
            name: point.name.clone(),
            address: address.address.clone(),
            unit: address.unit,
            point: address.point,
            timeout: address.timeout,
        }
    }

    fn error(&self, why: impl std::fmt::Display) -> FieldError {
        FieldError::Modbus { name: self.name.clone(), address: self.address.clone(), why: why.to_string() }
    }

    fn connect(&self) -> Result<Context, FieldError> {
        let mut found = self.address.to_socket_addrs().map_err(|e| self.error(e))?;
        let address: SocketAddr = found.next().ok_or_else(|| self.error("the name has no address"))?;
        let mut context = tcp::connect_slave_with_timeout(address, Slave(self.unit), Some(self.timeout))
            .map_err(|e| self.error(e))?;
        context.set_timeout(self.timeout);
        Ok(context)
    }
}

/// Both layers of a Modbus answer as one.
fn flat<T>(
    spec: &ModbusPoint,
    answer: Result<Result<T, tokio_modbus::ExceptionCode>, tokio_modbus::Error>,
) -> Result<T, FieldError> {
    answer.map_err(|e| spec.error(e))?.map_err(|e| spec.error(format!("the device refuses: {e}")))
}

/// The coils of one device that are outputs. Orders are written in their sequence; without any, every coil is written again
/// ten times a second, so that the device's own watchdog sees this program alive and a device that hangs is noticed.
pub struct CoilDevice {
    orders: Sender<(u16, bool)>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Coils in use and their wanted levels. The list is locked only while wires are opened and by the device's thread: who
    /// switches an output never waits for a lock.
    coils: Mutex<Vec<(u16, Arc<AtomicBool>)>>,
    fault: ArcSwapOption<String>,
    stop: AtomicBool,
    done: AtomicBool,
    /// Outputs that are still held.
    users: AtomicUsize,
}

/// How often every coil is written again.
const KEEP_ALIVE: Duration = Duration::from_millis(100);
/// Orders that wait for a slow device.
const ORDERS: usize = 256;

impl CoilDevice {
    /// Starts the device's thread; a device that is not there yet is a fault that ends when it comes.
    ///
    /// # Errors
    /// No room for a thread.
    pub fn start(spec: ModbusPoint) -> std::io::Result<CoilDevice> {
        let (orders, inbox) = bounded(ORDERS);
        let shared = Arc::new(Shared {
            coils: Mutex::default(),
            fault: ArcSwapOption::from_pointee("not connected yet".to_owned()),
            stop: AtomicBool::new(false),
            done: AtomicBool::new(false),
            users: AtomicUsize::new(0),
        });
        let work = shared.clone();
        std::thread::Builder::new().name("modbus-out".to_owned()).spawn(move || {
            // Just under the thread that decides. Without the permission the log of that one has said so.
            drop(real_time(39));
            work.run(&spec, &inbox);
            work.done.store(true, Relaxed);
        })?;
        Ok(CoilDevice { orders, shared })
    }

    /// Waits until the device answers, at most `limit`; false if it does not.
    pub fn ready(&self, limit: Duration) -> bool {
        let until = Mono::now() + limit;
        while self.shared.fault.load().is_some() {
            if Mono::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// One of its coils as an output, at its safe level at first.
    pub fn coil(&self, name: &str, coil: u16, active_low: bool, safe: bool) -> Box<dyn Output> {
        let level = Arc::new(AtomicBool::new(safe != active_low));
        self.shared.coils.lock().unwrap_or_else(PoisonError::into_inner).push((coil, level.clone()));
        self.shared.users.fetch_add(1, Relaxed);
        let (orders, shared) = (self.orders.clone(), self.shared.clone());
        Box::new(Coil { name: name.to_owned(), coil, level, active_low, safe, orders, shared })
    }
}

impl Shared {
    fn run(&self, spec: &ModbusPoint, inbox: &Receiver<(u16, bool)>) {
        let mut backoff = Duration::from_millis(50);
        while !self.stop.load(Relaxed) {
            let ended = spec.connect().and_then(|mut context| {
                // The levels of now, not the orders that went by.
                while inbox.try_recv().is_ok() {}
                self.write_all(spec, &mut context)?;
                self.set_fault(None);
                backoff = Duration::from_millis(50);
                self.serve(spec, &mut context, inbox)
            });
            let Err(e) = ended else { return };
            self.set_fault(Some(e.to_string()));
            let until = Mono::now() + backoff;
            while Mono::now() < until && !self.stop.load(Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            backoff = (2 * backoff).min(Duration::from_secs(2));
        }
    }

    fn serve(
        &self,
        spec: &ModbusPoint,
        context: &mut Context,
        inbox: &Receiver<(u16, bool)>,
    ) -> Result<(), FieldError> {
        loop {
            match inbox.recv_timeout(KEEP_ALIVE) {
                Ok((coil, level)) => flat(spec, context.write_single_coil(coil, level))?,
                Err(RecvTimeoutError::Timeout) => self.write_all(spec, context)?,
                Err(RecvTimeoutError::Disconnected) => return self.write_all(spec, context),
            }
            if self.stop.load(Relaxed) && inbox.is_empty() {
                // Every output is gone: leave the device as they said.
                return self.write_all(spec, context);
            }
        }
    }

    fn write_all(&self, spec: &ModbusPoint, context: &mut Context) -> Result<(), FieldError> {
        let coils = self.coils.lock().unwrap_or_else(PoisonError::into_inner).clone();
        coils.iter().try_for_each(|(coil, level)| flat(spec, context.write_single_coil(*coil, level.load(Relaxed))))
    }

    fn set_fault(&self, fault: Option<String>) {
        self.fault.store(fault.map(Arc::new));
    }
}

struct Coil {
    name: String,
    coil: u16,
    level: Arc<AtomicBool>,
    active_low: bool,
    safe: bool,
    orders: Sender<(u16, bool)>,
    shared: Arc<Shared>,
}

impl Output for Coil {
    fn name(&self) -> &str {
        &self.name
    }

    fn set(&mut self, on: bool) {
        let level = on != self.active_low;
        self.level.store(level, Relaxed);
        if self.orders.try_send((self.coil, level)).is_err() {
            self.shared.set_fault(Some(format!("{ORDERS} orders wait for the device")));
        }
    }

    fn fault(&self) -> Option<String> {
        self.shared.fault.load().as_deref().cloned()
    }

    fn make_safe(&mut self) {
        self.set(self.safe);
    }
}

impl Drop for Coil {
    fn drop(&mut self) {
        self.make_safe();
        if self.shared.users.fetch_sub(1, Relaxed) > 1 {
            return;
        }
        // The last one waits until the safe level is written; a device that is gone must not hold it.
        self.shared.stop.store(true, Relaxed);
        let until = Mono::now() + Duration::from_millis(500);
        while !self.shared.done.load(Relaxed) && Mono::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// A sensor on a discrete input, polled.
pub struct ModbusInput {
    spec: ModbusPoint,
    poll: Duration,
    active_low: bool,
    context: Option<Context>,
    level: Option<bool>,
    due: Mono,
}

impl ModbusInput {
    /// Not connected yet; asks every `poll`.
    pub fn new(spec: ModbusPoint, poll: Duration, active_low: bool) -> ModbusInput {
        ModbusInput { spec, poll, active_low, context: None, level: None, due: Mono(0) }
    }

    fn read(&mut self) -> Result<bool, FieldError> {
        let context = match &mut self.context {
            Some(context) => context,
            empty => empty.insert(self.spec.connect()?),
        };
        let answer = flat(&self.spec, context.read_discrete_inputs(self.spec.point, 1));
        let bits = answer.inspect_err(|_| self.context = None)?;
        Ok(bits.first().copied().unwrap_or(false) != self.active_low)
    }
}

impl Input for ModbusInput {
    fn name(&self) -> &str {
        &self.spec.name
    }

    fn next(&mut self, until: Mono) -> Result<Option<Edge>, FieldError> {
        loop {
            let now = Mono::now();
            if self.due > until {
                std::thread::sleep(until.since(now));
                return Ok(None);
            }
            std::thread::sleep(self.due.since(now));
            let asked = Mono::now();
            self.due = asked + self.poll;
            let level = self.read()?;
            let answered = Mono::now();
            // What was on before the first answer is no edge.
            let rising = level && self.level == Some(false);
            self.level = Some(level);
            if rising {
                // In the middle of the question and the answer, half a poll after it happened on average.
                return Ok(Some(Edge { at: asked + answered.since(asked) / 2, id: None }));
            }
        }
    }
}

/// An encoder in one register (16 bits) or two (32 bits, high word first), polled.
pub struct ModbusEncoder {
    spec: ModbusPoint,
    poll: Duration,
    words: u16,
    context: Option<Context>,
}

impl ModbusEncoder {
    /// Not connected yet.
    pub fn new(spec: ModbusPoint, poll: Duration, words: u16) -> ModbusEncoder {
        ModbusEncoder { spec, poll, words, context: None }
    }
}

impl Encoder for ModbusEncoder {
    fn read(&mut self, track: &SharedEncoder, until: Mono) -> Result<(), FieldError> {
        while Mono::now() < until {
            let context = match &mut self.context {
                Some(context) => context,
                empty => empty.insert(self.spec.connect()?),
            };
            let asked = Mono::now();
            let answer = flat(&self.spec, context.read_holding_registers(self.spec.point, self.words));
            let words = answer.inspect_err(|_| self.context = None)?;
            let answered = Mono::now();
            let raw = words.iter().fold(0u64, |n, w| n << 16 | u64::from(*w));
            track.push(raw, asked + answered.since(asked) / 2);
            std::thread::sleep(self.poll.saturating_sub(answered.since(asked)));
        }
        Ok(())
    }
}
