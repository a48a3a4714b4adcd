//! MP4: the tables of an index, entry by entry.

use super::build::*;
use super::*;

/// Puts a table where it belongs in a file.
type Place<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

/// A file with 2000 bytes of media, and what comes behind the others in its track's tables.
fn with_tables(stbl: &[u8]) -> Vec<u8> {
    let stbl = [&tables(&SIZES, &places(MEDIA_AT)), stbl].concat();
    let media = boxed(*b"mdat", &[7; 2000]);
    [ftyp(), media, moov(&stbl, &[])].concat()
}

#[test]
fn a_table_that_lacks_a_byte_of_its_last_entry_is_doubted() {
    let with_edits = |elst: &[u8]| {
        let trak = trak_with(
            &boxed(*b"edts", elst),
            1,
            &tables(&SIZES, &places(MEDIA_AT)),
        );
        let index = [mvhd(1000, 2000), trak].concat();
        [ftyp(), mdat(), boxed(*b"moov", &index)].concat()
    };
    let with_run =
        |trun: &[u8]| [head(), with_runs(&[tfhd(0x2_0000, &[]), trun.to_vec()])].concat();
    let behind = |sidx: &[u8]| [&fragmented(), sidx].concat();
    let wide = 0x0100_0000;
    let edit = [1000, 0, 0x10000];
    let wide_edit = [0, 1000, 0, 0, 0x10000];
    let index = |wide| sidx(wide, 0, &[0, 0])[8..].to_vec();
    let cases: [(_, _, Place<'_>); 17] = [
        (b"stts", words(&[0, 2, 1, 1000, 19, 1000]), &with_tables),
        (b"stsc", words(&[0, 2, 1, 1, 1, 2, 1, 1]), &with_tables),
        (b"stsz", words(&[0, 0, 2, 10, 10]), &with_tables),
        (
            b"stz2",
            [words(&[0, 16, 2]), vec![0; 4]].concat(),
            &with_tables,
        ),
        (
            b"stz2",
            [words(&[0, 8, 2]), vec![0; 2]].concat(),
            &with_tables,
        ),
        (
            b"stz2",
            [words(&[0, 4, 3]), vec![0; 2]].concat(),
            &with_tables,
        ),
        (
            b"stco",
            words(&[&[0, 20], &[32; 20][..]].concat()),
            &with_tables,
        ),
        (
            b"co64",
            words(&[&[0, 20][..], &[0, 32].repeat(20)].concat()),
            &with_tables,
        ),
        (
            b"elst",
            words(&[&[0, 2], &edit[..], &edit].concat()),
            &with_edits,
        ),
        (
            b"elst",
            words(&[&[wide, 2], &wide_edit[..], &wide_edit].concat()),
            &with_edits,
        ),
        (b"trun", words(&[0x100, 2, 1000, 1000]), &with_run),
        (b"trun", words(&[0x800, 2, 0, 0]), &with_run),
        (b"trun", words(&[0x301, 2, 0, 1, 1, 1, 1]), &with_run),
        (
            b"trun",
            words(&[&[0xF05, 2, 0, 0], &[0; 8][..]].concat()),
            &with_run,
        ),
        (b"sidx", index(false), &behind),
        (b"sidx", index(true), &behind),
        (b"sidx", words(&[0, 1, 1000, 0, 0, 1, 0, 5000, 0]), &behind),
    ];
    for (kind, table, place) in cases {
        assert_eq!(remarks(&place(&boxed(*kind, &table))), "", "{table:?}");
        let file = place(&boxed(*kind, &table[..table.len() - 1]));
        let (kinds, detail) = doubtful(&file, &Reported::default());
        let at = file
            .windows(4)
            .rposition(|bytes| bytes == kind)
            .unwrap_or_default()
            - 4;
        let kind = kind.escape_ascii();
        assert!(kinds.contains(&ConcernKind::Structure), "{detail}");
        let expected = format!("box '{kind}' at byte {at} is too short for its table");
        assert!(detail.contains(&expected), "{detail}");
    }
}

#[test]
fn each_chunk_has_as_many_samples_as_its_run_says_and_the_last_one_the_rest() {
    // Eight samples in five chunks; the last one has room for another.
    let runs = boxed(*b"stsc", &words(&[0, 3, 1, 1, 1, 3, 3, 1, 4, 2, 1]));
    let chunks = [0..1, 1..2, 2..5, 5..7, 7..8];
    let own = [1, 2, 4, 8, 16, 32, 64, 128];
    let long = own.map(|size| size + 0x100);
    let narrow = [1, 2, 3, 4, 5, 6, 7, 8];
    let listed = |table: [u32; 3], bytes: &[u8]| [&words(&table), bytes].concat();
    let pairs = long.map(|size| [1, u8::try_from(size - 0x100).unwrap()]);
    for (what, sizes, table) in [
        (
            "32 bits",
            own,
            boxed(*b"stsz", &words(&[&[0, 0, 8], &own[..]].concat())),
        ),
        ("one for all", [9; 8], boxed(*b"stsz", &words(&[0, 9, 8]))),
        (
            "16 bits",
            long,
            boxed(*b"stz2", &listed([0, 16, 8], pairs.as_flattened())),
        ),
        (
            "8 bits",
            narrow,
            boxed(*b"stz2", &listed([0, 8, 8], &[1, 2, 3, 4, 5, 6, 7, 8])),
        ),
        (
            "4 bits",
            narrow,
            boxed(*b"stz2", &listed([0, 4, 8], &[0x12, 0x34, 0x56, 0x78])),
        ),
    ] {
        for wide in [false, true] {
            let file = |number: usize, place: u32| {
                let mut places = [MEDIA_AT; 5];
                places[number] = place;
                let places = if wide {
                    let places = places.map(|place| [0, place]);
                    boxed(*b"co64", &words(&[&[0, 5], places.as_flattened()].concat()))
                } else {
                    boxed(*b"stco", &words(&[&[0, 5], &places[..]].concat()))
                };
                with_tables(&[&runs, &table, &places[..]].concat())
            };
            for (number, samples) in chunks.clone().into_iter().enumerate() {
                let bytes: u32 = sizes[samples].iter().sum();
                let len = file(0, 0).len();
                let last = u32::try_from(len).unwrap() - bytes;
                assert_eq!(remarks(&file(number, last)), "", "{what}, chunk {number}");
                assert_eq!(
                    doubtful(&file(number, last + 1), &Reported::default()),
                    (
                        vec![ConcernKind::Truncated],
                        format!(
                            "a sample ends at byte {}, but the file at byte {len}",
                            len + 1
                        )
                    ),
                    "{what}, chunk {number}"
                );
            }
        }
    }
}

#[test]
fn a_place_beyond_four_gigabytes_is_not_taken_for_a_near_one() {
    let sizes = boxed(*b"stsz", &words(&[0, 10, 1]));
    let file = |high: u32| {
        let places = boxed(*b"co64", &words(&[0, 1, high, 32]));
        with_tables(&[sizes.clone(), places].concat())
    };
    assert_eq!(remarks(&file(0)), "");
    let (_, detail) = doubtful(&file(1), &Reported::default());
    assert!(
        detail.starts_with("a sample ends at byte 4294967338,"),
        "{detail}"
    );
}

#[test]
fn the_samples_of_a_track_last_as_long_as_all_runs_of_its_times() {
    let times = boxed(*b"stts", &words(&[0, 3, 2, 1000, 3, 500, 1, 250]));
    let stbl = [tables(&SIZES, &places(MEDIA_AT)), times].concat();
    let index = [mvhd(1000, 0), trak(&stbl)].concat();
    let file = [ftyp(), mdat(), boxed(*b"moov", &index)].concat();
    assert_eq!(seconds(&file), Some(3.75));
}
