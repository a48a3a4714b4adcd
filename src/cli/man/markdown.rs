//! A page of our Markdown documentation as a manual page.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::page;

/// `room-archiver.toml(5)` of the page about the configuration.
pub(super) fn page(source: &str) -> String {
    let mut roff = Roff::new();
    page::title(&mut roff, "room-archiver.toml", "5");
    roff.control("SH", ["NAME"]);
    roff.text([roman("room-archiver.toml - configuration of room-archiver")]);
    let mut writer = Writer {
        roff,
        ..Writer::default()
    };
    for event in Parser::new_ext(source, Options::ENABLE_TABLES) {
        writer.event(event);
    }
    let mut roff = writer.roff;
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("room-archiver"), roman("(1)")]);
    roff.render()
}

#[derive(Default)]
struct Writer {
    roff: Roff,
    /// The text of the paragraph, heading, item or cell so far.
    line: Vec<Inline>,
    font: Font,
    /// Where the link leads that the text is in.
    link: String,
    /// The next number of each list that is open; none for bullets.
    lists: Vec<Option<u64>>,
    header: Vec<String>,
    row: Vec<Vec<Inline>>,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Font {
    #[default]
    Roman,
    Bold,
    Italic,
}

impl Writer {
    fn event(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.line.push(match self.font {
                Font::Roman => roman(text),
                Font::Bold => bold(text),
                Font::Italic => italic(text),
            }),
            Event::Code(code) => self.line.push(bold(code)),
            Event::SoftBreak | Event::HardBreak => self.line.push(roman(" ")),
            // Our documentation has nothing else; a test would find what is lost.
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag) {
        match tag {
            Tag::Strong => self.font = Font::Bold,
            Tag::Emphasis => self.font = Font::Italic,
            Tag::Link { dest_url, .. } => self.link = dest_url.into_string(),
            Tag::Paragraph | Tag::CodeBlock(_) if self.lists.is_empty() => {
                self.roff.control("PP", []);
            }
            Tag::List(first) => self.lists.push(first),
            Tag::Item => {
                self.flush();
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        self.roff
                            .control("IP", [format!("{number}.").as_str(), "4"]);
                        *number += 1;
                    }
                    _ => {
                        self.roff.control("IP", ["\\(bu", "2"]);
                    }
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong | TagEnd::Emphasis => self.font = Font::Roman,
            // Links to other pages and headings lead nowhere in a manual: their text says what they are about.
            TagEnd::Link if self.link.contains("://") => {
                self.line.push(roman(format!(" ({})", self.link)));
            }
            TagEnd::Heading(level) => self.heading(level),
            TagEnd::Paragraph | TagEnd::Item => self.flush(),
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::CodeBlock => {
                let code = plain(&std::mem::take(&mut self.line));
                page::listing(&mut self.roff, code.lines());
            }
            TagEnd::TableCell => self.row.push(std::mem::take(&mut self.line)),
            TagEnd::TableHead => {
                self.header = self.row.drain(..).map(|cell| plain(&cell)).collect();
            }
            TagEnd::TableRow => self.table_row(),
            _ => {}
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            self.roff.text(std::mem::take(&mut self.line));
        }
    }

    fn heading(&mut self, level: HeadingLevel) {
        let text = plain(&std::mem::take(&mut self.line));
        match level {
            HeadingLevel::H1 => self.roff.control("SH", ["DESCRIPTION"]),
            HeadingLevel::H2 => self.roff.control("SH", [text.to_uppercase().as_str()]),
            _ => self.roff.control("SS", [text.as_str()]),
        };
    }

    /// The first cell as the term, with the cells between in brackets as `--help` has defaults; the last one explains it.
    fn table_row(&mut self) {
        let mut cells = std::mem::take(&mut self.row).into_iter();
        let Some(mut term) = cells.next() else { return };
        let explanation = cells.next_back().unwrap_or_default();
        for (name, cell) in self.header.iter().skip(1).zip(cells) {
            if !cell.is_empty() {
                term.push(roman(format!(" [{name}: {}]", plain(&cell))));
            }
        }
        self.roff.control("TP", []);
        self.roff.text(term);
        self.roff.text(explanation);
    }
}

fn plain(line: &[Inline]) -> String {
    let texts = line.iter().map(|inline| match inline {
        Inline::Roman(text) | Inline::Bold(text) | Inline::Italic(text) => text.as_str(),
        Inline::LineBreak => "\n",
    });
    texts.collect()
}
