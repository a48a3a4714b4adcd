//! What is reported against what the bytes are.

use super::build::*;
use super::*;
use crate::model::Concern;

fn labelled(format: &str) -> Reported<'_> {
    Reported {
        format: Some(format),
        ..Reported::default()
    }
}

#[test]
fn labels_that_name_no_other_format_contradict_nothing() {
    let mp4 = [
        "video/mp4",
        "VIDEO/MP4; codecs=avc1",
        "mp4",
        ".mp4",
        "MP4",
        "video",
        "audio",
        "",
        " ",
        "recording",
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-binary",
        "video/quicktime",
        "audio/mp4",
        "audio/x-m4a",
        "video/3gpp",
        "application/mp4",
        "video/x-m4v",
        "video/unheard-of",
        "*/*",
    ];
    for label in mp4 {
        assert_eq!(plausible(&index_last(), &labelled(label)), [], "{label:?}");
    }
    for (file, labels) in [
        (
            webm(),
            ["video/webm", "audio/webm", "video/x-matroska", "webm"],
        ),
        (ogg(), ["audio/ogg", "application/ogg", "audio/opus", "ogv"]),
        (mp3(), ["audio/mpeg", "mp3", ".mp3", "audio/x-mpeg"]),
        (adts(), ["audio/aac", "audio/aacp", "aac", "audio/mpeg"]),
        (ts(), ["video/mp2t", "ts", "video/mpeg", "video/MP2T"]),
        (flv(), ["video/x-flv", "flv", "video/flv", "video"]),
        (wav(), ["audio/wav", "audio/x-wav", "audio/wave", "wav"]),
        (avi(), ["video/x-msvideo", "video/avi", "avi", ""]),
        (flac(), ["audio/flac", "audio/x-flac", "flac", ".flac"]),
    ] {
        for label in labels {
            assert_eq!(plausible(&file, &labelled(label)), [], "{label:?}");
        }
        assert_eq!(plausible(&file, &Reported::default()), []);
    }
}

#[test]
fn a_label_that_names_another_format_is_doubted_and_the_bytes_decide() {
    for (file, label, expected) in [
        (
            webm(),
            "video/mp4",
            "SignalWire reports 'video/mp4', but the bytes are WebM",
        ),
        (
            index_last(),
            "text/plain",
            "SignalWire reports 'text/plain', but the bytes are MP4",
        ),
        (
            index_last(),
            "video/webm",
            "SignalWire reports 'video/webm', but the bytes are MP4",
        ),
        (
            index_last(),
            "application/json",
            "SignalWire reports 'application/json', but the bytes are MP4",
        ),
        (
            index_last(),
            "image/png",
            "SignalWire reports 'image/png', but the bytes are MP4",
        ),
        (
            ts(),
            ".mp4",
            "SignalWire reports '.mp4', but the bytes are an MPEG transport stream",
        ),
        (
            mp3(),
            "video/mp4\u{1b}[2J",
            "SignalWire reports another format, but the bytes are MPEG audio",
        ),
    ] {
        // An unknown word after a known class names nothing.
        if label.contains('\u{1b}') {
            assert_eq!(plausible(&file, &labelled(label)), []);
            let (_, detail) = doubtful(&file, &labelled("text/\u{1b}[2J"));
            assert_eq!(detail, expected);
            continue;
        }
        let (kinds, detail) = doubtful(&file, &labelled(label));
        assert_eq!((kinds, &*detail), (vec![ConcernKind::Type], expected));
    }
    // Whatever its label, what begins as MP4 is examined as MP4.
    for label in ["text/plain", "video/webm", "application/octet-stream", ""] {
        let (kinds, _) = doubtful(&index_last()[..300], &labelled(label));
        assert!(kinds.contains(&ConcernKind::Truncated), "{label}");
    }
}

#[test]
fn a_size_that_differs_by_a_byte_is_doubted_and_one_that_wrapped_is_not() {
    const GIB: u64 = 1 << 30;
    let file = index_last();
    let len = file.len() as u64;
    let sized = |size| Reported {
        size_bytes: Some(size),
        ..Reported::default()
    };
    assert_eq!(plausible(&file, &sized(len)), []);
    for size in [len - 1, len + 1, 1, u64::MAX] {
        let (kinds, detail) = doubtful(&file, &sized(size));
        assert_eq!(kinds, [ConcernKind::Size]);
        assert_eq!(
            detail,
            format!("the file has {len} bytes, SignalWire reports {size}")
        );
    }
    let large = |size, len| judge(&examined(&file), len, &sized(size));
    for len in [5 * GIB, 3 * GIB] {
        let Judgement::Plausible(concerns) = large(GIB, len) else {
            panic!("{len} is doubted");
        };
        assert_eq!(concerns.len(), 1);
        assert_eq!(concerns[0].kind, ConcernKind::Size);
    }
    assert!(matches!(large(GIB, 6 * GIB), Judgement::Doubtful(_)));
}

#[test]
fn a_duration_that_differs_is_a_concern_and_no_doubt() {
    for reported in [3.0, 10.0, 30.0, 86_400.0] {
        let concern = Concern {
            kind: ConcernKind::Duration,
            detail: format!("the file lasts 20.0 s, SignalWire reports {reported:.1} s"),
        };
        assert_eq!(
            judged(&index_last(), &lasting(reported)),
            Judgement::Plausible(vec![concern])
        );
    }
    for unknown in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(plausible(&index_last(), &lasting(unknown)), []);
    }
}

#[test]
fn durations_are_near_within_what_clocks_and_rounding_explain() {
    for (own, reported, near) in [
        (4.66, 5.0, true),
        (2.4, 1.0, true),
        (4.0, 1.0, false),
        (5.0, 10.0, false),
        (18.0, 20.0, true),
        (22.0, 20.0, true),
        (23.0, 20.0, false),
        (95.0, 100.0, true),
        (3600.0, 3630.0, true),
        (3600.0, 3700.0, false),
        (3600.0, 60.0, false),
    ] {
        assert_eq!(
            duration_fits(Some(own), Some(reported)),
            near,
            "{own} {reported}"
        );
    }
    for unknown in [None, Some(0.0), Some(f64::NAN)] {
        assert!(duration_fits(unknown, Some(60.0)) && duration_fits(Some(60.0), unknown));
    }
}

#[test]
fn concerns_come_one_of_a_kind_and_in_order() {
    let file = [&index_last()[..300], b"xx"].concat();
    let reported = Reported {
        size_bytes: Some(9),
        duration_seconds: Some(20.0),
        format: Some("image/png"),
    };
    let (kinds, _) = doubtful(&file, &reported);
    assert_eq!(
        kinds,
        [ConcernKind::Size, ConcernKind::Type, ConcernKind::Truncated]
    );
    // A harmless oddity beside a reason for doubt.
    let broken = boxed(*b"stsz", &words(&[0, 10, 5]));
    let file = [ftyp(), mdat(), moov(&broken, &[]), vec![0; 4]].concat();
    let (kinds, detail) = doubtful(&file, &Reported::default());
    assert_eq!(kinds, [ConcernKind::Structure]);
    assert_eq!(
        detail,
        "a track has samples, but no index of them; 4 bytes follow the last box: zero bytes"
    );
}

#[test]
fn an_empty_file_is_doubted() {
    let (kinds, detail) = doubtful(&[], &labelled("video/webm"));
    assert_eq!(
        (kinds, &*detail),
        (vec![ConcernKind::Structure], "the file is empty")
    );
    assert_eq!(examined(&[]).error_page(), None);
}

#[test]
fn a_file_that_was_cut_meanwhile_is_the_disks_fault() {
    let error = examine(&stored(b"OggS"), 100).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
