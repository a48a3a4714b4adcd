//! The structure of a media file: no bytes make the check panic or work long, and no file that is cut
//! within a box passes.

#![no_main]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use room_archiver::archive::media::{MediaInfo, check, duration_fits};
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
    let len = bytes.len() as u64;
    for format in [None, Some("video/webm")] {
        let _ = check(file, len, format);
    }
    let Ok(info) = check(file, len, Some("video/mp4")) else {
        return;
    };
    assert!(
        info.duration_seconds
            .is_none_or(|seconds| seconds.is_finite() && seconds > 0.0)
    );
    assert!(duration_fits(info.duration_seconds, info.duration_seconds));
    let ends = box_ends(bytes);
    assert_eq!(
        ends.last(),
        Some(&bytes.len()),
        "an accepted file ends where its last box does"
    );
    // As many cuts as there are eighths, and those next to the ends of boxes.
    let eighths = (0..8).map(|part| bytes.len() * part / 8);
    let near = ends
        .iter()
        .take(64)
        .flat_map(|end| [end.saturating_sub(1), *end]);
    for cut in eighths.chain(near).filter(|cut| *cut < bytes.len()) {
        let Ok(MediaInfo { proves_end, .. }) = check(file, cut as u64, Some("video/mp4")) else {
            continue;
        };
        assert!(!proves_end || ends.contains(&cut), "cut at {cut} of {len}");
    }
});

/// Where the outermost boxes end, read with nothing of the code under test.
fn box_ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 8) {
        let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let size = match size {
            0 => bytes.len() - at,
            1 => bytes.get(at + 8..at + 16).map_or(0, |size| {
                u64::from_be_bytes(size.try_into().expect("eight bytes")) as usize
            }),
            size => size as usize,
        };
        at += size.max(8);
        ends.push(at);
    }
    ends
}
