//! MP4 in fragments: how long they last together, and where they are cut.

use super::build::*;
use super::*;

/// A fragment whose track box holds these boxes.
fn with_runs(boxes: &[Vec<u8>]) -> Vec<u8> {
    let moof = boxed(*b"moof", &boxed(*b"traf", &boxes.concat()));
    [moof, boxed(*b"mdat", &[7; 50])].concat()
}

fn tfhd(flags: u32, more: &[u32]) -> Vec<u8> {
    boxed(*b"tfhd", &words(&[&[flags, 1], more].concat()))
}

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
    let entry = [size, 5000, 0];
    let sidx = [&[0, 1, 1000, 0, 0, 4][..], &entry.repeat(4)].concat();
    let front = [head(), boxed(*b"sidx", &words(&sidx))].concat();
    let file = (0..4).fold(front, |file, number| {
        [file, fragment(number * 5000)].concat()
    });
    assert_eq!(plausible(&file, &lasting(20.0)), []);
    let (kinds, detail) = doubtful(&file[..file.len() - fragment(0).len()], &lasting(15.0));
    assert_eq!(kinds, [ConcernKind::Truncated]);
    assert!(detail.starts_with("the fragments end at byte"), "{detail}");
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
fn paused_time_may_count_or_not() {
    let file = [head(), fragment(0), fragment(605_000)].concat();
    for reported in [10.0, 610.0] {
        assert_eq!(plausible(&file, &lasting(reported)), []);
    }
    assert_eq!(plausible(&file, &lasting(300.0)), [ConcernKind::Duration]);
    // A recording whose times do not begin at zero.
    let late = [head(), fragment(3_600_000), fragment(3_605_000)].concat();
    assert_eq!(seconds(&late), Some(10.0));
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
fn samples_in_the_movie_box_count_as_well() {
    let mvex = boxed(*b"mvex", &boxed(*b"trex", &words(&[0, 1, 1, 1000, 10, 0])));
    let index = moov(&tables(&SIZES, &places(MEDIA_AT)), &mvex);
    let start = [ftyp(), mdat(), index].concat();
    assert_eq!(seconds(&start), Some(20.0));
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
