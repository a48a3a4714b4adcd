//! Small media files, made byte by byte.

/// A box of an MP4 file.
pub(super) fn boxed(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes(), kind.as_slice(), content].concat()
}

pub(super) fn boxed64(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u64 + 16).to_be_bytes();
    [&1u32.to_be_bytes(), kind.as_slice(), &size, content].concat()
}

/// A box of open end.
pub(super) fn open(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    [&[0; 4], kind.as_slice(), content].concat()
}

pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn count(of: &[u32]) -> u32 {
    u32::try_from(of.len()).unwrap()
}

pub(super) fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", b"isom\0\0\x02\0isomiso2")
}

pub(super) fn mvhd(timescale: u32, duration: u32) -> Vec<u8> {
    let words = words(&[0, 1, 2, timescale, duration, 0x10000, 0, 0]);
    boxed(*b"mvhd", &words)
}

/// The index of samples that each are a chunk of their own and last a second of 1000 units.
pub(super) fn tables(sizes: &[u32], chunks: &[u32]) -> Vec<u8> {
    let samples = count(sizes);
    [
        boxed(*b"stts", &words(&[0, 1, samples, 1000])),
        boxed(*b"stsc", &words(&[0, 1, 1, 1, 1])),
        boxed(*b"stsz", &words(&[&[0, 0, samples], sizes].concat())),
        boxed(*b"stco", &words(&[&[0, count(chunks)], chunks].concat())),
    ]
    .concat()
}

/// A track of this number, with what lies in its `stbl`; in units of 1/1000 second.
pub(super) fn track(id: u32, stbl: &[u8]) -> Vec<u8> {
    let tkhd = boxed(*b"tkhd", &words(&[7, 0, 0, id, 0, 0, 0, 0]));
    let mdhd = boxed(*b"mdhd", &words(&[0, 0, 0, 1000, 0, 0]));
    let minf = boxed(*b"minf", &boxed(*b"stbl", stbl));
    let mdia = boxed(*b"mdia", &[mdhd, minf].concat());
    boxed(*b"trak", &[tkhd, mdia].concat())
}

/// A track, with what comes first in it and what lies in its `stbl`.
pub(super) fn trak_with(first: &[u8], dref_flags: u32, stbl: &[u8]) -> Vec<u8> {
    let tkhd = boxed(*b"tkhd", &words(&[7, 0, 0, 1, 0, 0, 0, 0]));
    let mdhd = boxed(*b"mdhd", &words(&[0, 0, 0, 1000, 0, 0]));
    let dref = [words(&[0, 1]), boxed(*b"url ", &words(&[dref_flags]))].concat();
    let dinf = boxed(*b"dinf", &boxed(*b"dref", &dref));
    let minf = boxed(*b"minf", &[dinf, boxed(*b"stbl", stbl)].concat());
    let mdia = boxed(*b"mdia", &[mdhd, minf].concat());
    boxed(*b"trak", &[first, &tkhd, &mdia].concat())
}

pub(super) fn trak(stbl: &[u8]) -> Vec<u8> {
    trak_with(&[], 1, stbl)
}

/// Twenty samples of ten bytes.
pub(super) const SIZES: [u32; 20] = [10; 20];

/// Where they lie, if media begins at `at`.
pub(super) fn places(at: u32) -> Vec<u32> {
    (0..20).map(|number| at + number * 10).collect()
}

/// A movie of 20 seconds, with other boxes at its end.
pub(super) fn moov(stbl: &[u8], extra: &[u8]) -> Vec<u8> {
    boxed(
        *b"moov",
        &[&mvhd(1000, 20_000), &trak(stbl), extra].concat(),
    )
}

pub(super) fn mdat() -> Vec<u8> {
    boxed(*b"mdat", &[7; 200])
}

/// Where the media of [`index_last`] begins, and what comes before its index.
pub(super) const MEDIA_AT: u32 = 32;

/// A file of 20 seconds whose movie box comes last, as recorders write it.
pub(super) fn index_last() -> Vec<u8> {
    [
        ftyp(),
        mdat(),
        moov(&tables(&SIZES, &places(MEDIA_AT)), &[]),
    ]
    .concat()
}

/// The same with the index first.
pub(super) fn index_first() -> Vec<u8> {
    let len = moov(&tables(&SIZES, &places(0)), &[]).len();
    let media = u32::try_from(ftyp().len() + len + 8).unwrap();
    [ftyp(), moov(&tables(&SIZES, &places(media)), &[]), mdat()].concat()
}

/// The head of a file in fragments.
pub(super) fn head() -> Vec<u8> {
    let empty = tables(&[], &[]);
    let trex = boxed(*b"trex", &words(&[0, 1, 1, 1000, 10, 0]));
    let mvex = boxed(*b"mvex", &trex);
    let moov = [mvhd(1000, 0), trak(&empty), mvex].concat();
    [ftyp(), boxed(*b"moov", &moov)].concat()
}

/// A fragment of five samples of a second and ten bytes each, by its header's defaults, that begins at `start`.
pub(super) fn fragment(start: u32) -> Vec<u8> {
    let tfhd = boxed(*b"tfhd", &words(&[0x2_0000, 1]));
    let tfdt = boxed(*b"tfdt", &words(&[0, start]));
    // The media begins behind the box's own 80 bytes and the next one's header.
    let trun = boxed(*b"trun", &words(&[1, 5, 88]));
    let traf = boxed(*b"traf", &[tfhd, tfdt, trun].concat());
    let mfhd = boxed(*b"mfhd", &words(&[0, 1]));
    let moof = boxed(*b"moof", &[mfhd, traf].concat());
    [moof, boxed(*b"mdat", &[7; 50])].concat()
}

/// A fragment with these boxes in its track box, and 50 bytes of media.
pub(super) fn with_runs(boxes: &[Vec<u8>]) -> Vec<u8> {
    with_tracks(&[boxes.concat()])
}

/// The same with several track boxes.
pub(super) fn with_tracks(tracks: &[Vec<u8>]) -> Vec<u8> {
    let tracks: Vec<_> = tracks.iter().map(|track| boxed(*b"traf", track)).collect();
    let moof = boxed(*b"moof", &tracks.concat());
    [moof, boxed(*b"mdat", &[7; 50])].concat()
}

/// The header of a fragment's track box.
pub(super) fn tfhd(flags: u32, more: &[u32]) -> Vec<u8> {
    boxed(*b"tfhd", &words(&[&[flags, 1], more].concat()))
}

/// An index of fragments: where the first one begins behind it, and the sizes of all.
pub(super) fn sidx(wide: bool, first: u32, sizes: &[u32]) -> Vec<u8> {
    let (flags, first) = if wide {
        (0x0100_0000, vec![0, 0, 0, first])
    } else {
        (0, vec![0, first])
    };
    let entries = sizes.iter().flat_map(|&size| [size, 5000, 0]);
    let head = [&[flags, 1, 1000], &first[..], &[count(sizes)]].concat();
    boxed(
        *b"sidx",
        &words(&head.into_iter().chain(entries).collect::<Vec<_>>()),
    )
}

/// Four fragments, 20 seconds.
pub(super) fn fragmented() -> Vec<u8> {
    let mut file = head();
    for number in 0..4 {
        file.extend(fragment(number * 5000));
    }
    file
}

/// An element of a Matroska file.
pub(super) fn element(id: u32, content: &[u8]) -> Vec<u8> {
    let id: Vec<u8> = id
        .to_be_bytes()
        .into_iter()
        .skip_while(|&byte| byte == 0)
        .collect();
    let size = (content.len() as u64 | 1 << 56).to_be_bytes();
    [&id, &size[..], content].concat()
}

/// One of unknown size.
pub(super) fn live(id: u32, content: &[u8]) -> Vec<u8> {
    [
        &id.to_be_bytes()[..],
        &[0x01, 255, 255, 255, 255, 255, 255, 255],
        content,
    ]
    .concat()
}

/// A cluster's content: five blocks, one a second.
pub(super) fn blocks(start: u32) -> Vec<u8> {
    let mut content = element(0xE7, &start.to_be_bytes());
    for second in 0..5u16 {
        let [a, b] = (second * 1000).to_be_bytes();
        content.extend(element(0xA3, &[0x81, a, b, 0x80, 7, 7, 7]));
    }
    content
}

pub(super) fn ebml(doc_type: &[u8]) -> Vec<u8> {
    element(0x1A45_DFA3, &element(0x4282, doc_type))
}

pub(super) fn info(duration: f64) -> Vec<u8> {
    let scale = element(0x2A_D7B1, &1_000_000u32.to_be_bytes());
    let duration = element(0x4489, &duration.to_be_bytes());
    element(0x1549_A966, &[scale, duration].concat())
}

/// Four clusters, about 20 seconds, all of known size.
pub(super) fn webm() -> Vec<u8> {
    let mut content = info(20_000.0);
    for number in 0..4 {
        content.extend(element(0x1F43_B675, &blocks(number * 5000)));
    }
    [ebml(b"webm"), element(0x1853_8067, &content)].concat()
}

/// The same as browsers record it: nothing has a size, and there is no duration.
pub(super) fn webm_live() -> Vec<u8> {
    let mut content = element(0x1549_A966, &element(0x2A_D7B1, &[0x0F, 0x42, 0x40]));
    for number in 0..4 {
        content.extend(live(0x1F43_B675, &blocks(number * 5000)));
    }
    [ebml(b"webm"), live(0x1853_8067, &content)].concat()
}

/// An Ogg page with one packet.
pub(super) fn page(flags: u8, position: u64, packet: &[u8]) -> Vec<u8> {
    let mut page = [b"OggS\0".as_slice(), &[flags], &position.to_le_bytes()].concat();
    page.extend([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    page.push(u8::try_from(packet.len()).unwrap());
    page.extend(packet);
    page
}

/// Twenty seconds of Opus, a second a page.
pub(super) fn ogg() -> Vec<u8> {
    let mut file = page(2, 0, b"OpusHead\x01\x01\x38\x01\x80\xBB\0\0\0\0\0");
    file.extend(page(0, 0, b"OpusTags"));
    for second in 1..=20 {
        let flags = if second == 20 { 4 } else { 0 };
        file.extend(page(flags, 312 + second * 48_000, &[7; 60]));
    }
    file
}

/// A second and a bit of MP3: 128 kbit/s, 44.1 kHz.
pub(super) fn mp3() -> Vec<u8> {
    let frame = [&[0xFF, 0xFB, 0x90, 0x00][..], &[7; 413]].concat();
    frame.repeat(40)
}

/// AAC in ADTS frames of 107 bytes.
pub(super) fn adts() -> Vec<u8> {
    let frame = [&[0xFF, 0xF1, 0x50, 0x80, 0x0D, 0x7F, 0xFC][..], &[7; 100]].concat();
    frame.repeat(40)
}

/// A transport stream with a clock each second.
pub(super) fn ts() -> Vec<u8> {
    let mut file = Vec::new();
    for second in 0..=20u64 {
        let clock = ((second * 90_000) << 15 | 0x7E00).to_be_bytes();
        file.extend([0x47, 0x01, 0x00, 0x20, 183, 0x10]);
        file.extend(&clock[2..]);
        file.extend([0xFF; 176]);
        file.extend([0x47, 0x01, 0x00, 0x10]);
        file.extend([7; 184]);
    }
    file
}

/// Flash video: a tag of sound each second.
pub(super) fn flv() -> Vec<u8> {
    let mut file = b"FLV\x01\x04\0\0\0\x09\0\0\0\0".to_vec();
    for second in 0..=20u32 {
        let [a, b, c, d] = (second * 1000).to_be_bytes();
        file.extend([8, 0, 0, 40, b, c, d, a, 0, 0, 0]);
        file.extend([7; 40]);
        file.extend(51u32.to_be_bytes());
    }
    file
}

fn riff(name: &[u8], kind: &[u8], chunks: &[u8]) -> Vec<u8> {
    let size = u32::try_from(chunks.len() + 4).unwrap();
    [name, &size.to_le_bytes(), kind, chunks].concat()
}

fn chunk(name: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    [name, &size.to_le_bytes(), content].concat()
}

/// Twenty seconds of sound, 100 bytes a second.
pub(super) fn wav() -> Vec<u8> {
    let fmt = chunk(b"fmt ", b"\x01\0\x01\0\x64\0\0\0\x64\0\0\0\x01\0\x08\0");
    riff(
        b"RIFF",
        b"WAVE",
        &[fmt, chunk(b"data", &[7; 2000])].concat(),
    )
}

/// Twenty seconds of video, ten frames a second.
pub(super) fn avi() -> Vec<u8> {
    let mut header = [0; 56];
    header[20] = 1;
    header[24] = 10;
    header[32] = 200;
    let strl = [b"strl".as_slice(), &chunk(b"strh", &header)].concat();
    let hdrl = [b"hdrl".as_slice(), &chunk(b"LIST", &strl)].concat();
    let movi = [b"movi".as_slice(), &[7; 500]].concat();
    riff(
        b"RIFF",
        b"AVI ",
        &[chunk(b"LIST", &hdrl), chunk(b"LIST", &movi)].concat(),
    )
}

/// FLAC: 20 seconds by its header.
pub(super) fn flac() -> Vec<u8> {
    let numbers = ((44_100u64 << 44) + 882_000).to_be_bytes();
    [b"fLaC\0\0\0\x22".as_slice(), &[0; 10], &numbers, &[7; 300]].concat()
}
