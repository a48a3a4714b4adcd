//! Formats other than MP4.

use super::build::*;
use super::*;

/// Cuts a file everywhere but within the first `head` bytes. Each cut must be doubted or show in the duration, but
/// for those in the last `tail` bytes.
fn every_cut_shows(what: &str, file: &[u8], head: usize, tail: usize) {
    for len in head..file.len() - tail {
        let cut = &file[..len];
        let concerned = match judged(cut, &lasting(20.0)) {
            Judgement::Doubtful(_) => true,
            Judgement::Plausible(concerns) => !concerns.is_empty(),
        };
        assert!(concerned, "{what} cut at {len} of {}", file.len());
        assert!(!examined(cut).proves_end(), "{what} cut at {len}");
    }
}

#[track_caller]
fn whole(file: &[u8], kind: MediaKind, lasts: f64) {
    assert_eq!(examined(file).kind(), kind);
    assert_eq!(plausible(file, &lasting(lasts)), [], "{kind}");
    let found = seconds(file).unwrap();
    assert!((found - lasts).abs() < 1.5, "{kind} lasts {found}");
}

#[test]
fn matroska_is_recognised_and_its_cuts_show() {
    whole(&webm(), MediaKind::WebM, 20.0);
    assert!(examined(&webm()).proves_end());
    every_cut_shows("WebM", &webm(), 0, 0);
    whole(&webm_live(), MediaKind::WebM, 20.0);
    assert!(!examined(&webm_live()).proves_end());
    // A block is 16 bytes here, and its loss no more than a second.
    every_cut_shows("live WebM", &webm_live(), 0, 60);
    let mkv = [ebml(b"matroska"), webm().split_off(ebml(b"webm").len())].concat();
    assert_eq!(examined(&mkv).kind(), MediaKind::Matroska);
}

#[test]
fn a_header_of_matroska_that_announces_more_than_there_is_does_not_count() {
    let mut content = info(60_000.0);
    content.extend(element(0x1F43_B675, &blocks(0)));
    let file = [ebml(b"webm"), live(0x1853_8067, &content)].concat();
    assert_eq!(seconds(&file), Some(4.0));
    assert_eq!(plausible(&file, &lasting(60.0)), [ConcernKind::Duration]);
    // Clusters cut away cleanly leave their place in the segment.
    let mut file = [ebml(b"webm"), element(0x1853_8067, &content)].concat();
    let at = ebml(b"webm").len() + 11;
    file[at] += 7;
    let (kinds, detail) = doubtful(&file, &Reported::default());
    assert!(kinds.contains(&ConcernKind::Truncated));
    assert!(
        detail.contains("the segment runs past the end by 7 bytes"),
        "{detail}"
    );
}

#[test]
fn matroska_that_is_odd_or_broken() {
    let odd = [webm(), vec![0; 9]].concat();
    assert_eq!(plausible(&odd, &lasting(20.0)), [ConcernKind::Structure]);
    let garbage = [ebml(b"webm"), element(0x1853_8067, &[0; 50])].concat();
    assert_eq!(
        doubtful(&garbage, &Reported::default()).0,
        [ConcernKind::Structure]
    );
    let empty = [ebml(b"webm"), live(0x1853_8067, &info(1.0))].concat();
    assert_eq!(
        doubtful(&empty, &Reported::default()).0,
        [ConcernKind::Truncated]
    );
    // Block groups, whose blocks say how long they last.
    let group = [
        element(0xA1, &[0x81, 0, 0, 0, 7]),
        element(0x9B, &[0x1F, 0x40]),
    ]
    .concat();
    let cluster = [element(0xE7, &[0x2E, 0xE0]), element(0xA0, &group)].concat();
    let file = [
        ebml(b"webm"),
        element(0x1853_8067, &element(0x1F43_B675, &cluster)),
    ]
    .concat();
    assert_eq!(seconds(&file), Some(20.0));
}

#[test]
fn ogg_is_recognised_and_its_cuts_show() {
    whole(&ogg(), MediaKind::Ogg, 20.0);
    assert!(examined(&ogg()).proves_end());
    every_cut_shows("Ogg", &ogg(), 0, 0);
    let (kinds, detail) = doubtful(&ogg()[..500], &Reported::default());
    assert_eq!(kinds, [ConcernKind::Truncated]);
    assert!(detail.contains("runs past the end"), "{detail}");
    // One recording after the other; a tag at the end.
    whole(&[ogg(), ogg()].concat(), MediaKind::Ogg, 40.0);
    let tagged = [ogg(), [b"TAG".as_slice(), &[0; 125]].concat()].concat();
    assert_eq!(plausible(&tagged, &lasting(20.0)), [ConcernKind::Structure]);
}

#[test]
fn the_positions_of_each_ogg_codec_are_understood() {
    let theora = [
        b"\x80theora\x03\x02\x01".as_slice(),
        &[0; 12],
        &[0, 0, 0, 25, 0, 0, 0, 1],
        &[0; 10],
        // A quality of 0, six bits for frames since a key frame.
        &[0, 6 << 5],
    ];
    let flac = [
        b"\x7FFLAC\x01\0\0\x01fLaC\0\0\0\x22".as_slice(),
        &[0; 10],
        &[0x0A, 0xC4, 0x42, 0],
    ];
    let speex = [b"Speex   ".as_slice(), &[0; 28], &16_000u32.to_le_bytes()];
    let vorbis = [
        b"\x01vorbis\0\0\0\0\x02".as_slice(),
        &44_100u32.to_le_bytes(),
    ];
    for (head, position) in [
        (theora.concat(), (480 << 6) + 20),
        (flac.concat(), 882_000),
        (speex.concat(), 320_000),
        (vorbis.concat(), 882_000),
    ] {
        let file = [page(2, 0, &head), page(4, position, &[7])].concat();
        assert_eq!(seconds(&file), Some(20.0), "{:?}", &head[..5]);
    }
}

#[test]
fn sound_in_frames_is_recognised_and_its_cuts_show() {
    for (file, kind, lasts) in [
        (mp3(), MediaKind::Mp3, 40.0 * 1152.0 / 44_100.0),
        (adts(), MediaKind::Aac, 40.0 * 1024.0 / 44_100.0),
        (
            [b"ID3\x04\0\0\0\0\0\x05abcde", &mp3()[..]].concat(),
            MediaKind::Mp3,
            1.04,
        ),
        (
            [mp3(), [b"TAG".as_slice(), &[0; 125]].concat()].concat(),
            MediaKind::Mp3,
            1.04,
        ),
    ] {
        whole(&file, kind, lasts);
    }
    for file in [mp3(), adts()] {
        let (kinds, detail) = doubtful(&file[..file.len() - 1], &Reported::default());
        assert_eq!(kinds, [ConcernKind::Truncated], "{detail}");
    }
    // LATM: three bytes of header, thirteen bits of length.
    let latm = [&[0x56, 0xE0, 50][..], &[7; 50]].concat().repeat(9);
    assert_eq!(examined(&latm).kind(), MediaKind::Aac);
}

#[test]
fn an_mp3_header_that_counts_frames_shows_what_is_lacking() {
    let mut file = mp3();
    let size = u32::try_from(file.len()).unwrap();
    file[36..40].copy_from_slice(b"Xing");
    file[40..52].copy_from_slice(&words(&[3, 39, size]));
    assert_eq!(plausible(&file, &Reported::default()), []);
    let (kinds, detail) = doubtful(&file[..417 * 20], &Reported::default());
    assert_eq!(kinds, [ConcernKind::Truncated]);
    assert!(
        detail.starts_with("the header counts 16680 bytes of sound"),
        "{detail}"
    );
}

#[test]
fn transport_streams_are_recognised_and_their_cuts_show() {
    whole(&ts(), MediaKind::MpegTs, 20.0);
    every_cut_shows("a transport stream", &ts(), 5 * 188, 8 * 188);
    // Each packet with four bytes in front, as discs and cameras have it.
    let packets: Vec<Vec<u8>> = ts()
        .chunks(188)
        .map(|packet| [&[0; 4], packet].concat())
        .collect();
    whole(&packets.concat(), MediaKind::MpegTs, 20.0);
}

#[test]
fn flash_video_is_recognised_and_its_cuts_show() {
    whole(&flv(), MediaKind::Flv, 20.0);
    every_cut_shows("FLV", &flv(), 15, 55 * 3);
}

#[test]
fn chunked_files_are_recognised_and_their_cuts_show() {
    whole(&wav(), MediaKind::Wav, 20.0);
    assert!(examined(&wav()).proves_end());
    every_cut_shows("WAV", &wav(), 44, 0);
    whole(&avi(), MediaKind::Avi, 20.0);
    every_cut_shows("AVI", &avi(), 12, 0);
    whole(&flac(), MediaKind::Flac, 20.0);
    // Written into a pipe: no sizes.
    let mut piped = wav();
    piped[4..8].fill(0xFF);
    piped[40..44].fill(0xFF);
    whole(&piped, MediaKind::Wav, 20.0);
    assert!(!examined(&piped).proves_end());
}

#[test]
fn other_formats_are_recognised_and_left_at_that() {
    for (bytes, kind) in [
        (b"caff\0\x01\0\0desc....".as_slice(), MediaKind::Caf),
        (b"#!AMR\n\x3C....", MediaKind::Amr),
        (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9", MediaKind::Asf),
        (b"\0\0\x01\xBA\x44\0\0\0", MediaKind::MpegPs),
    ] {
        assert_eq!(examined(bytes).kind(), kind);
        assert_eq!(plausible(bytes, &Reported::default()), []);
        assert!(kind.extension().is_some());
    }
    for bytes in [
        &[0x55; 100][..],
        b"\0",
        b"\xFF\xFB",
        b"plain text that is nothing else",
    ] {
        assert_eq!(examined(bytes).kind(), MediaKind::Unknown);
        assert_eq!(doubtful(bytes, &Reported::default()).0, [ConcernKind::Type]);
    }
    assert_eq!(MediaKind::Unknown.extension(), None);
}
