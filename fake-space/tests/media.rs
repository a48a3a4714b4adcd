//! Generated files are whole MP4s, read alike in whole and in part.

use fake_space::{Fixture, Generated, Media};

/// The boxes of a file whose `mdat` is skipped: name and length.
fn boxes(media: &Media) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < media.len() {
        let head: Vec<u8> = media.read(at..at + 16).flatten().collect();
        let mut len = u64::from(u32::from_be_bytes(head[..4].try_into().unwrap()));
        if len == 1 {
            len = u64::from_be_bytes(head[8..16].try_into().unwrap());
        }
        found.push((String::from_utf8_lossy(&head[4..8]).into_owned(), len));
        at += len;
    }
    assert_eq!(at, media.len(), "the boxes end where the file ends");
    found
}

fn names(media: &Media) -> Vec<String> {
    boxes(media).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn generated_files_are_as_long_as_asked_and_of_whole_boxes() {
    for size in [1024, 1 << 20, (1 << 32) - 1, 1 << 32, 5 << 40] {
        let media = Media::generated(Generated::of_size(size));
        assert_eq!(media.len(), size);
        assert_eq!(names(&media), ["ftyp", "free", "moov", "mdat"]);
    }
    assert_eq!(
        names(&Media::without_moov(Generated::of_size(4096))),
        ["ftyp", "free", "mdat"]
    );
}

#[test]
fn fixtures_are_whole_and_differ_in_where_their_moov_lies() {
    let place = |fixture| {
        let names = names(&Media::fixture(fixture));
        names.iter().position(|name| name == "moov") < names.iter().position(|name| name == "mdat")
    };
    assert!(place(Fixture::OneSecondFastStart));
    assert!(!place(Fixture::ThreeSeconds));
    assert!(!place(Fixture::AudioVideo));
}

#[test]
fn a_range_is_the_same_bytes_wherever_it_begins() {
    // Longer than the repeated block, so that its seam lies within.
    let media = Media::generated(Generated::of_size(2_500_000));
    let whole: Vec<u8> = media.read(0..media.len()).flatten().collect();
    assert_eq!(whole.len(), 2_500_000);
    for (from, to) in [
        (0, 10),
        (1_048_570, 1_048_700),
        (2_499_000, 2_500_000),
        (77, 2_400_001),
    ] {
        let part: Vec<u8> = media.read(from..to).flatten().collect();
        assert!(part == whole[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()]);
    }
}

#[test]
fn seeds_and_sizes_tell_files_apart() {
    let of = |size, seed| {
        Media::generated(Generated {
            seed,
            ..Generated::of_size(size)
        })
    };
    assert_eq!(of(9000, 1).sha256(), of(9000, 1).sha256());
    assert_eq!(of(9000, 1).etag(), of(9000, 1).etag());
    assert_ne!(of(9000, 1).sha256(), of(9000, 2).sha256());
    assert_ne!(of(9000, 1).etag(), of(9000, 2).etag());
    // As far apart as the repeated block is long: the noise is the same, the files are not.
    assert_ne!(of(9000, 1).sha256(), of(9000, 1_048_584).sha256());
}

#[test]
fn damage_is_what_it_says() {
    let whole = Media::fixture(Fixture::ThreeSeconds);
    let cut = whole.truncated(5000);
    assert_eq!(cut.len(), 5000);
    assert!(
        cut.read(0..5000)
            .flatten()
            .eq(whole.read(0..5000).flatten())
    );
    assert_ne!(cut.etag(), whole.etag());
    assert_eq!(Media::empty().len(), 0);
    assert_eq!(Media::empty().read(0..10).count(), 0);
}
