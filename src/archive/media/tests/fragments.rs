//! MP4 in fragments: how long they last together, and where they are cut.

use super::build::*;
use super::*;

#[test]
fn fragments_are_added_up_whatever_the_headers_announce() {
    let file = fragmented();
    assert_eq!(seconds(&file), Some(20.0));
    assert_eq!(plausible(&file, &lasting(20.0)), []);
    assert!(!examined(&file).proves_end());
    for (announced, concerns) in [
        (20_000, vec![]),
        (u32::MAX, vec![]),
        (60_000, vec![ConcernKind::Duration]),
    ] {
        let trex = boxed(*b"trex", &words(&[0, 1, 1, 1000, 10, 0]));
        let mehd = boxed(*b"mehd", &words(&[0, announced]));
        let mvex = boxed(*b"mvex", &[mehd, trex].concat());
        let moov = [mvhd(1000, announced), trak(&tables(&[], &[])), mvex].concat();
        let head = [ftyp(), boxed(*b"moov", &moov)].concat();
        let file = (0..4).fold(head, |file, number| {
            [file, fragment(number * 5000)].concat()
        });
        assert_eq!(seconds(&file), Some(20.0));
        for reported in [Reported::default(), lasting(20.0)] {
            assert_eq!(plausible(&file, &reported), concerns, "{announced}");
        }
    }
}

#[test]
fn a_cut_between_fragments_shows_in_the_duration_and_any_other_in_the_structure() {
    let file = fragmented();
    let (head, fragment) = (head().len(), fragment(0).len());
    for len in 0..file.len() {
        let cut = &file[..len];
        let fragments = len.saturating_sub(head) / fragment;
        if fragments > 0 && (len - head) % fragment == 0 {
            assert_eq!(
                seconds(cut),
                Some(f64::from(u32::try_from(fragments).unwrap()) * 5.0)
            );
            assert_eq!(
                plausible(cut, &lasting(20.0)),
                [ConcernKind::Duration],
                "cut at {len}"
            );
        } else {
            assert!(is_doubtful(cut), "cut at {len}");
        }
        assert!(!examined(cut).proves_end(), "cut at {len}");
    }
    let (kinds, detail) = doubtful(&file[..head], &Reported::default());
    assert_eq!(kinds, [ConcernKind::Truncated]);
    assert_eq!(detail, "the file announces fragments and has none");
}

#[test]
fn an_index_of_fragments_behind_them_proves_the_end() {
    let mfra = boxed(*b"mfra", &boxed(*b"mfro", &words(&[0, 24])));
    assert!(examined(&[fragmented(), mfra.clone()].concat()).proves_end());
    assert!(!examined(&[fragmented(), mfra.clone(), fragment(20_000)].concat()).proves_end());
    // A recording of nothing.
    assert!(!is_doubtful(&[head(), mfra].concat()));
}

#[test]
fn an_index_in_front_shows_fragments_that_are_lacking() {
    let size = u32::try_from(fragment(0).len()).unwrap();
    // The highest bit means that another index is there.
    for sizes in [&[size; 4][..], &[size, 2 * size, size | 1 << 31]] {
        for wide in [false, true] {
            // A hundred bytes of something else lie between.
            let between = boxed(*b"free", &[0; 92]);
            let front = [head(), sidx(wide, 100, sizes), between].concat();
            let file = (0..4).fold(front, |file, number| {
                [file, fragment(number * 5000)].concat()
            });
            assert_eq!(plausible(&file, &lasting(20.0)), []);
            let (all, left) = (file.len(), file.len() - fragment(0).len());
            assert_eq!(
                doubtful(&file[..left], &lasting(15.0)),
                (
                    vec![ConcernKind::Truncated],
                    format!("the fragments end at byte {all}, but the file at byte {left}")
                )
            );
        }
    }
}

#[test]
fn bytes_behind_fragments_that_are_no_box_are_a_cut() {
    let mvex = boxed(*b"mvex", &[]);
    let index = tables(&SIZES, &places(MEDIA_AT));
    for (what, file) in [
        ("fragments that are announced", fragmented()),
        (
            "fragments that are not announced",
            [index_last(), fragment(20_000)].concat(),
        ),
        (
            "fragments that may follow",
            [ftyp(), mdat(), moov(&index, &mvex)].concat(),
        ),
    ] {
        assert_eq!(plausible(&file, &Reported::default()), [], "{what}");
        let (kinds, detail) = doubtful(&[&file[..], b"moo"].concat(), &Reported::default());
        assert_eq!(kinds, [ConcernKind::Truncated], "{what}");
        assert_eq!(detail, "the file ends in 3 bytes that are no whole box");
    }
}

#[test]
fn fragments_count_though_no_header_announces_them() {
    let moov = [mvhd(1000, 0), trak(&tables(&[], &[]))].concat();
    let run = boxed(*b"trun", &words(&[0, 5]));
    let fragment = with_runs(&[tfhd(0x2_0018, &[1000, 10]), run]);
    let file = [ftyp(), boxed(*b"moov", &moov), fragment].concat();
    assert_eq!(seconds(&file), Some(5.0));
    assert_eq!(plausible(&file, &lasting(5.0)), []);
    assert!(!examined(&file).proves_end());
}

#[test]
fn at_most_a_thousand_tracks_are_remembered() {
    let lasts = |others: u32| {
        let others = (2..2 + others).map(|id| boxed(*b"trex", &words(&[0, id, 1, 0, 0, 0])));
        let mvex = boxed(*b"mvex", &others.collect::<Vec<_>>().concat());
        let moov = [mvhd(1000, 0), mvex, track(1, &tables(&[], &[]))].concat();
        let run = boxed(*b"trun", &words(&[0, 5]));
        let fragment = with_runs(&[tfhd(0x2_0018, &[1000, 10]), run]);
        seconds(&[ftyp(), boxed(*b"moov", &moov), fragment].concat())
    };
    assert_eq!(lasts(999), Some(5.0));
    assert_eq!(lasts(1000), None);
}

#[test]
fn paused_time_may_count_or_not() {
    let file = [head(), fragment(0), fragment(605_000)].concat();
    for reported in [10.0, 610.0] {
        assert_eq!(plausible(&file, &lasting(reported)), []);
    }
    assert_eq!(plausible(&file, &lasting(300.0)), [ConcernKind::Duration]);
    // Times of 64 bits.
    let timed = |start: u64| {
        let start = [words(&[0x0100_0000]), start.to_be_bytes().to_vec()].concat();
        let run = boxed(*b"trun", &words(&[0, 5]));
        with_runs(&[tfhd(0x2_0000, &[]), boxed(*b"tfdt", &start), run])
    };
    let begin = 1 << 40;
    let file = [head(), timed(begin), timed(begin + 605_000)].concat();
    assert_eq!(seconds(&file), Some(610.0));
    // A recording whose times do not begin at zero.
    let late = [head(), fragment(3_600_000), fragment(3_605_000)].concat();
    assert_eq!(seconds(&late), Some(10.0));
}

#[test]
fn samples_in_the_movie_box_count_as_well() {
    let mvex = boxed(*b"mvex", &boxed(*b"trex", &words(&[0, 1, 1, 1000, 10, 0])));
    let index = moov(&tables(&SIZES, &places(MEDIA_AT)), &mvex);
    let start = [ftyp(), mdat(), index].concat();
    assert_eq!(seconds(&start), Some(20.0));
    assert_eq!(plausible(&start, &lasting(20.0)), []);
    assert!(!examined(&start).proves_end());
    let more = [start, fragment(20_000)].concat();
    assert_eq!(seconds(&more), Some(25.0));
}

#[test]
fn a_recording_of_hours_in_one_fragment_a_frame_is_read_through_once() {
    let mut file = head();
    for number in 0..50_000 {
        file.extend(fragment(number * 5000));
    }
    let stored = stored(&file);
    let mut probe = Probe::new(&stored, file.len() as u64);
    examine_with(&mut probe).unwrap();
    assert_eq!(probe.findings.durations, [250_000.0, 250_000.0]);
    assert!(!probe.findings.doubtful());
    // Seven boxes a fragment; a few numbers are read in each.
    assert!(probe.reads < 50_000 * 7 * 5, "{}", probe.reads);
}
