//! Every answer of the fake is one the published contract allows.

mod common;

use common::{api, api_method, get};
use fake_space::{
    BulkSpec, Generated, Lifecycle, Media, NewRecording, NewSession, Options, Reported, Space,
};
use jsonschema::Validator;
use serde_json::{Value, json};

struct Contract(Value);

impl Contract {
    fn load() -> Self {
        let text = include_str!("../contract/openapi.video.json");
        Self(serde_json::from_str(text).expect("the contract is JSON"))
    }

    fn schema(&self, name: &str) -> Validator {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": self.0["components"],
        });
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("the schema is one")
    }

    fn check(&self, name: &str, value: &Value) {
        let schema = self.schema(name);
        let errors: Vec<String> = schema
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:#?} in {value:#}");
    }
}

const SESSIONS: &str = "/api/video/room_sessions";
const RECORDINGS: &str = "/api/video/room_recordings";

async fn check_everything(space: &Space, contract: &Contract) {
    let sessions = api(space, SESSIONS).await.json();
    contract.check("Video.ListRoomSessionsResponse", &sessions);
    for session in sessions["data"].as_array().unwrap() {
        let one = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
        contract.check("Video.RoomSessionSummary", &api(space, &one).await.json());
        let recordings = api(space, &format!("{one}/recordings")).await.json();
        contract.check("Video.ListRoomSessionRecordingsResponse", &recordings);
    }
    let recordings = api(space, RECORDINGS).await.json();
    contract.check("Video.ListRoomRecordingsResponse", &recordings);
    for recording in recordings["data"].as_array().unwrap() {
        let one = format!("{RECORDINGS}/{}", recording["id"].as_str().unwrap());
        contract.check("Video.RoomRecording", &api(space, &one).await.json());
    }
}

#[tokio::test]
async fn sessions_and_recordings_fit_at_every_stage_of_their_lives() {
    let space = Space::start(Options::default()).await.unwrap();
    let contract = Contract::load();
    let mut life = Lifecycle::new(&space, 1, 5000);
    check_everything(&space, &contract).await;
    for _ in 0..5 {
        life.step();
        check_everything(&space, &contract).await;
    }
    assert_eq!(life.completed().len(), 1);
}

#[tokio::test]
async fn nulls_computed_rows_and_pages_in_between_fit() {
    let space = Space::start(Options::default()).await.unwrap();
    let contract = Contract::load();
    let session = space.add_session(NewSession::completed("room"));
    for size in [Reported::Null, Reported::Wrapped, Reported::Value(0)] {
        let media = Media::generated(Generated::of_size(3 << 30));
        space.add_recording(session, NewRecording::completed(media).size(size));
    }
    let paused = NewRecording::default().status("paused");
    space.add_recording(session, paused);
    space.add_bulk(BulkSpec::new(20, 2, space.now()));
    check_everything(&space, &contract).await;
    let first = api(&space, &format!("{RECORDINGS}?page_size=10"))
        .await
        .json();
    let next = first["links"]["next"].as_str().unwrap();
    let second = api(&space, next).await.json();
    assert!(second["links"]["next"].is_string() && second["links"]["prev"].is_string());
    contract.check("Video.ListRoomRecordingsResponse", &second);
}

#[tokio::test]
async fn a_wrong_object_does_not_fit() {
    let contract = Contract::load();
    let space = Space::start(Options::default()).await.unwrap();
    let (_, recording) = space.archivable("room");
    let mut object = space.recording_json(recording).unwrap();
    object["surprise"] = json!(1);
    assert!(!contract.schema("Video.RoomRecording").is_valid(&object));
    let mut object = space.recording_json(recording).unwrap();
    object["id"] = json!("not a UUID");
    assert!(!contract.schema("Video.RoomRecording").is_valid(&object));
}

#[tokio::test]
async fn refusals_have_the_documented_bodies() {
    let space = Space::start(Options::default()).await.unwrap();
    let contract = Contract::load();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let reply = get(&format!("{}{SESSIONS}", space.api_url()), &[]).await;
    assert_eq!(reply.status, 401);
    contract.check("Types.StatusCodes.StatusCode401", &reply.json());
    for target in [
        format!("{SESSIONS}/{unknown}"),
        format!("{RECORDINGS}/{unknown}"),
    ] {
        let reply = api(&space, &target).await;
        assert_eq!(reply.status, 404);
        contract.check("Types.StatusCodes.StatusCode404", &reply.json());
    }
    let empty = api(&space, &format!("{SESSIONS}/{unknown}/recordings")).await;
    assert_eq!(
        (empty.status, empty.json()["data"].clone()),
        (200, json!([]))
    );
    for (query, code) in [
        ("page_number=1", "page_token_required"),
        (
            "page_number=1&page_token=",
            "page_token_required_for_next_page",
        ),
        ("page_number=1&page_token=PAwrong", "page_token_is_invalid"),
        ("page_size=0", "invalid_parameter"),
        ("page_size=1001", "invalid_parameter"),
    ] {
        let reply = api(&space, &format!("{SESSIONS}?{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
        assert_eq!(reply.json()["errors"][0]["code"], code);
        contract.check("Video.VideoStatusCode422", &reply.json());
    }
    space.refuse_credentials(Some(403));
    let reply = api(&space, SESSIONS).await;
    assert_eq!(reply.status, 403);
    contract.check("Types.StatusCodes.StatusCode403", &reply.json());
}

#[tokio::test]
async fn a_recording_is_deleted_once() {
    let space = Space::start(Options::default()).await.unwrap();
    let (_, recording) = space.archivable("room");
    let target = format!("{RECORDINGS}/{recording}");
    let reply = api_method(&space, "DELETE", &target).await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    let again = api_method(&space, "DELETE", &target).await;
    assert_eq!(again.status, 404);
    assert_eq!(api(&space, &target).await.status, 404);
}
