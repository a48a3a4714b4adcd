//! The token comes from a credential, a file or a variable, in this order, and is never repeated.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn write(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn credential_beats_file_beats_variable() {
    let dir = tempfile::tempdir().unwrap();
    let credentials = dir.path().to_str().unwrap();
    let mut config = Config::default();
    let env = env(&[
        ("CREDENTIALS_DIRECTORY", credentials),
        ("ROOM_ARCHIVER_API_TOKEN", "PTvar"),
    ]);
    let found = config.token(&env).unwrap();
    assert_eq!(
        (found.token.expose(), found.source),
        ("PTvar", TokenSource::Variable)
    );

    let path = write(dir.path(), "token", "PTfile\n", 0o644);
    config.signalwire.api_token_file = Some(path.clone());
    let found = config.token(&env).unwrap();
    assert_eq!(
        (found.token.expose(), found.source),
        ("PTfile", TokenSource::File(path))
    );
    assert!(found.world_readable);

    write(dir.path(), "signalwire_api_token", "PTcred", 0o440);
    let found = config.token(&env).unwrap();
    assert_eq!(found.token.expose(), "PTcred");
    assert!(!found.world_readable);
    assert!(!format!("{found:?}").contains("PTcred"));
}

#[test]
fn nothing_and_nonsense_are_refused_without_repeating_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    assert!(matches!(config.token(&env(&[])), Err(TokenError::NotSet)));
    assert!(matches!(
        config.token(&env(&[("ROOM_ARCHIVER_API_TOKEN", "")])),
        Err(TokenError::NotSet)
    ));
    for bad in [
        "",
        " \n",
        "PTone\nPTtwo",
        "PT one",
        "PT\u{1b}one",
        &"x".repeat(5000),
    ] {
        config.signalwire.api_token_file = Some(write(dir.path(), "token", bad, 0o600));
        let error = config
            .token(&env(&[("ROOM_ARCHIVER_API_TOKEN", "PTvar")]))
            .unwrap_err();
        assert!(matches!(error, TokenError::Unusable { .. }), "{bad:?}");
        // The directory's name is random.
        let said = error
            .to_string()
            .replace(&*dir.path().to_string_lossy(), "");
        assert!(!said.contains("PT"), "{error}");
    }
    config.signalwire.api_token_file = Some(dir.path().join("missing"));
    assert!(matches!(
        config.token(&env(&[])),
        Err(TokenError::Unreadable { .. })
    ));
}
