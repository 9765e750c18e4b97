//! An OPC UA server with the names of OPC 40100-1 (Machine Vision): for each camera the state of the vision system and the
//! fields of the last result, as variables that a client reads or subscribes to. Read-only, without encryption: the cell's
//! network card only. It is not a certified OPC 40100-1 server: the companion specification's types are not loaded.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use opcua::server::address_space::Variable;
use opcua::server::diagnostics::NamespaceMetadata;
use opcua::server::node_manager::memory::{
    InMemoryNodeManager, SimpleNodeManager, SimpleNodeManagerImpl, simple_node_manager,
};
use opcua::server::{ServerBuilder, ServerHandle};
use opcua::types::{DataValue, DateTime, NodeId, ObjectId, Variant};
use thiserror::Error;

use super::OpcUaConfig;
use crate::sinks::wire::{self, StationInfo};
use crate::sinks::{SinkContext, SinkError};
use andon_core::{Accepted, Record, Sink};
use andon_core::{CameraId, CameraVerdict, Outcome, Stats};

/// Starts the sink of the table.
pub(in crate::sinks) fn start(config: &OpcUaConfig, context: &SinkContext<'_>) -> Result<Box<dyn Sink>, SinkError> {
    let address: SocketAddr = config.listen.parse().map_err(SinkError::refused)?;
    let refused = |source: OpcUaError| SinkError::Address {
        key: "opcua.listen",
        action: "serve",
        address,
        source: Box::new(source),
    };
    Ok(Box::new(OpcUaServer::start(address, context.station.clone()).map_err(refused)?))
}

/// Why there is no OPC UA server.
#[derive(Debug, Error)]
pub enum OpcUaError {
    /// The address cannot be used, or there is no room for a thread.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// The library refuses the server's settings.
    #[error("{0}")]
    Refused(String),
    /// The library lost what it was given.
    #[error("the OPC UA {0} is missing")]
    Missing(&'static str),
}

/// The namespace of our nodes.
const NAMESPACE: &str = "urn:andon:machine-vision";

/// The sink that keeps the variables up to date, and the server beside it.
pub struct OpcUaServer {
    names: StationInfo,
    handle: ServerHandle,
    manager: Arc<InMemoryNodeManager<SimpleNodeManagerImpl>>,
    namespace: u16,
    runtime: Option<tokio::runtime::Runtime>,
    /// Certificates are not used; the library makes a folder for them all the same.
    pki: PathBuf,
    /// By camera: result number, so that a client sees each result even when it equals the last.
    results: Vec<u64>,
}

impl OpcUaServer {
    /// Listens on `opc.tcp://ADDRESS/`.
    ///
    /// # Errors
    /// [`OpcUaError`].
    pub fn start(listen: SocketAddr, names: StationInfo) -> Result<OpcUaServer, OpcUaError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("opcua").enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(listen))?;
        let metadata = NamespaceMetadata { namespace_uri: NAMESPACE.to_owned(), ..NamespaceMetadata::default() };
        let pki = std::env::temp_dir().join(format!("andon-opcua-{}", std::process::id()));
        let built = ServerBuilder::new_anonymous("andon")
            .application_uri("urn:andon")
            .host(listen.ip().to_string())
            .port(listen.port())
            .pki_dir(&pki)
            .create_sample_keypair(false)
            .max_sessions(16)
            .subscription_poll_interval_ms(10)
            .with_node_manager(simple_node_manager(metadata, "andon"));
        let (server, handle) = runtime.block_on(async { built.build() }).map_err(OpcUaError::Refused)?;
        let manager =
            handle.node_managers().get_of_type::<SimpleNodeManager>().ok_or(OpcUaError::Missing("node manager"))?;
        let namespace = handle.get_namespace_index(NAMESPACE).ok_or(OpcUaError::Missing("namespace"))?;
        runtime.spawn(async move {
            if let Err(why) = server.run_with(listener).await {
                tracing::error!("the OPC UA server ended: {why}");
            }
        });
        let results = vec![0; names.cameras.len()];
        let server = OpcUaServer { names, handle, manager, namespace, runtime: Some(runtime), pki, results };
        server.lay_out();
        Ok(server)
    }

    fn id(&self, camera: CameraId, name: &str) -> NodeId {
        NodeId::new(self.namespace, format!("{}.{name}", self.names.camera(camera)))
    }

    /// A folder for each camera with its variables.
    fn lay_out(&self) {
        let mut space = self.manager.address_space().write();
        for n in 0..self.names.cameras.len() {
            let camera = CameraId(n as u8);
            let name = self.names.camera(camera);
            let folder = NodeId::new(self.namespace, name.to_owned());
            space.add_folder(&folder, name, name, &ObjectId::ObjectsFolder.into());
            let first = state_values("Preoperational").into_iter().chain(empty_result());
            let variables = first.map(|(n, v)| Variable::new(&self.id(camera, n), n, n, v)).collect();
            space.add_variables(variables, &folder);
        }
    }

    fn set(&self, camera: CameraId, values: Vec<(&'static str, Variant)>) -> Accepted {
        let ids: Vec<(NodeId, Variant)> = values.into_iter().map(|(n, v)| (self.id(camera, n), v)).collect();
        let values = ids.iter().map(|(id, v)| (id, None, DataValue::new_now(v.clone())));
        match self.manager.set_values(self.handle.subscriptions(), values) {
            Ok(()) => Accepted::Taken,
            Err(status) => {
                tracing::debug!("an OPC UA value was refused: {status}");
                Accepted::Shed
            }
        }
    }

    fn verdict(&mut self, v: &CameraVerdict) -> Accepted {
        let Some(number) = self.results.get_mut(v.camera.index()) else { return Accepted::Ignored };
        *number += 1;
        let number = *number;
        let wall = self.names.clock.now();
        let record = wire::verdict(&self.names, &wall, v);
        let creation = DateTime::parse_from_rfc3339(&record.t_capture).unwrap_or_else(|_| DateTime::now());
        let evaluation = match v.outcome {
            Outcome::Pass(_) => "OK",
            Outcome::Reject => "NotOK",
            Outcome::Uninspected | Outcome::Error => "NotDecidable",
        };
        // ResultState of OPC 40100-1: 1 completed, 3 aborted, 4 failed.
        let state = match v.outcome {
            Outcome::Pass(_) | Outcome::Reject => 1i32,
            Outcome::Uninspected => 3,
            Outcome::Error => 4,
        };
        let values = vec![
            ("ResultId", Variant::from(record.origin.id.clone())),
            ("ResultState", Variant::from(state)),
            ("ResultEvaluation", Variant::from(evaluation)),
            ("Result", Variant::from(record.result)),
            ("Reason", Variant::from(record.reason)),
            ("PartId", Variant::from(v.seq.0)),
            ("JobId", Variant::from(v.trigger_id.unwrap_or_default())),
            ("IsSimulated", Variant::from(self.names.simulated)),
            ("InternalRecipeId", Variant::from(v.model.name.as_str())),
            ("InternalConfigurationId", Variant::from(v.model.blake3.as_str())),
            ("CreationTime", Variant::from(creation)),
            ("ProcessingTime", Variant::from(v.latency_ns() as f64 / 1e6)),
            ("Score", Variant::from(record.score.unwrap_or(-1.0))),
            ("Threshold", Variant::from(v.threshold)),
            // Last: who sees it change finds the others changed.
            ("ResultReady", Variant::from(number)),
        ];
        self.set(v.camera, values)
    }

    fn stats(&self, s: &Stats) -> Accepted {
        let state = match (s.line_stop, s.camera_state) {
            (true, _) | (_, "down") => "Error",
            (_, "running") => "ContinuousExecution",
            (_, "ended") => "Halted",
            _ => "Preoperational",
        };
        let c = s.counts;
        let mut values = state_values(state);
        let counts = [
            ("Offered", c.offered),
            ("Pass", c.pass),
            ("Reject", c.reject),
            ("Uninspected", c.uninspected),
            ("Error", c.error),
        ];
        values.extend(counts.map(|(n, count)| (n, Variant::from(count))));
        self.set(s.camera, values)
    }
}

/// The state machine's word, and whether it is operational.
fn state_values(state: &str) -> Vec<(&'static str, Variant)> {
    let operational = matches!(state, "ContinuousExecution" | "Ready");
    vec![("CurrentState", Variant::from(state)), ("Operational", Variant::from(operational))]
}

/// The result fields before there is one, which also say of what type they are.
fn empty_result() -> Vec<(&'static str, Variant)> {
    let text = |n| (n, Variant::from(""));
    let number = |n| (n, Variant::from(0u64));
    vec![
        text("ResultId"),
        ("ResultState", Variant::from(0i32)),
        text("ResultEvaluation"),
        text("Result"),
        text("Reason"),
        number("PartId"),
        number("JobId"),
        ("IsSimulated", Variant::from(false)),
        text("InternalRecipeId"),
        text("InternalConfigurationId"),
        ("CreationTime", Variant::from(DateTime::now())),
        ("ProcessingTime", Variant::from(0f64)),
        ("Score", Variant::from(-1f32)),
        ("Threshold", Variant::from(0f32)),
        number("ResultReady"),
        number("Offered"),
        number("Pass"),
        number("Reject"),
        number("Uninspected"),
        number("Error"),
    ]
}

impl Sink for OpcUaServer {
    fn name(&self) -> &'static str {
        "opcua"
    }

    fn offer(&mut self, record: &Record) -> Accepted {
        match record {
            Record::Verdict(v) => self.verdict(v),
            Record::Stats(s) => self.stats(s),
            Record::Part(..) | Record::Ejection(..) | Record::Event(..) | Record::Map(_) => Accepted::Ignored,
        }
    }

    fn close(&mut self) {
        self.handle.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(500));
            drop(std::fs::remove_dir_all(&self.pki));
        }
    }
}

impl Drop for OpcUaServer {
    fn drop(&mut self) {
        self.close();
    }
}
