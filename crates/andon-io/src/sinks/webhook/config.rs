//! The table `[webhook]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::endpoint::url_fault;
use crate::sinks::RecordKind;
use crate::sinks::config::{CheckContext, FileKind, SinkConfig, check_file, check_outbox};

/// Records to a web server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "RawWebhook")]
pub struct WebhookConfig {
    /// Whether anything is sent.
    pub enabled: bool,
    /// Where to POST arrays of records.
    pub url: String,
    /// File with a token in its first line, sent as `Authorization: Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Kinds of records: verdict, part, eject, event.
    pub records: Vec<RecordKind>,
    /// Of verdicts and parts only those that did not pass.
    pub rejects_only: bool,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        let url = "http://127.0.0.1:8090/andon".into();
        WebhookConfig { enabled: false, url, token_file: None, records: vec![RecordKind::Event], rejects_only: false }
    }
}

impl SinkConfig for WebhookConfig {
    fn is_enabled(&self) -> bool {
        self.enabled
    }

    fn check(&self, context: &CheckContext<'_>, wrong: &mut Vec<String>) -> WebhookConfig {
        if self.enabled {
            if let Some(why) = url_fault(&self.url) {
                let remedy = "write http://HOST:PORT/PATH or https://HOST/PATH";
                wrong.push(format!("webhook.url: `{}`: {why}; {remedy}", self.url));
            }
            check_outbox("webhook", &self.records, context, wrong);
        }
        WebhookConfig { token_file: context.optional_path(&self.token_file), ..self.clone() }
    }

    fn check_machine(&self, wrong: &mut Vec<String>) {
        check_file("webhook.token_file", self.token_file.as_deref(), FileKind::Secret, wrong);
    }

    fn describe(&self) -> String {
        format!("webhook {}", self.url)
    }
}
