//! MP4 files that players accept though they are not as the standard wants them: all are archived at once.

use super::build::*;
use super::*;

/// The file of [`index_last`] with other boxes at the end of its movie box.
fn with_inside(extra: &[u8]) -> Vec<u8> {
    let tables = tables(&SIZES, &places(MEDIA_AT));
    [ftyp(), mdat(), moov(&tables, extra)].concat()
}

/// The same with this box in front of all.
fn behind(first: &[u8]) -> Vec<u8> {
    let at = MEDIA_AT + u32::try_from(first.len()).unwrap();
    let index = moov(&tables(&SIZES, &places(at)), &[]);
    [first, &ftyp(), &mdat(), &index].concat()
}

/// Files with nothing in them to be concerned about.
fn unremarkable() -> Vec<(&'static str, Vec<u8>)> {
    let tables = tables(&SIZES, &places(MEDIA_AT));
    let movie = [mvhd(1000, 20_000), trak(&tables)].concat();
    let list = boxed(*b"udta", &[boxed(*b"name", b"x"), vec![0; 4]].concat());
    let mut unused = places(MEDIA_AT);
    unused.extend([0xC000_009D, u32::MAX]);
    let unused = super::build::tables(&SIZES, &unused);
    vec![
        ("4 bytes end the movie box", with_inside(&[0; 4])),
        ("8 bytes end the movie box", with_inside(&[0; 8])),
        ("12 bytes end the movie box", with_inside(&[0; 12])),
        ("2 bytes end the movie box", with_inside(&[0; 2])),
        ("4 bytes end the user data", with_inside(&list)),
        (
            "4 bytes end the tables",
            [ftyp(), mdat(), moov(&[&tables[..], &[0; 4]].concat(), &[])].concat(),
        ),
        (
            "a last 'free' of open end",
            [index_last(), open(*b"free", &[0; 500])].concat(),
        ),
        (
            "a last box of open end of its own",
            [index_last(), open(*b"abcd", b"x")].concat(),
        ),
        (
            "a movie box of open end",
            [ftyp(), mdat(), open(*b"moov", &movie)].concat(),
        ),
        (
            "index entries that no sample uses",
            [ftyp(), mdat(), moov(&unused, &[])].concat(),
        ),
        ("'meta' first", behind(&boxed(*b"meta", &[0; 24]))),
        ("'udta' first", behind(&boxed(*b"udta", &[]))),
        ("'PICT' first", behind(&boxed(*b"PICT", &[1; 100]))),
        ("'ssix' first", behind(&boxed(*b"ssix", &[0; 12]))),
        (
            "a box nobody knows first",
            behind(&boxed(*b"abcd", &[1; 9])),
        ),
        ("no 'ftyp'", {
            let index = moov(&super::build::tables(&SIZES, &places(MEDIA_AT - 24)), &[]);
            [mdat(), index].concat()
        }),
        (
            "a second movie box, for media that is not there",
            [
                index_last(),
                moov(&super::build::tables(&SIZES, &places(9_000_000)), &[]),
            ]
            .concat(),
        ),
        (
            "boxes nobody knows",
            [index_last(), boxed(*b"a1c-", b"x")].concat(),
        ),
    ]
}

#[test]
fn odd_files_with_nothing_in_doubt_raise_no_concern() {
    for (what, file) in unremarkable() {
        assert_eq!(plausible(&file, &lasting(20.0)), [], "{what}");
        assert_eq!(seconds(&file), Some(20.0), "{what}");
    }
}

#[test]
fn bytes_behind_the_last_box_are_a_concern_and_no_doubt() {
    let id3v1 = [b"TAG".as_slice(), b"Title", &[0; 120]].concat();
    for (what, tail) in [
        ("zero bytes", vec![0; 4]),
        ("zero bytes", vec![0; 5000]),
        ("white space", b"\r\n".to_vec()),
        ("an ID3v1 tag", id3v1),
        ("an APE tag", [b"APETAGEX".as_slice(), &[1; 60]].concat()),
        ("an ID3v2 tag", b"ID3\x04\0\0\0\0\0\x04abcd".to_vec()),
        ("that are no box", b"--boundary--\r\n".to_vec()),
        ("that are no box", vec![0xFF; 3]),
        ("that are no box", vec![0; 3]),
    ] {
        let file = [index_last(), tail].concat();
        assert_eq!(
            plausible(&file, &lasting(20.0)),
            [ConcernKind::Structure],
            "{what}"
        );
        let Judgement::Plausible(concerns) = judged(&file, &Reported::default()) else {
            panic!("{what}");
        };
        assert!(concerns[0].detail.ends_with(what) || concerns[0].detail.contains(what));
    }
    // Zero bytes and tags prove nothing less than the file without them; what may be a cut header does.
    assert!(examined(&[index_last(), vec![0; 4]].concat()).proves_end());
    assert!(!examined(&[index_last(), vec![0; 3]].concat()).proves_end());
}

#[test]
fn what_cannot_be_looked_into_is_a_concern_and_no_doubt() {
    let packed = boxed(*b"moov", &boxed(*b"cmov", &[1; 40]));
    let elsewhere = trak_with(&[], 0, &tables(&SIZES, &places(9_000_000)));
    let elsewhere = boxed(*b"moov", &[mvhd(1000, 20_000), elsewhere].concat());
    let no_header = boxed(*b"moov", &trak(&tables(&SIZES, &places(MEDIA_AT))));
    let long_child = with_inside(&[&100u32.to_be_bytes()[..], b"udta", &[1; 8]].concat());
    let long_child = [long_child, boxed(*b"free", &[])].concat();
    for (file, expected) in [
        (
            [ftyp(), mdat(), packed.clone()].concat(),
            "the index is compressed ('cmov') and was not looked into",
        ),
        (
            [ftyp(), packed].concat(),
            "the index is compressed ('cmov') and was not looked into",
        ),
        (
            [ftyp(), mdat(), elsewhere].concat(),
            "a track's media is in another file",
        ),
        (
            [ftyp(), mdat(), no_header].concat(),
            "the movie has no header ('mvhd')",
        ),
        (long_child, "runs past the end of the box around it"),
        (with_inside(b"xyz"), "are no box"),
        (
            [
                ftyp(),
                mdat(),
                moov(&tables(&SIZES, &places(MEDIA_AT)[..9]), &[]),
            ]
            .concat(),
            "a track has more samples than its index has places for",
        ),
        (
            [ftyp(), mdat(), boxed(*b"moov", &mvhd(1000, 0))].concat(),
            "the movie has no track",
        ),
    ] {
        assert_eq!(
            plausible(&file, &Reported::default()),
            [ConcernKind::Structure],
            "{expected}"
        );
        let remarks = remarks(&file);
        assert!(remarks.ends_with(expected), "{remarks}");
    }
}

#[test]
fn an_index_that_is_broken_is_doubted() {
    let sizes = |declared| boxed(*b"stsz", &words(&[0, 0, declared, 10]));
    let runs = |declared| boxed(*b"stsc", &words(&[0, declared, 1, 1, 1]));
    let chunks = |declared| boxed(*b"stco", &words(&[0, declared, 32]));
    let long = |declared| boxed(*b"co64", &words(&[0, declared, 0, 32]));
    let sample = boxed(*b"stsz", &words(&[0, 10, 5]));
    let most = u32::MAX;
    for (stbl, expected) in [
        ([sizes(2), runs(1), chunks(1)].concat(), "box 'stsz' at"),
        ([sizes(1), runs(2), chunks(1)].concat(), "box 'stsc' at"),
        // Were the index read past its end, these would be places of samples.
        (
            [sample.clone(), runs(1), chunks(5)].concat(),
            "box 'stco' at",
        ),
        ([sample.clone(), runs(1), long(5)].concat(), "box 'co64' at"),
        (
            [sizes(most), runs(most), chunks(most)].concat(),
            "too short for its table",
        ),
        (sample, "a track has samples, but no index of them"),
    ] {
        let file = [ftyp(), mdat(), moov(&stbl, &[])].concat();
        let (kinds, detail) = doubtful(&file, &Reported::default());
        assert_eq!(kinds, [ConcernKind::Structure]);
        assert!(detail.contains(expected), "{detail}");
    }
    // Nothing to play, and nothing that says that there should be none.
    assert!(is_doubtful(
        &[ftyp(), moov(&tables(&[], &[]), &[])].concat()
    ));
}

#[test]
fn an_open_end_proves_nothing_unless_the_index_fills_it() {
    let media = u32::try_from(index_first().len() - 200).unwrap();
    let file = |tables: &[u8]| [ftyp(), moov(tables, &[]), open(*b"mdat", &[7; 200])].concat();
    assert!(examined(&file(&tables(&SIZES, &places(media)))).proves_end());
    assert!(!examined(&file(&tables(&SIZES[..19], &places(media)[..19]))).proves_end());
    assert!(!examined(&file(&tables(&[], &[]))).proves_end());
    // A sample of no bytes fills nothing, wherever it is.
    let (mut sizes, mut chunks) = (SIZES.to_vec(), places(media + 8));
    sizes.push(0);
    chunks.push(9_000_000);
    let more = file(&tables(&sizes, &chunks));
    assert_eq!(
        more.len(),
        usize::try_from(media + 208).unwrap(),
        "the media has moved"
    );
    assert!(examined(&more).proves_end());
}

#[test]
fn sizes_near_the_largest_number_do_not_overflow() {
    let huge = [&1u32.to_be_bytes()[..], b"mdat", &u64::MAX.to_be_bytes()].concat();
    assert!(is_doubtful(&[ftyp(), huge.clone()].concat()));
    assert!(is_doubtful(&[index_last(), huge].concat()));
    let co64 = boxed(*b"co64", &words(&[0, 1, u32::MAX, u32::MAX]));
    let sizes = boxed(*b"stsz", &words(&[0, u32::MAX, u32::MAX]));
    let runs = boxed(*b"stsc", &words(&[0, 1, 1, u32::MAX, 1]));
    let times = boxed(
        *b"stts",
        &words(&[0, 2, u32::MAX, u32::MAX, u32::MAX, u32::MAX]),
    );
    let stbl = [times, runs, sizes, co64].concat();
    assert!(is_doubtful(&[ftyp(), mdat(), moov(&stbl, &[])].concat()));
}

#[test]
fn boxes_in_each_other_without_end_are_not_followed() {
    let mut nested = boxed(*b"free", &[]);
    for _ in 0..10_000 {
        nested = boxed(*b"mdia", &nested);
    }
    let index = [mvhd(1000, 20_000), boxed(*b"trak", &nested)].concat();
    assert!(!is_doubtful(
        &[ftyp(), mdat(), boxed(*b"moov", &index)].concat()
    ));
}
