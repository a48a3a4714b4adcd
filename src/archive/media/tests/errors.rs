//! Error documents, and what must not be taken for one.

use super::build::*;
use super::*;

#[test]
fn error_documents_are_found_in_every_form_and_encoding() {
    for (text, what) in [
        ("<!DOCTYPE html><html></html>", "an HTML page"),
        ("\u{feff} \r\n<HTML><body>", "an HTML page"),
        ("<!-- proxy -->\n<html>", "an HTML page"),
        ("<center><h1>502 Bad Gateway</h1></center>", "an HTML page"),
        ("<h1>Wartung</h1>", "an HTML page"),
        (
            "<?xml version=\"1.0\"?><!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML\">",
            "an HTML page",
        ),
        (
            "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>",
            "an XML document",
        ),
        (
            "<Error><Code>AccessDenied</Code></Error>",
            "an XML document",
        ),
        (
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "an XML document",
        ),
        ("{\"error\":\"Unauthorized\"}", "a JSON document"),
        ("{}", "a JSON document"),
        ("[ {\"type\": 1} ]", "a JSON document"),
        (" null\n", "a JSON document"),
        ("Service Unavailable", "an error message"),
        ("503 Service Unavailable\n", "an error message"),
        ("\"Unauthorized\"", "an error message"),
        (
            "upstream connect error or disconnect/reset before headers",
            "an error message",
        ),
        ("error code: 1015", "an error message"),
        ("Error 404: no such file", "an error message"),
    ] {
        assert_eq!(error_page(text.as_bytes()), Some(what), "{text}");
        assert_eq!(examined(text.as_bytes()).error_page(), Some(what), "{text}");
        let wide = |to: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let mark = std::iter::once(0xFEFF);
            mark.chain(text.encode_utf16()).flat_map(to).collect()
        };
        for bytes in [wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
            assert_eq!(error_page(&bytes), Some(what), "{text} in UTF-16");
        }
        if text.is_ascii() {
            assert_eq!(
                error_page(&wide(u16::to_le_bytes)[2..]),
                Some(what),
                "{text} unmarked"
            );
        }
    }
    assert_eq!(error_page(b"<p>\xDCberlastet</p>"), Some("an HTML page"));
}

#[test]
fn nothing_that_may_have_been_recorded_is_an_error_document() {
    for text in [
        "",
        "WEBVTT\n\n00:00.000 --> 00:01.000\nnot found",
        "1\n00:00:01,000 --> 00:00:02,000\nAccess denied!",
        "#EXTM3U\n#EXTINF:5,not found\n",
        "[Script Info]\nTitle: error",
        "[00:12.00]service unavailable",
        "{0}{25}not found",
        "<?xml version=\"1.0\"?>\n<!-- made -->\n<tt xmlns=\"http://www.w3.org/ns/ttml\">",
        "<tt xml:lang=\"en\">",
        "<SAMI>\n<HEAD>",
        "<?xml version=\"1.0\"?><MPD>",
        "< 3 things",
        "<",
        "what was said in the lesson",
    ] {
        assert_eq!(error_page(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn media_that_begins_like_markup_is_none() {
    // As sizes of boxes, these are a gigabyte; control characters show that it is no text.
    for opening in [b"<!xx", b"<htm", b"{\"a\"", b"[[[["] {
        let mut file = mdat();
        file[..4].copy_from_slice(opening);
        assert_eq!(error_page(&file), None);
        assert_eq!(examined(&file).error_page(), None);
    }
    for file in [
        index_last(),
        webm(),
        ogg(),
        mp3(),
        ts(),
        flv(),
        wav(),
        avi(),
        flac(),
    ] {
        for len in [16, 64, 400] {
            assert_eq!(error_page(&file[..len.min(file.len())]), None);
        }
    }
}
