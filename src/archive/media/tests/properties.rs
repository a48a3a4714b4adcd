//! What holds for any bytes.

use proptest::prelude::*;

use super::build::*;
use super::*;

/// Looks at bytes in every way; none may make it fail.
fn examine_all(bytes: &[u8]) -> u64 {
    let file = stored(bytes);
    let examined = examined(bytes);
    let reported = Reported {
        size_bytes: Some(1000),
        duration_seconds: Some(20.0),
        format: Some("video/mp4"),
    };
    _ = judge(&examined, bytes.len() as u64, &reported);
    let lasts = examined.duration_seconds();
    assert!(lasts.is_none_or(|seconds| seconds.is_finite() && seconds > 0.0));
    let mut probe = Probe::new(&file, bytes.len() as u64);
    examine_with(&mut probe).unwrap();
    assert!(probe.findings.notes.len() <= 2 * ConcernKind::ALL.len());
    probe.reads
}

fn good() -> Vec<Vec<u8>> {
    vec![
        index_last(),
        index_first(),
        fragmented(),
        webm(),
        webm_live(),
        ogg(),
        mp3(),
        adts(),
        ts(),
        flv(),
        wav(),
        avi(),
        flac(),
    ]
}

/// The first bytes of each format.
fn magic() -> impl Strategy<Value = Vec<u8>> {
    let mut magics: Vec<Vec<u8>> = good().iter().map(|file| file[..8].to_vec()).collect();
    magics.extend([
        ebml(b"webm"),
        b"riff\x2E\x91\xCF\x11".to_vec(),
        b"ID3\x04\0\0".to_vec(),
        vec![],
    ]);
    prop::sample::select(magics)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_work_long(start in magic(), rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [start, rest].concat();
        let reads = examine_all(&bytes);
        prop_assert!(reads <= 200 + 4 * bytes.len() as u64, "{reads} reads of {}", bytes.len());
    }

    #[test]
    fn no_altered_file_makes_it_panic_or_work_long(
        file in prop::sample::select(good()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut: prop::sample::Index,
    ) {
        let mut bytes = file;
        for (at, byte) in changes {
            // Mostly where the headers are.
            let at = at.index(bytes.len().min(700));
            bytes[at] = byte;
        }
        let reads = examine_all(&bytes);
        prop_assert!(reads <= 200 + 4 * bytes.len() as u64, "{reads} reads of {}", bytes.len());
        examine_all(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn no_part_of_a_file_proves_its_end(file in prop::sample::select(good()), cut: prop::sample::Index) {
        let cut = cut.index(file.len());
        prop_assert!(!examined(&file[..cut]).proves_end(), "cut at {cut}");
    }

    #[test]
    fn the_work_is_bounded_by_the_bytes(boxes in prop::collection::vec(any_box(4), 0..8)) {
        let bytes = [ftyp(), boxes.concat()].concat();
        let reads = examine_all(&bytes);
        prop_assert!(reads <= 200 + 4 * bytes.len() as u64, "{reads} reads of {}", bytes.len());
    }

    #[test]
    fn text_of_any_kind_is_no_reason_to_panic(text in "[<{\\[]?[ -~\u{80}-\u{ff}\n]{0,60}") {
        _ = error_page(text.as_bytes());
        _ = judged(text.as_bytes(), &Reported { format: Some(&text), ..Reported::default() });
    }
}

/// Boxes in each other, of the types that are looked into and others, with sizes that may lie.
fn any_box(depth: u32) -> impl Strategy<Value = Vec<u8>> {
    let kind = || {
        let kinds = b"ftypmoovmoofmdattraktrafmdiaminfstbldinfedtsmvexmvhdtkhdmdhdmehdtrextfhdtfdttrunelstdrefsttsstsc\
stszstz2stcoco64sidxmfrafree";
        let kinds = kinds.chunks(4).map(|kind| kind.try_into().unwrap());
        prop::sample::select(kinds.collect::<Vec<[u8; 4]>>())
    };
    let leaf = (
        kind(),
        prop::collection::vec(prop_oneof![Just(0), Just(0), Just(1), any::<u8>()], 0..60),
        prop::option::weighted(0.05, any::<u32>()),
    );
    let leaf = leaf.prop_map(|(kind, content, lie)| {
        let mut bytes = boxed(kind, &content);
        if let Some(lie) = lie {
            bytes[..4].copy_from_slice(&lie.to_be_bytes());
        }
        bytes
    });
    leaf.prop_recursive(depth, 64, 6, move |inner| {
        (kind(), prop::collection::vec(inner, 0..6))
            .prop_map(|(kind, boxes)| boxed(kind, &boxes.concat()))
    })
}
