//! The structure of a media file: no bytes make its examination fail, panic or work long, and no MP4 file that is cut
//! within a box proves its end.

#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use room_archiver::archive::media::{
    Examined, Judgement, MediaKind, Reported, duration_fits, error_page, examine, judge,
};
use rustix::fs::{MemfdFlags, memfd_create};

fuzz_target!(|bytes: &[u8]| {
    static FILE: OnceLock<File> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        memfd_create("mp4", MemfdFlags::CLOEXEC)
            .expect("memory")
            .into()
    });
    file.set_len(0).expect("memory");
    file.write_all_at(bytes, 0).expect("memory");
    let _ = error_page(bytes);
    let examined = check(file, bytes.len());
    if !matches!(
        examined.kind(),
        MediaKind::Mp4 | MediaKind::M4a | MediaKind::QuickTime | MediaKind::ThreeGp
    ) {
        return;
    }
    let ends = box_ends(bytes);
    // As many cuts as there are eighths, and those next to the ends of boxes.
    let eighths = (0..8).map(|part| bytes.len() * part / 8);
    let near = ends
        .iter()
        .take(64)
        .flat_map(|end| [end.saturating_sub(1), *end]);
    for cut in eighths.chain(near).filter(|cut| *cut < bytes.len()) {
        // Behind the boxes there may be anything: it is no part of them.
        let behind = ends.last().is_some_and(|last| cut > *last);
        assert!(
            !check(file, cut).proves_end() || behind || ends.contains(&cut),
            "cut at {cut} of {}",
            bytes.len()
        );
    }
});

/// Examines the first bytes and judges them.
fn check(file: &File, len: usize) -> Examined {
    let examined = examine(file, len as u64).expect("memory");
    let lasts = examined.duration_seconds();
    assert!(lasts.is_none_or(|seconds| seconds.is_finite() && seconds > 0.0));
    assert!(duration_fits(lasts, lasts));
    for format in [None, Some("video/mp4"), Some("text/plain")] {
        let reported = Reported {
            size_bytes: Some(len as u64),
            duration_seconds: lasts,
            format,
        };
        let (Judgement::Plausible(concerns) | Judgement::Doubtful(concerns)) =
            judge(&examined, len as u64, &reported);
        assert!(concerns.is_sorted_by(|one, next| one.kind < next.kind));
    }
    examined
}

/// Where the outermost boxes end, as far as they lie in the file, read with nothing of the code under test.
fn box_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    // Eight zero bytes are no box; what follows them is no part of the structure.
    while let Some(header) = bytes.get(at..at + 8).filter(|header| *header != [0; 8]) {
        let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let size = match size {
            0 => {
                // Its first bytes look like padding behind the box before.
                ends.extend(at + 4..at + 8);
                bytes.len() - at
            }
            1 => bytes.get(at + 8..at + 16).map_or(0, |size| {
                u64::from_be_bytes(size.try_into().expect("eight bytes")) as usize
            }),
            size => size as usize,
        };
        let end = at.saturating_add(size.max(8));
        if end > bytes.len() {
            break;
        }
        at = end;
        ends.push(at);
    }
    ends
}
