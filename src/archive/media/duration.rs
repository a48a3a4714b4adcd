//! Whether two durations agree.

/// Whether the file's own duration and the one that SignalWire reports, in seconds, are close to each other.
///
/// Small differences are normal: the API rounds to whole seconds, and measures from other moments than the first and
/// last frame. Allowed are 5 seconds or 1 %, whichever is more; for recordings shorter than 50 seconds a tenth, but
/// at least 1.5 seconds. A duration that is unknown, zero or not a number fits any other.
#[must_use]
pub fn duration_fits(own: Option<f64>, reported: Option<f64>) -> bool {
    let known = |seconds: &f64| seconds.is_finite() && *seconds > 0.0;
    match (own.filter(known), reported.filter(known)) {
        (Some(own), Some(reported)) => {
            let near = (reported * 0.1).clamp(1.5, 5.0).max(reported * 0.01);
            (own - reported).abs() <= near
        }
        _ => true,
    }
}
