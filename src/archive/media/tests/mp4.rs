//! MP4: whole files, cut ones, and how long they last.

use super::build::*;
use super::*;

#[test]
fn whole_files_are_plausible_in_either_order_and_prove_their_end() {
    for file in [index_last(), index_first()] {
        assert_eq!(plausible(&file, &lasting(20.0)), []);
        let examined = examined(&file);
        assert_eq!(examined.kind(), MediaKind::Mp4);
        assert_eq!(examined.duration_seconds(), Some(20.0));
        assert!(examined.proves_end());
    }
}

#[test]
fn a_file_cut_anywhere_is_doubted_and_never_proves_its_end() {
    let wide = boxed64(*b"mdat", &[7; 200]);
    let index = moov(&tables(&SIZES, &places(MEDIA_AT + 8)), &[]);
    let files = [index_last(), index_first(), [ftyp(), wide, index].concat()];
    for file in files {
        assert!(!is_doubtful(&file));
        for len in 0..file.len() {
            assert!(is_doubtful(&file[..len]), "cut at {len}");
            assert!(!examined(&file[..len]).proves_end(), "cut at {len}");
        }
    }
}

#[test]
fn a_cut_is_named() {
    let (file, moov) = (
        index_last(),
        "box 'moov' at byte 232 runs past the end by 1 byte",
    );
    for (bytes, expected) in [
        (
            &file[..100],
            "box 'mdat' at byte 24 runs past the end by 132 bytes",
        ),
        (
            &file[..232],
            "box 'moov', the index of the media, is missing",
        ),
        (&file[..file.len() - 1], moov),
        (
            &index_first()[..644],
            "a sample ends at byte 648, but the file at byte 644",
        ),
        (
            &index_first()[..460],
            "a sample ends at byte 478, but the file at byte 460",
        ),
    ] {
        let (kinds, detail) = doubtful(bytes, &Reported::default());
        assert_eq!((kinds, &*detail), (vec![ConcernKind::Truncated], expected));
    }
}

#[test]
fn only_a_sample_in_use_outside_of_the_file_is_a_cut() {
    let file = |sizes: &[u32], chunks: &[u32]| {
        [ftyp(), mdat(), moov(&tables(sizes, chunks), &[])].concat()
    };
    let end = u32::try_from(file(&[10, 10], &[32, 42]).len()).unwrap();
    // The last byte in use is the file's last, then one more.
    assert!(!is_doubtful(&file(&[10, 10], &[32, end - 10])));
    let (kinds, detail) = doubtful(&file(&[10, 10], &[32, end - 9]), &Reported::default());
    assert!(kinds.contains(&ConcernKind::Truncated));
    assert!(detail.contains("a sample ends at byte"), "{detail}");
    // Samples of no bytes, and places that no sample uses, may be anywhere.
    assert!(!is_doubtful(&file(&[10, 0], &[32, 9_000_000])));
    assert!(!is_doubtful(&file(&[10], &[32, 9_000_000])));
}

#[test]
fn samples_are_found_by_runs_of_chunks_and_all_kinds_of_sizes() {
    // Two chunks of three samples, then chunks of one.
    let runs = boxed(*b"stsc", &words(&[0, 2, 1, 3, 1, 3, 1, 1]));
    let file = |sizes: &[u8], last: u32| {
        let chunks = boxed(*b"stco", &words(&[0, 3, 32, 62, last]));
        [ftyp(), mdat(), moov(&[&runs, sizes, &chunks].concat(), &[])].concat()
    };
    for (what, sizes, size) in [
        ("one for all", boxed(*b"stsz", &words(&[0, 20, 7])), 20),
        (
            "each its own",
            boxed(*b"stsz", &words(&[0, 0, 7, 9, 9, 9, 9, 9, 9, 30])),
            30,
        ),
        (
            "16 bits",
            boxed(*b"stz2", &[words(&[0, 16, 7]), [0, 40].repeat(7)].concat()),
            40,
        ),
        (
            "8 bits",
            boxed(*b"stz2", &[words(&[0, 8, 7]), vec![50; 7]].concat()),
            50,
        ),
        (
            "4 bits",
            boxed(
                *b"stz2",
                &[words(&[0, 4, 7]), vec![0xFF, 0xFF, 0xFF, 0xF0]].concat(),
            ),
            15,
        ),
    ] {
        let len = u32::try_from(file(&sizes, 0).len()).unwrap();
        assert!(!is_doubtful(&file(&sizes, len - size)), "{what}");
        assert!(is_doubtful(&file(&sizes, len - size + 1)), "{what}");
    }
}

#[test]
fn compressed_quicktime_sound_is_not_counted_in_bytes() {
    let tables = [
        boxed(*b"stsc", &words(&[0, 1, 1, 100_000, 1])),
        boxed(*b"stsz", &words(&[0, 1, 100_000])),
        boxed(*b"co64", &words(&[0, 1, 0, 32])),
    ];
    assert!(!is_doubtful(
        &[ftyp(), mdat(), moov(&tables.concat(), &[])].concat()
    ));
}

#[test]
fn a_header_that_disagrees_with_good_tracks_is_a_concern_and_the_tracks_count() {
    let with_header = |header: Vec<u8>| {
        let index = [header, trak(&tables(&SIZES, &places(MEDIA_AT)))].concat();
        [ftyp(), mdat(), boxed(*b"moov", &index)].concat()
    };
    // A recording of 14 hours in units of 1/90000 second wraps at 32 bits.
    for (timescale, duration) in [(1000, 1), (90_000, 241_032_704), (1000, 4_000_000)] {
        let file = with_header(mvhd(timescale, duration));
        assert_eq!(seconds(&file), Some(20.0));
        assert_eq!(plausible(&file, &lasting(20.0)), [ConcernKind::Duration]);
    }
    for unknown in [mvhd(1000, u32::MAX), mvhd(1000, 0), mvhd(0, 5)] {
        let file = with_header(unknown);
        assert_eq!(seconds(&file), Some(20.0));
        assert_eq!(plausible(&file, &lasting(20.0)), []);
    }
    // Of 64 bits.
    let wide = words(&[0x0100_0000, 0, 1, 0, 2, 1000, 0, 20_000, 0]);
    assert_eq!(
        plausible(&with_header(boxed(*b"mvhd", &wide)), &lasting(20.0)),
        []
    );
}

#[test]
fn an_edit_list_explains_why_less_or_more_is_shown_than_there_is() {
    let elst = |units: u32| {
        boxed(
            *b"edts",
            &boxed(*b"elst", &words(&[0, 1, units, 0, 0x10000])),
        )
    };
    let file = |header: u32, shown: u32| {
        let trak = trak_with(&elst(shown), 1, &tables(&SIZES, &places(MEDIA_AT)));
        let index = [mvhd(1000, header), trak].concat();
        [ftyp(), mdat(), boxed(*b"moov", &index)].concat()
    };
    assert_eq!(seconds(&file(8000, 8000)), Some(8.0));
    assert_eq!(plausible(&file(8000, 8000), &lasting(8.0)), []);
    assert_eq!(plausible(&file(8000, 8000), &lasting(20.0)), []);
    assert_eq!(
        plausible(&file(8000, 8000), &lasting(60.0)),
        [ConcernKind::Duration]
    );
    assert_eq!(
        plausible(&file(1, 20_000), &lasting(20.0)),
        [ConcernKind::Duration]
    );
}

#[test]
fn the_edits_of_a_list_are_added_up() {
    let narrow = [[1000, 0, 0x10000], [2000, 0, 0x10000], [500, 0, 0x10000]];
    let wide = [
        [0, 1000, 0, 0, 0x10000],
        [1, 2000, 0, 0, 0x10000],
        [0, 500, 0, 0, 0x10000],
    ];
    for (elst, expected) in [
        ([&[0, 3], narrow.as_flattened()].concat(), 3.5),
        (
            [&[0x0100_0000, 3], wide.as_flattened()].concat(),
            4_294_970.796,
        ),
    ] {
        let edts = boxed(*b"edts", &boxed(*b"elst", &words(&elst)));
        let trak = trak_with(&edts, 1, &tables(&SIZES, &places(MEDIA_AT)));
        let index = [mvhd(1000, 0), trak].concat();
        let file = [ftyp(), mdat(), boxed(*b"moov", &index)].concat();
        assert_eq!(seconds(&file), Some(expected));
    }
}

#[test]
fn a_track_without_samples_lasts_as_long_as_its_header_says() {
    for (header, expected) in [
        (words(&[0, 0, 0, 1000, 8000, 0]), Some(8.0)),
        (
            words(&[0x0100_0000, 0, 0, 0, 0, 1000, 1, 0, 0]),
            Some(4_294_967.296),
        ),
        (words(&[0, 0, 0, 1000, u32::MAX, 0]), None),
        (words(&[0, 0, 0, 0, 8000, 0]), None),
    ] {
        let mdia = boxed(*b"mdia", &boxed(*b"mdhd", &header));
        let index = [mvhd(1000, 0), boxed(*b"trak", &mdia)].concat();
        let file = [ftyp(), mdat(), boxed(*b"moov", &index)].concat();
        assert_eq!(seconds(&file), expected);
    }
}

#[test]
fn media_in_another_file_is_media_if_its_track_lasts() {
    let file = |stbl: &[u8]| {
        let index = [mvhd(1000, 0), trak_with(&[], 0, stbl)].concat();
        [ftyp(), boxed(*b"moov", &index)].concat()
    };
    assert_eq!(
        remarks(&file(&tables(&SIZES, &places(9_000_000)))),
        "a track's media is in another file"
    );
    let (kinds, detail) = doubtful(&file(&tables(&[], &[])), &Reported::default());
    assert_eq!(kinds, [ConcernKind::Structure, ConcernKind::Truncated]);
    assert_eq!(
        detail,
        "a track's media is in another file; the file has no media"
    );
}

#[test]
fn the_brand_decides_between_mp4_and_its_relatives() {
    for (brand, kind, extension) in [
        (b"isom", MediaKind::Mp4, "mp4"),
        (b"qt  ", MediaKind::QuickTime, "mov"),
        (b"M4A ", MediaKind::M4a, "m4a"),
        (b"3gp4", MediaKind::ThreeGp, "3gp"),
    ] {
        let mut file = index_last();
        file[8..12].copy_from_slice(brand);
        assert_eq!(examined(&file).kind(), kind);
        assert_eq!(kind.extension(), Some(extension));
    }
    // Of several the first counts.
    let other = boxed(*b"styp", b"qt  \0\0\0\0");
    assert_eq!(
        examined(&[index_last(), other].concat()).kind(),
        MediaKind::Mp4
    );
}
