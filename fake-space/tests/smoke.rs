//! The least that must hold.

use fake_space::{Options, Space};

#[tokio::test]
async fn starts_and_shows_a_link() {
    let space = Space::start(Options::default()).await.unwrap();
    let (_, recording) = space.archivable("room");
    assert!(
        space
            .link(recording)
            .unwrap()
            .starts_with(&space.media_url())
    );
}
