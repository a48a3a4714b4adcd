//! Whether two durations agree.

/// Whether two durations are near each other, the file's own and the one that SignalWire reports, in seconds.
///
/// Either may be off honestly: the API rounds to whole seconds, and its clock starts and stops at other moments than
/// the frames do. So 5 seconds or 1 %, whichever is more, are near; of a recording shorter than 50 seconds a tenth,
/// but always 1.5 seconds. One that is unknown, zero or no number fits anything.
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
