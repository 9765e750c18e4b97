//! The HTTP server of `/metrics` and `/healthz`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

use super::{Health, WebError};
use andon_line::telemetry::Metrics;

/// Connections at once; one more ends the oldest. Each has one request, so the oldest is the slowest, and the process keeps
/// its descriptors for cameras.
const CONNECTIONS: usize = 64;
/// A request's head has to be there after this.
const HEAD: Duration = Duration::from_secs(5);
/// A connection ends after this, whatever it does.
const WHOLE: Duration = Duration::from_secs(10);
/// A socket that cannot be accepted is tried again after this.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Inner {
    pub address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Inner {
    pub fn start(address: SocketAddr, metrics: Arc<Metrics>, health: Health) -> Result<Inner, WebError> {
        let bind = |source| WebError::Bind { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let bound = listener.local_addr().map_err(bind)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("io")
            .enable_all()
            .build()
            .map_err(WebError::Runtime)?;
        let app = Router::new()
            .route("/", get(|| async { Html(PAGE) }))
            .route("/metrics", get(move |head: HeaderMap| async move { metrics_text(&metrics, &head) }))
            .route("/healthz", get(move || async move { health_text(&health) }));
        runtime.spawn(async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(listener, app).await,
                Err(e) => tracing::error!("the metrics endpoint cannot listen: {e}"),
            }
        });
        Ok(Inner { address: bound, runtime: Some(runtime) })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

/// Accepts until the runtime ends.
async fn serve(listener: TcpListener, app: Router) {
    let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS + 1);
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                open.retain(|task| !task.is_finished());
                open.push_back(tokio::spawn(connection(stream, app.clone())).abort_handle());
                if open.len() > CONNECTIONS {
                    if let Some(oldest) = open.pop_front() {
                        oldest.abort();
                    }
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(
                            "the metrics endpoint has more than {CONNECTIONS} connections, the last from {peer}; the oldest are closed"
                        );
                    }
                }
            }
            Err(e) => {
                tracing::debug!("the metrics endpoint cannot accept a connection: {e}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// One request and its answer.
async fn connection(stream: TcpStream, app: Router) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).keep_alive(false);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    match tokio::time::timeout(WHOLE, served).await {
        Ok(Ok(())) => {}
        Ok(Err(e)) => tracing::debug!("a connection of the metrics endpoint ended: {e}"),
        Err(_) => {
            tracing::debug!("a connection of the metrics endpoint lasted over {} s and was closed", WHOLE.as_secs())
        }
    }
}

const PAGE: &str = concat!(
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>andon</title><h1>andon ",
    env!("CARGO_PKG_VERSION"),
    "</h1><ul><li><a href=\"/metrics\">/metrics</a>: counters and gauges for Prometheus</li>",
    "<li><a href=\"/healthz\">/healthz</a>: 200 while all is well; 503 with the reasons if not</li></ul></html>\n",
);

/// OpenMetrics, or the older text format for who takes plain text only.
fn metrics_text(metrics: &Arc<Metrics>, head: &HeaderMap) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";
    let accepted: Vec<&str> = head.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    let takes = |kind: &str| accepted.iter().any(|a| a.contains(kind));
    let plain = takes("text/plain") && !takes("application/openmetrics-text");
    let text = if plain { metrics.encode_plain() } else { metrics.encode() };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, if plain { PLAIN } else { OPEN_METRICS })], text).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}

fn health_text(health: &Health) -> Response {
    const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];
    match health() {
        Ok(()) => (JSON, "{\"healthy\":true}").into_response(),
        Err(reasons) => {
            let body = serde_json::json!({ "healthy": false, "reasons": reasons }).to_string();
            (StatusCode::SERVICE_UNAVAILABLE, JSON, body).into_response()
        }
    }
}
