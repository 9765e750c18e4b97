use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::runtime::Runtime;

use super::{Health, WebError};
use crate::telemetry::Metrics;

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
            .route("/metrics", get(move || async move { metrics_text(&metrics) }))
            .route("/healthz", get(move || async move { health_text(&health) }));
        runtime.spawn(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    if let Err(e) = axum::serve(listener, app).await {
                        tracing::error!("the metrics endpoint ended: {e}");
                    }
                }
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

fn metrics_text(metrics: &Arc<Metrics>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
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
