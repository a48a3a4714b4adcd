use std::io::Write as _;

use proptest::prelude::*;

use super::*;

fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_slice(), content].concat()
}

fn boxed64(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = content.len() as u64 + 16;
    [
        &1u32.to_be_bytes(),
        kind.as_slice(),
        &size.to_be_bytes(),
        content,
    ]
    .concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", b"isom\0\0\x02\0isomiso2")
}

fn mvhd(timescale: u32, duration: u32) -> Vec<u8> {
    boxed(
        *b"mvhd",
        &words(&[0, 1, 2, timescale, duration, 0x10000, 0, 0]),
    )
}

fn trak(table: &[u8]) -> Vec<u8> {
    let stbl = boxed(*b"stbl", table);
    boxed(*b"trak", &boxed(*b"mdia", &boxed(*b"minf", &stbl)))
}

/// A movie of 4.5 seconds with one track, whose chunks begin at `chunks`.
fn moov(chunks: &[u32]) -> Vec<u8> {
    let count = u32::try_from(chunks.len()).unwrap();
    let stco = boxed(*b"stco", &words(&[&[0, count], chunks].concat()));
    boxed(*b"moov", &[mvhd(1000, 4500), trak(&stco)].concat())
}

fn mdat() -> Vec<u8> {
    boxed(*b"mdat", &[7; 90])
}

fn verdict(bytes: &[u8], format: Option<&str>) -> Result<MediaInfo, BadMedia> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    check(&file, bytes.len() as u64, format)
}

fn check_mp4(bytes: &[u8]) -> Result<MediaInfo, BadMedia> {
    verdict(bytes, Some("video/mp4"))
}

fn seconds(bytes: &[u8]) -> Option<f64> {
    check_mp4(bytes).unwrap().duration_seconds
}

fn complaint(bytes: &[u8]) -> String {
    check_mp4(bytes).unwrap_err().to_string()
}

#[test]
fn whole_files_pass_in_either_order() {
    let index_last = [ftyp(), mdat(), moov(&[32])].concat();
    let index_first = [ftyp(), moov(&[200]), mdat()].concat();
    for file in [&index_last, &index_first] {
        assert_eq!(seconds(file), Some(4.5));
        for format in [None, Some("VIDEO/MP4; codecs=avc1"), Some("mp4")] {
            assert!(verdict(file, format).unwrap().proves_end);
        }
    }
}

#[test]
fn sizes_of_64_bits_and_an_open_end_pass() {
    let big = [
        ftyp(),
        boxed64(*b"mdat", &[1; 50]),
        boxed64(*b"moov", &mvhd(600, 600)),
    ]
    .concat();
    assert_eq!(seconds(&big), Some(1.0));
    let open = [ftyp(), moov(&[]), b"\0\0\0\0mdat12345".to_vec()].concat();
    assert_eq!(seconds(&open), Some(4.5));
    assert!(!check_mp4(&open).unwrap().proves_end);
}

#[test]
fn version_1_of_the_movie_header_is_read() {
    let words = words(&[0x0100_0000, 0, 1, 0, 2, 90_000, 1, 0, 0]);
    let file = [ftyp(), boxed(*b"moov", &boxed(*b"mvhd", &words)), mdat()].concat();
    let expected = 4_294_967_296.0 / 90_000.0;
    assert!((seconds(&file).unwrap() - expected).abs() < 0.001);
}

#[test]
fn unknown_durations_are_none() {
    for (timescale, duration) in [(0, 5), (1000, 0), (1000, u32::MAX)] {
        let moov = boxed(*b"moov", &mvhd(timescale, duration));
        assert_eq!(seconds(&[ftyp(), moov, mdat()].concat()), None);
    }
}

#[test]
fn fragmented_files_tell_their_length_in_mehd() {
    let mehd = boxed(*b"mvex", &boxed(*b"mehd", &words(&[0, 30_000])));
    let moof = boxed(*b"moof", &boxed(*b"mfhd", &words(&[0, 1])));
    let head = |extra: &[u8]| boxed(*b"moov", &[&mvhd(1000, 2000), extra].concat());
    let told = [
        ftyp(),
        head(&mehd),
        moof.clone(),
        mdat(),
        moof.clone(),
        mdat(),
    ]
    .concat();
    assert_eq!(seconds(&told), Some(30.0));
    let untold = [ftyp(), head(&[]), moof, mdat()].concat();
    assert_eq!(seconds(&untold), None);
    assert!(!check_mp4(&told).unwrap().proves_end);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let fragmented = [
        ftyp(),
        boxed(*b"moov", &mvhd(1000, 0)),
        boxed(*b"moof", &boxed(*b"mfhd", &words(&[0, 1]))),
        mdat(),
    ]
    .concat();
    for file in [
        [ftyp(), mdat(), moov(&[32])].concat(),
        [ftyp(), moov(&[200]), mdat()].concat(),
        [ftyp(), boxed64(*b"mdat", &[1; 50]), moov(&[40])].concat(),
        fragmented,
    ] {
        assert!(check_mp4(&file).is_ok());
        for len in 0..file.len() {
            assert!(check_mp4(&file[..len]).is_err(), "cut at {len}");
        }
    }
}

#[test]
fn an_index_that_points_past_the_end_is_refused() {
    let file = [ftyp(), moov(&[130, 9000]), b"\0\0\0\0mdat12345".to_vec()].concat();
    assert!(complaint(&file).starts_with("the index points at byte 9000, but the file ends"));
    let co64 = boxed(*b"co64", &words(&[0, 1, 1, 0]));
    let moov = boxed(*b"moov", &[mvhd(1, 1), trak(&co64)].concat());
    let file = [ftyp(), moov, mdat()].concat();
    assert!(complaint(&file).starts_with("the index points at byte 4294967296"));
}

#[test]
fn errors_name_what_is_wrong() {
    for (file, expected) in [
        (Vec::new(), "the file is empty"),
        ([ftyp(), mdat()].concat(), "box 'moov' is missing"),
        (
            [ftyp(), boxed(*b"moov", &[]), mdat()].concat(),
            "box 'mvhd' is missing",
        ),
        ([ftyp(), moov(&[])].concat(), "box 'mdat' is missing"),
        (
            [mdat(), moov(&[])].concat()[..50].to_vec(),
            "box 'mdat' at byte 0 runs past the end by 48 bytes",
        ),
        (
            [ftyp(), moov(&[]), mdat(), vec![0; 5]].concat(),
            "5 stray bytes at byte 218, too few for a box",
        ),
        (
            [ftyp(), boxed(*b"moov", b"\0\0\0\x09trak")].concat(),
            "box 'trak' at byte 32 runs past the end by 1 bytes",
        ),
        (
            [ftyp(), b"\0\0\0\0free".to_vec()].concat(),
            "box 'free' at byte 24 is malformed",
        ),
        (
            [ftyp(), b"\0\0\0\x04free".to_vec()].concat(),
            "box 'free' at byte 24 is malformed",
        ),
        (
            [ftyp(), boxed64(*b"mdat", &[])[..8].to_vec(), vec![0; 8]].concat(),
            "box 'mdat' at byte 24 is malformed",
        ),
        (
            boxed(*b"moov", &boxed(*b"mvhd", &words(&[0, 1]))),
            "box 'mvhd' at byte 8 is malformed",
        ),
        (
            boxed(*b"moov", &trak(&boxed(*b"stco", &words(&[0, u32::MAX])))),
            "box 'stco' at byte 40 is malformed",
        ),
        (vec![0x55; 100], "the file does not begin like an MP4 file"),
        (b"\0".to_vec(), "the file does not begin like an MP4 file"),
    ] {
        assert_eq!(complaint(&file), expected);
    }
}

#[test]
fn a_size_near_the_largest_number_does_not_overflow() {
    let mut file = [ftyp(), moov(&[])].concat();
    file.extend([&1u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat());
    assert!(complaint(&file).contains("'mdat' at byte 120 runs past the end"));
}

#[test]
fn boxes_too_deep_in_each_other_are_refused() {
    let mut nested = boxed(*b"free", &[]);
    for _ in 0..1000 {
        nested = boxed(*b"trak", &nested);
    }
    let file = boxed(*b"moov", &nested);
    assert!(matches!(check_mp4(&file), Err(BadMedia::TooManyBoxes)));
}

#[test]
fn error_pages_are_refused_whatever_the_type() {
    for (text, what) in [
        ("<!DOCTYPE html><html></html>", "an HTML page"),
        ("\u{feff} \r\n<HTML><body>", "an HTML page"),
        (
            "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
            "an XML document",
        ),
        (
            "<Error><Code>AccessDenied</Code></Error>",
            "an XML document",
        ),
        ("{\"error\":\"Unauthorized\"}", "a JSON document"),
        ("[ {\"type\": 1} ]", "a JSON document"),
    ] {
        for format in [None, Some("video/mp4"), Some("video/webm")] {
            let error = verdict(text.as_bytes(), format).unwrap_err();
            assert!(
                matches!(error, BadMedia::Page(page) if page == what),
                "{text}"
            );
        }
    }
    assert!(matches!(
        verdict(b"", Some("video/webm")),
        Err(BadMedia::Empty)
    ));
}

#[test]
fn a_box_whose_size_looks_like_markup_is_no_page() {
    let mut file = mdat();
    file[..4].copy_from_slice(b"<!xx");
    assert!(matches!(check_mp4(&file), Err(BadMedia::PastEnd { .. })));
}

#[test]
fn other_formats_pass_unparsed() {
    let webm = b"\x1A\x45\xDF\xA3rest";
    assert!(!verdict(webm, Some("video/webm")).unwrap().proves_end);
    assert!(!verdict(webm, None).unwrap().proves_end);
    assert!(matches!(
        verdict(webm, Some("video/mp4")),
        Err(BadMedia::NotMp4)
    ));
    assert!(matches!(verdict(b"garbage!", None), Err(BadMedia::NotMp4)));
}

#[test]
fn durations_fit_within_five_seconds_or_five_percent() {
    for (found, api, fits) in [
        (4.66, 5.0, true),
        (4.66, 9.0, true),
        (4.66, 10.0, false),
        (3600.0, 3700.0, true),
        (3600.0, 4000.0, false),
        (3600.0, 60.0, false),
        (3600.0, 0.0, true),
        (f64::NAN, 60.0, true),
    ] {
        assert_eq!(duration_fits(Some(found), Some(api)), fits, "{found} {api}");
    }
    assert!(duration_fits(None, Some(1.0)) && duration_fits(Some(1.0), None));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = check_mp4(&bytes);
        let _ = verdict(&bytes, None);
    }

    #[test]
    fn no_altered_file_makes_it_panic(changes in prop::collection::vec((0..260usize, any::<u8>()), 1..12)) {
        let mut file = [ftyp(), moov(&[200, 210]), mdat()].concat();
        for (at, byte) in changes {
            if let Some(old) = file.get_mut(at) {
                *old = byte;
            }
        }
        let _ = check_mp4(&file);
    }

    #[test]
    fn no_part_of_a_file_passes_for_the_whole(file in movie(), cut: prop::sample::Index) {
        let (bytes, ends) = file;
        let whole = check_mp4(&bytes);
        prop_assert!(whole.as_ref().is_ok_and(|info| info.proves_end), "{:?}", whole);
        let cut = cut.index(bytes.len());
        if let Ok(info) = check_mp4(&bytes[..cut]) {
            // Only what stands behind media and index can be lacking, and only as a whole.
            prop_assert!(!info.proves_end || ends.contains(&cut), "cut at {}", cut);
        }
        // Bytes that stand behind are no box, or one that does not end.
        let longer = [&bytes[..], &[0; 5]].concat();
        prop_assert!(check_mp4(&longer).is_err());
    }

    #[test]
    fn the_work_is_bounded_by_the_bytes(boxes in prop::collection::vec(any_box(4), 0..40)) {
        let bytes = boxes.concat();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut reader = Reader::new(&file, bytes.len() as u64);
        let _ = mp4::check(&mut reader);
        // A header has eight bytes: no box is looked at twice.
        prop_assert!(reader.boxes_seen() as usize <= bytes.len() / 8 + 1);
    }
}

/// A file that proves its end, and where what can be done without ends.
fn movie() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    let extra = prop::collection::vec(
        (
            prop::sample::select(vec![*b"free", *b"skip", *b"udta", *b"uuid"]),
            0..40_usize,
        ),
        0..3,
    );
    (any::<bool>(), any::<bool>(), 1..200_usize, extra).prop_map(
        |(index_first, wide, media, extra)| {
            let media = vec![7; media];
            let mdat = if wide {
                boxed64(*b"mdat", &media)
            } else {
                boxed(*b"mdat", &media)
            };
            let mut file = if index_first {
                // Its one chunk begins at the last byte of the media.
                let end = ftyp().len() + moov(&[0]).len() + mdat.len();
                [ftyp(), moov(&[u32::try_from(end - 1).unwrap()]), mdat].concat()
            } else {
                [ftyp(), mdat, moov(&[40])].concat()
            };
            let mut ends = vec![file.len()];
            for (kind, length) in extra {
                file.extend(boxed(kind, &vec![0; length]));
                ends.push(file.len());
            }
            (file, ends)
        },
    )
}

/// Boxes in each other, of the types that are looked into and others, with sizes that may lie.
fn any_box(depth: u32) -> impl Strategy<Value = Vec<u8>> {
    let kind = || {
        let kinds = b"ftypmoovmoofmdattrakmdiaminfstblmvexmvhdmehdstcoco64free";
        prop::sample::select(
            kinds
                .chunks(4)
                .map(|kind| kind.try_into().unwrap())
                .collect::<Vec<[u8; 4]>>(),
        )
    };
    let leaf = (
        kind(),
        prop::collection::vec(any::<u8>(), 0..40),
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
