//! OpenMetrics as the older Prometheus text format 0.0.4, for collectors that know no other.

/// The same samples; families are named as their samples are, there is no type `info`, no unit and no end mark.
pub(super) fn plain(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The family at hand: its name there, its name here. HELP comes before TYPE, so it waits for it.
    let mut help: Option<(&str, &str)> = None;
    for line in open_metrics.lines() {
        if let Some((name, words)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help = Some((name, words));
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, words)) = help.take().filter(|(of, _)| *of == name) {
                text += &format!("# HELP {name}{suffix} {words}\n");
            }
            text += &format!("# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_as_their_samples() {
        let open = "# HELP a_parts Parts.\n# TYPE a_parts counter\na_parts_total{x=\"1\"} 3\n# HELP a_build B.\n\
                    # TYPE a_build info\na_build_info{v=\"1\"} 1\n# HELP a_s_seconds S.\n# TYPE a_s_seconds histogram\n\
                    # UNIT a_s_seconds seconds\na_s_seconds_bucket{le=\"+Inf\"} 1\n# EOF\n";
        let expected = "# HELP a_parts_total Parts.\n# TYPE a_parts_total counter\na_parts_total{x=\"1\"} 3\n\
                        # HELP a_build_info B.\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n# HELP a_s_seconds S.\n\
                        # TYPE a_s_seconds histogram\na_s_seconds_bucket{le=\"+Inf\"} 1\n";
        assert_eq!(plain(open), expected);
    }
}
