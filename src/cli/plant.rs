//! Starts the ways out to the plant that the configuration asks for.

use std::sync::Arc;

use super::exit::Failure;
use crate::config::{Config, TriggerKind};
use andon_core::{Control, Sink};
use andon_io::sinks::wire::Names;

/// Forwarders; they stop when this is dropped, and what they have not sent waits in the outbox.
#[derive(Default)]
pub(super) struct Forwarders {
    #[cfg(feature = "mqtt")]
    mqtt: Option<andon_io::sinks::plant::MqttForwarder>,
    #[cfg(feature = "webhook")]
    webhook: Option<andon_io::sinks::plant::WebhookForwarder>,
}

/// The sinks and forwarders.
pub(super) fn start(
    c: &Config,
    names: &Names,
    control: &Arc<dyn Control>,
    sinks: &mut Vec<Box<dyn Sink>>,
) -> Result<Forwarders, Failure> {
    let takes_triggers = c.parts.trigger == TriggerKind::Message;
    modbus(c, takes_triggers, control, sinks)?;
    opcua(c, names, sinks)?;
    store(c, names, sinks)
}

#[cfg(feature = "modbus")]
fn modbus(
    c: &Config,
    takes_triggers: bool,
    control: &Arc<dyn Control>,
    sinks: &mut Vec<Box<dyn Sink>>,
) -> Result<(), Failure> {
    use andon_io::sinks::plant::{ModbusServer, ModbusServerOptions};
    let Some((listen, allow_write, idle)) = c.plant.modbus else { return Ok(()) };
    let options = ModbusServerOptions { listen, allow_write, takes_triggers, idle };
    let refused = |e| Failure::config(anyhow::anyhow!("modbus_server.listen: cannot listen on {listen}: {e}"));
    sinks.push(Box::new(ModbusServer::start(options, c.cameras.len(), control.clone()).map_err(refused)?));
    Ok(())
}

#[cfg(not(feature = "modbus"))]
fn modbus(c: &Config, _: bool, _: &Arc<dyn Control>, _: &mut Vec<Box<dyn Sink>>) -> Result<(), Failure> {
    if c.plant.modbus.is_some() {
        return Err(not_built("modbus_server", "modbus"));
    }
    Ok(())
}

#[cfg(feature = "opcua")]
fn opcua(c: &Config, names: &Names, sinks: &mut Vec<Box<dyn Sink>>) -> Result<(), Failure> {
    let Some(listen) = c.plant.opcua else { return Ok(()) };
    let refused = |why| Failure::config(anyhow::anyhow!("opcua.listen: cannot serve on {listen}: {why}"));
    sinks.push(Box::new(andon_io::sinks::plant::OpcUaServer::start(listen, names.clone()).map_err(refused)?));
    Ok(())
}

#[cfg(not(feature = "opcua"))]
fn opcua(c: &Config, _: &Names, _: &mut Vec<Box<dyn Sink>>) -> Result<(), Failure> {
    if c.plant.opcua.is_some() { Err(not_built("opcua", "opcua")) } else { Ok(()) }
}

#[cfg(not(all(feature = "store", feature = "mqtt", feature = "webhook", feature = "modbus", feature = "opcua")))]
fn not_built(table: &str, feature: &str) -> Failure {
    Failure::config(anyhow::anyhow!(super::units::not_built(table, feature)))
}

#[cfg(not(feature = "store"))]
fn store(c: &Config, _: &Names, _: &mut Vec<Box<dyn Sink>>) -> Result<Forwarders, Failure> {
    match c.plant.store {
        Some(_) => Err(not_built("store", "store")),
        None => Ok(Forwarders::default()),
    }
}

#[cfg(feature = "store")]
fn store(c: &Config, names: &Names, sinks: &mut Vec<Box<dyn Sink>>) -> Result<Forwarders, Failure> {
    use andon_io::sinks::store::{StoreOptions, StoreSink};
    let mut forwarders = Forwarders::default();
    let Some((path, max_rows, max_bytes)) = c.plant.store.clone() else { return Ok(forwarders) };
    let options = StoreOptions { path: path.clone(), max_rows, max_bytes };
    sinks.push(Box::new(StoreSink::start(options, names.clone()).map_err(Failure::config)?));
    forwarders.mqtt(c, names, &path)?;
    forwarders.webhook(c, names, &path)?;
    Ok(forwarders)
}

#[cfg(feature = "store")]
impl Forwarders {
    #[cfg(feature = "mqtt")]
    fn mqtt(&mut self, c: &Config, names: &Names, path: &std::path::Path) -> Result<(), Failure> {
        use andon_io::sinks::plant::{MqttForwarder, MqttSettings};
        let Some(m) = &c.plant.mqtt else { return Ok(()) };
        let login = match (&m.username, &m.password_file) {
            (Some(user), Some(file)) => Some((user.clone(), secret(file, "mqtt.password_file")?)),
            _ => None,
        };
        let kinds: Vec<String> = m.records.iter().map(|k| k.as_str().to_owned()).collect();
        let settings = MqttSettings {
            host: m.host.clone(),
            port: m.port,
            client_id: m.client_id.clone().unwrap_or_default(),
            login,
            ca: m.ca.clone(),
            client: m.certificate.clone().zip(m.key.clone()),
            kinds: kinds.clone(),
            rejects_only: m.rejects_only,
            status_topic: format!("{}/status", names.station_key()),
            boot: names.boot.to_string(),
        };
        let outbox = outbox(path, "mqtt", &kinds, m.rejects_only, names)?;
        let refused = |why: String| Failure::config(anyhow::anyhow!("{why}"));
        self.mqtt = Some(MqttForwarder::start(settings, outbox, names.delivery.clone()).map_err(refused)?);
        Ok(())
    }

    #[cfg(not(feature = "mqtt"))]
    fn mqtt(&mut self, c: &Config, _: &Names, _: &std::path::Path) -> Result<(), Failure> {
        if c.plant.mqtt.is_some() { Err(not_built("mqtt", "mqtt")) } else { Ok(()) }
    }

    #[cfg(feature = "webhook")]
    fn webhook(&mut self, c: &Config, names: &Names, path: &std::path::Path) -> Result<(), Failure> {
        use andon_io::sinks::plant::{WebhookForwarder, WebhookSettings};
        let Some(w) = &c.plant.webhook else { return Ok(()) };
        let token = w.token_file.as_ref().map(|f| secret(f, "webhook.token_file")).transpose()?;
        let kinds: Vec<String> = w.records.iter().map(|k| k.as_str().to_owned()).collect();
        let outbox = outbox(path, "webhook", &kinds, w.rejects_only, names)?;
        self.webhook = Some(WebhookForwarder::start(WebhookSettings { url: w.url.clone(), token }, outbox)?);
        Ok(())
    }

    #[cfg(not(feature = "webhook"))]
    fn webhook(&mut self, c: &Config, _: &Names, _: &std::path::Path) -> Result<(), Failure> {
        if c.plant.webhook.is_some() { Err(not_built("webhook", "webhook")) } else { Ok(()) }
    }
}

#[cfg(any(feature = "mqtt", feature = "webhook"))]
fn outbox(
    path: &std::path::Path,
    name: &str,
    kinds: &[String],
    rejects_only: bool,
    names: &Names,
) -> Result<andon_io::sinks::store::Outbox, Failure> {
    andon_io::sinks::store::Outbox::open(path, name, kinds, rejects_only, &names.delivery).map_err(Failure::config)
}

/// The first line of a file.
#[cfg(any(feature = "mqtt", feature = "webhook"))]
fn secret(file: &std::path::Path, key: &str) -> Result<String, Failure> {
    let refused = |why: String| Failure::config(anyhow::anyhow!("{key}: {}: {why}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| refused(e.to_string()))?;
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    if line.is_empty() { Err(refused("its first line is empty".to_owned())) } else { Ok(line) }
}
