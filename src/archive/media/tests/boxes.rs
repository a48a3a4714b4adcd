//! MP4: which bytes are the header of a box.

use super::build::*;
use super::*;

/// The file of [`index_last`] with these bytes at the end of its movie box, and where they begin.
fn inside(bytes: &[u8]) -> (Vec<u8>, usize) {
    let movie = moov(&tables(&SIZES, &places(MEDIA_AT)), bytes);
    let file = [ftyp(), mdat(), movie].concat();
    let at = file.len() - bytes.len();
    (file, at)
}

#[test]
fn a_type_that_is_not_printable_counts_only_in_a_box_that_fits() {
    let with_size = |size: u32| [&size.to_be_bytes()[..], &[1, 2, 3, 4], b"abcd"].concat();
    let none = "12 bytes that are no box follow the last box";
    for (size, expected) in [(12, ""), (13, none), (0, none)] {
        assert_eq!(
            remarks(&[index_last(), with_size(size)].concat()),
            expected,
            "{size}"
        );
    }
    let (file, at) = inside(&with_size(13));
    assert_eq!(remarks(&file), format!("the bytes at {at} are no box"));
}

#[test]
fn a_type_that_begins_with_a_copyright_sign_counts_as_printable() {
    let (file, at) = inside(b"\0\0\0\x0D\xA9namabcd");
    let (kinds, detail) = doubtful(&file, &Reported::default());
    assert_eq!(kinds, [ConcernKind::Truncated]);
    assert_eq!(
        detail,
        format!("box '\\xa9nam' at byte {at} runs past the end")
    );
}

#[test]
fn a_size_smaller_than_the_header_is_no_box() {
    for bytes in [
        &b"\0\0\0\x04free"[..],
        b"\0\0\0\x07free",
        b"\0\0\0\x01free\0\0\0\0\0\0\0\x0F",
    ] {
        let left = bytes.len();
        assert_eq!(
            remarks(&[&index_last()[..], bytes].concat()),
            format!("{left} bytes that are no box follow the last box")
        );
    }
    for bytes in [&b"\0\0\0\x08free"[..], b"\0\0\0\x01free\0\0\0\0\0\0\0\x10"] {
        assert_eq!(remarks(&[&index_last()[..], bytes].concat()), "");
    }
}

#[test]
fn padding_in_a_box_is_compared_with_zero_up_to_the_end_of_the_box() {
    for len in 1..8 {
        let (file, at) = inside(&vec![0; len]);
        // The size of the next box is not all zero.
        let more = boxed(*b"free", &vec![0; 1 << 16]);
        assert_eq!(remarks(&[file, more].concat()), "", "{len}");
        let mut padding = vec![0; len];
        padding[len.min(4) - 1] = 1;
        let (file, _) = inside(&padding);
        assert_eq!(remarks(&file), format!("the bytes at {at} are no box"));
    }
}

#[test]
fn a_file_is_mp4_if_a_box_of_its_own_is_not_far_from_the_start() {
    let unknown = |number| boxed(*b"abcd", b"x").repeat(number);
    let kind = |start: &[u8]| examined(&[start, &[0xEE; 20]].concat()).kind();
    for own in [b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"sidx"] {
        let own = boxed(*own, &[0; 8]);
        for number in [0, 1, 16] {
            let start = [unknown(number), own.clone()].concat();
            assert_eq!(kind(&start), MediaKind::Mp4, "{number}");
        }
        assert_eq!(
            kind(&[unknown(17), own].concat()),
            MediaKind::Unknown,
            "too far"
        );
    }
    // Other formats have boxes of these types as well: they count in front of all.
    for known in [b"free", b"uuid", b"meta"] {
        let known = boxed(*known, &[0; 8]);
        assert_eq!(kind(&known), MediaKind::Mp4);
        assert_eq!(kind(&[unknown(1), known].concat()), MediaKind::Unknown);
    }
}
