//! MP4 in fragments: where the samples of a fragment's runs lie, and how long they last.

use super::build::*;
use super::*;

/// The fragment made for an offset, behind [`head`]: checks that its samples end `bytes` after the offset.
#[track_caller]
fn ends_after(bytes: u32, fragment: impl Fn(u32) -> Vec<u8>) {
    let (start, len) = (head().len(), head().len() + fragment(0).len());
    let last = u32::try_from(fragment(0).len()).unwrap() - bytes;
    let file = [head(), fragment(last)].concat();
    assert_eq!((file.len(), remarks(&file)), (len, String::new()));
    let file = [head(), fragment(last + 1)].concat();
    let end = start + fragment(0).len() + 1;
    assert_eq!(
        doubtful(&file, &Reported::default()),
        (
            vec![ConcernKind::Truncated],
            format!("a fragment's samples end at byte {end}, but the file at byte {len}")
        )
    );
}

#[test]
fn durations_come_from_the_run_its_header_or_the_movie() {
    let plain = || boxed(*b"trun", &words(&[0, 2]));
    let own = boxed(*b"trun", &words(&[0x301, 2, 60, 3000, 10, 4000, 10]));
    for (boxes, expected) in [
        (vec![tfhd(0x2_0000, &[]), plain()], 2.0),
        (vec![tfhd(0x2_0008, &[2500]), plain()], 5.0),
        (vec![tfhd(0x2_0000, &[]), own], 7.0),
        (vec![tfhd(0x2_0000, &[]), plain(), plain()], 4.0),
    ] {
        let file = [head(), with_runs(&boxes)].concat();
        assert_eq!(seconds(&file), Some(expected));
        assert!(!is_doubtful(&file));
    }
    // Without a movie box there is no time scale.
    assert_eq!(seconds(&with_runs(&[tfhd(0, &[]), plain()])), None);
}

#[test]
fn samples_of_a_fragment_outside_of_the_file_are_a_cut() {
    let run = |offset: u32| boxed(*b"trun", &words(&[1, 5, offset]));
    let file = |boxes: &[Vec<u8>]| [head(), with_runs(boxes)].concat();
    let flags = 0x2_0000;
    let len = file(&[tfhd(flags, &[]), run(0)]).len() - head().len();
    let last = u32::try_from(len - 50).unwrap();
    assert!(!is_doubtful(&file(&[tfhd(flags, &[]), run(last)])));
    assert!(is_doubtful(&file(&[tfhd(flags, &[]), run(last + 1)])));
    // Larger by the header's default; at an absolute place.
    assert!(is_doubtful(&file(&[tfhd(flags | 0x10, &[11]), run(last)])));
    assert!(is_doubtful(&file(&[tfhd(1, &[9, 9]), run(0)])));
    // Offsets may point back.
    assert!(!is_doubtful(&file(&[tfhd(flags, &[]), run(u32::MAX - 20)])));
}

#[test]
fn a_run_lists_what_is_not_as_in_its_headers_with_other_fields_between() {
    for fields in 0..16 {
        for first in [0, 4] {
            let flags = fields << 8 | first | 1;
            let entry = |lasts, size| {
                let values = [(1, lasts), (2, size), (4, 0x0101_0000), (8, 77_000)];
                let listed = values
                    .into_iter()
                    .filter(move |(field, _)| fields & field != 0);
                listed.map(|(_, value)| value)
            };
            let run = |offset| {
                let mut run = vec![flags, 2, offset];
                run.extend((first > 0).then_some(0x0200_0000));
                run.extend(entry(3000, 20));
                run.extend(entry(4000, 29));
                with_runs(&[tfhd(0x2_0000, &[]), boxed(*b"trun", &words(&run))])
            };
            ends_after(if fields & 2 == 0 { 20 } else { 49 }, run);
            let expected = if fields & 1 == 0 { 2.0 } else { 7.0 };
            assert_eq!(
                seconds(&[head(), run(0)].concat()),
                Some(expected),
                "{flags:x}"
            );
        }
    }
}

#[test]
fn a_fragments_header_may_have_every_field() {
    let base = u32::try_from(head().len()).unwrap();
    // The place, the description's number, the duration, the size and the flags of samples.
    let fragment = |offset| {
        let tfhd = tfhd(0x3B, &[0, base + offset, 1, 2500, 9, 0x0101_0000]);
        with_runs(&[tfhd, boxed(*b"trun", &words(&[0, 3]))])
    };
    ends_after(27, fragment);
    assert_eq!(seconds(&[head(), fragment(0)].concat()), Some(7.5));
}

#[test]
fn a_run_without_a_place_of_its_own_follows_the_one_before_it() {
    ends_after(70, |offset| {
        let placed = boxed(*b"trun", &words(&[1, 5, offset]));
        let next = boxed(*b"trun", &words(&[0, 2]));
        with_runs(&[tfhd(0x2_0000, &[]), placed, next])
    });
}

#[test]
fn a_tracks_samples_follow_those_of_the_track_before_unless_the_fragment_is_their_base() {
    let tracks = |flags: u32, first: u32, offset: u32| {
        let placed = boxed(*b"trun", &words(&[1, 5, first]));
        let next = boxed(*b"trun", &words(&[1, 2, offset]));
        with_tracks(&[
            [tfhd(0x2_0000, &[]), placed].concat(),
            [tfhd(flags, &[]), next].concat(),
        ])
    };
    ends_after(70 + 3, |offset| tracks(0, offset, 3));
    ends_after(20, |offset| tracks(0x2_0000, 40, offset));
}

#[test]
fn a_run_of_no_samples_or_of_empty_ones_may_be_anywhere() {
    for (count, size) in [(0, 10), (5, 0)] {
        let run = boxed(*b"trun", &words(&[1, count, 9_000_000]));
        let file = [head(), with_runs(&[tfhd(0x2_0010, &[size]), run])].concat();
        assert_eq!(remarks(&file), "");
    }
}
