//! GStreamer's errors in words that name the thing, with the secrets of URLs left out.

use gst::prelude::*;
use gstreamer as gst;

use andon_core::mask_secrets;

/// An error message of an element.
pub(super) fn error(e: &gst::message::Error) -> String {
    said(e.src(), e.error().message(), e.debug().as_deref())
}

/// A warning of an element.
pub(super) fn warning(w: &gst::message::Warning) -> String {
    said(w.src(), w.error().message(), w.debug().as_deref())
}

/// `element (file or URL): message (reason)`. The last line of the debug text has the reason, in front of it is a place in GStreamer's own
/// source, which helps nobody here.
fn said(source: Option<&gst::Object>, message: &str, debug: Option<&str>) -> String {
    let name = source.map(element).unwrap_or_default();
    let message = message.trim().trim_end_matches('.');
    let reason = debug.and_then(|d| d.lines().rev().map(str::trim).find(|l| !l.is_empty()));
    let reason =
        reason.filter(|r| !r.contains(".c(") && !message.contains(*r)).map(|r| format!(": {r}")).unwrap_or_default();
    mask_secrets(&format!("{name}: {message}{reason}"))
}

/// An element's name, with what it reads.
pub(super) fn element(source: &gst::Object) -> String {
    let place = place_of(source).map(|p| format!(" ({})", mask_secrets(&p))).unwrap_or_default();
    format!("{}{place}", source.name())
}

/// What an element reads: its file, device or URL.
fn place_of(source: &gst::Object) -> Option<String> {
    ["location", "device", "uri"].into_iter().find_map(|property| {
        let fits = source.find_property(property).is_some_and(|p| p.value_type() == String::static_type());
        fits.then(|| source.property::<Option<String>>(property)).flatten().filter(|v| !v.is_empty())
    })
}
