//! The table of `tests/FAULTS.md` can't rot: it has each fault once and in order, and every test it names exists.

use std::path::Path;

const TABLE: &str = include_str!("../FAULTS.md");

/// The source of a module, of these tests or of the library.
fn source(module: &[&str]) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A module of unit tests may stand in its parent's file.
    let parent = module.strip_suffix(&["tests"]).unwrap_or(module);
    [module, parent]
        .iter()
        .flat_map(|path| ["tests/it", "src"].map(|base| root.join(base).join(path.join("/"))))
        .find_map(|path| std::fs::read_to_string(path.with_extension("rs")).ok())
}

/// Whether a source has this function, and the attributes before it make it a test that runs.
fn is_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else {
        return false;
    };
    let attributes: Vec<&str> = before
        .rsplit('\n')
        .skip(1)
        .map(str::trim)
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .collect();
    let has = |start: &str| attributes.iter().any(|line| line.starts_with(start));
    (has("#[test]") || has("#[tokio::test")) && !has("#[ignore")
}

#[test]
fn every_fault_is_in_the_table_once_with_tests_that_exist() {
    let mut numbers = Vec::new();
    for row in TABLE.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Ok(number) = cells[1].parse::<u32>() else {
            continue;
        };
        numbers.push(number);
        let tests: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "fault {number} has no test");
        for test in tests {
            let path: Vec<&str> = test.split("::").collect();
            let (name, module) = path.split_last().expect("a name");
            let source = source(module);
            assert!(
                source.is_some_and(|source| is_test(&source, name)),
                "fault {number}: there is no test {test}"
            );
        }
    }
    assert_eq!(numbers, (1..=105).collect::<Vec<_>>());
}
