//! The text format of Prometheus, version 0.0.4, made from `OpenMetrics`, the only text that the library writes.
//!
//! Samples look the same in both. In what describes them, `OpenMetrics` names the family, which has no suffix, and
//! Prometheus the samples.

use std::fmt::Write as _;

/// The classic text of what the library wrote.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (family, kind) = typed.split_once(' ').unwrap_or((typed, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                same => ("", same),
            };
            if let Some((_, text)) = help.take_if(|(described, _)| *described == family) {
                _ = writeln!(classic, "# HELP {family}{suffix} {text}");
            }
            _ = writeln!(classic, "# TYPE {family}{suffix} {kind}");
        } else if !line.starts_with('#') {
            // What else begins so is the unit, which the name ends with, and the end.
            classic.push_str(line);
            classic.push('\n');
        }
    }
    classic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_name_the_samples_and_samples_stay() {
        let open = "# HELP a_bytes Some text.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n\
                    a_bytes_total{k=\"# x\\n\"} 3\n# HELP b Info.\n# TYPE b info\nb_info{v=\"1\"} 1\n\
                    # HELP c Gauge.\n# TYPE c gauge\nc 0.0\n# TYPE d unknown\nd 1\n# HELP e A histogram.\n\
                    # TYPE e histogram\ne_sum 1.0\ne_count 1\ne_bucket{le=\"+Inf\"} 1\n# EOF\n";
        assert_eq!(
            from_open_metrics(open),
            "# HELP a_bytes_total Some text.\n# TYPE a_bytes_total counter\na_bytes_total{k=\"# x\\n\"} 3\n\
             # HELP b_info Info.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n# HELP c Gauge.\n# TYPE c gauge\nc 0.0\n\
             # TYPE d untyped\nd 1\n# HELP e A histogram.\n# TYPE e histogram\ne_sum 1.0\ne_count 1\n\
             e_bucket{le=\"+Inf\"} 1\n"
        );
    }
}
