//! The manual page of one command: clap's sections, and what stands below its options in `--help`.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// An empty argument of a macro must be quoted, or the next one takes its place.
const NONE: &str = "\"\"";
const SOURCE: &str = concat!("room-archiver ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "room-archiver manual";
/// What roff writes before each document that it renders. A page needs it once.
const PREAMBLE: &str = ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n";

pub(super) fn name(command: &clap::Command) -> &str {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
}

/// The commands below this one that the manual lists.
pub(super) fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

/// The first line of a page.
pub(super) fn title(roff: &mut Roff, name: &str, section: &str) {
    // Without a date, so that the same source makes the same page.
    roff.control("TH", [name, section, NONE, SOURCE, MANUAL]);
}

pub(super) fn command(command: &clap::Command) -> String {
    let help = command.get_after_long_help().or(command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let blocks: Vec<Block> = help.split("\n\n").map(block).collect();

    let mut first = Roff::new();
    title(&mut first, name(command), "1");
    let mut prose = Roff::new();
    for block in &blocks {
        if let Block::Prose(text) = block {
            prose.control("PP", []);
            prose.text([roman(*text)]);
        }
    }
    let mut last = Roff::new();
    for block in &blocks {
        match block {
            Block::Prose(_) => {}
            Block::Section(heading, text) => {
                last.control("SH", [heading.as_str()]);
                last.text([roman(*text)]);
            }
            Block::Listing(heading, lines) => {
                last.control("SH", [heading.as_str()]);
                listing(&mut last, lines.lines());
            }
        }
    }
    see_also(&mut last, command);

    let man = Man::new(command.clone());
    let mut page = first.render();
    let mut add = |render: &dyn Fn(&mut dyn std::io::Write) -> std::io::Result<()>| {
        let mut bytes = Vec::new();
        render(&mut bytes).expect("memory takes any write");
        page.push_str(String::from_utf8_lossy(&bytes).trim_start_matches(PREAMBLE));
    };
    add(&|to| man.render_name_section(to));
    add(&|to| man.render_synopsis_section(to));
    add(&|to| man.render_description_section(to));
    add(&|to| prose.to_writer(to));
    add(&|to| man.render_options_section(to));
    if visible(command).next().is_some() {
        add(&|to| man.render_subcommands_section(to));
    }
    add(&|to| last.to_writer(to));
    page
}

/// A paragraph of the text below the options.
enum Block<'a> {
    Prose(&'a str),
    /// Text that begins with its heading: `Exit codes: 0 valid, 2 not valid.`
    Section(String, &'a str),
    /// A heading, and lines that stay as they are.
    Listing(String, &'a str),
}

fn block(text: &str) -> Block<'_> {
    let heading = |words: &str| match words {
        "Exit codes" => "EXIT STATUS".to_owned(),
        "Example" => "EXAMPLES".to_owned(),
        words => words.to_uppercase(),
    };
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    match first.strip_suffix(':') {
        Some(words) if rest.starts_with(' ') => return Block::Listing(heading(words), rest),
        _ => {}
    }
    match text.split_once(": ") {
        Some((words @ "Exit codes", rest)) => Block::Section(heading(words), rest),
        _ => Block::Prose(text),
    }
}

/// Lines that are neither filled nor joined, without the indentation that they share.
pub(super) fn listing<'a>(roff: &mut Roff, lines: impl Iterator<Item = &'a str> + Clone) {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let filled = lines.clone().filter(|line| !line.trim().is_empty());
    let shared = filled.map(indentation).min().unwrap_or_default();
    roff.control("RS", ["4"]);
    roff.control("EX", []);
    for line in lines {
        roff.text([roman(line.get(shared..).unwrap_or_default())]);
    }
    roff.control("EE", []);
    roff.control("RE", []);
}

fn see_also(roff: &mut Roff, command: &clap::Command) {
    roff.control("SH", ["SEE ALSO"]);
    let mut pages: Vec<(String, &str)> = Vec::new();
    if name(command) != "room-archiver" {
        pages.push(("room-archiver".to_owned(), "(1), "));
    }
    pages.push(("room-archiver.toml".to_owned(), "(5)"));
    let line = pages
        .into_iter()
        .flat_map(|(name, after)| [bold(name), roman(after)]);
    roff.text(line.collect::<Vec<_>>());
}
