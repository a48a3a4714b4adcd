use super::*;

#[test]
fn every_metric_has_its_documented_name() {
    let metrics = Metrics::new("0.1.0", &clock());
    let other = metrics.clone();
    other.set_recordings("archived", 12);
    other.set_gaps(1);
    other.set_failures(2);
    other.set_archived_bytes(5);
    other.set_stuck("unarchived", 3);
    other.set_stuck_longest(Duration::from_hours(30));
    other.add_downloaded_bytes(1 << 40);
    other.begin_passes("sweep", "refused");
    other.add_verified_files("intact", 7);
    other.add_verified_bytes(8);
    other.note_reload(None);
    other.add_attempts("archived", 1);
    other.add_api_requests(3);
    other.count_pass("poll", "complete", Duration::from_millis(700));
    other.set_last_complete("poll", DateTime::UNIX_EPOCH + Duration::from_millis(1500));
    other.set_disk_free(1 << 41);
    other.set_paused("host", 2);
    other.set_oldest_unarchived(Duration::from_hours(2));
    other.set_concerns("duration", 5);
    other.set_healthy(false);
    other.set_problems("stuck", 1);
    other.set_database_ok(false);
    other.set_credentials_ok(false);
    other.set_downloads_active(4);
    let text = metrics.text();
    for line in [
        "room_archiver_build_info{version=\"0.1.0\"} 1",
        "room_archiver_recordings{state=\"archived\"} 12",
        "room_archiver_gaps 1",
        "room_archiver_failures 2",
        "room_archiver_archived_bytes 5",
        "room_archiver_stuck{kind=\"unarchived\"} 3",
        "room_archiver_stuck_longest_seconds 108000",
        "room_archiver_downloaded_bytes_total 1099511627776",
        "room_archiver_attempts_total{outcome=\"archived\"} 1",
        "room_archiver_api_requests_total 3",
        "room_archiver_passes_total{kind=\"poll\",outcome=\"complete\"} 1",
        "room_archiver_passes_total{kind=\"sweep\",outcome=\"refused\"} 0",
        "room_archiver_pass_duration_seconds_count{kind=\"sweep\"} 0",
        "room_archiver_verified_files_total{result=\"intact\"} 7",
        "room_archiver_verified_bytes_total 8",
        "room_archiver_config_last_reload_successful 0",
        "room_archiver_config_last_reload_success_timestamp_seconds 86400.25",
        "room_archiver_pass_duration_seconds_bucket{le=\"1.0\",kind=\"poll\"} 1",
        "room_archiver_last_complete_pass_timestamp_seconds{kind=\"poll\"} 1.5",
        "room_archiver_last_complete_pass_timestamp_seconds{kind=\"sweep\"} 0.0",
        "room_archiver_disk_free_bytes 2199023255552",
        "room_archiver_paused{reason=\"host\"} 2",
        "room_archiver_oldest_unarchived_seconds 7200",
        "room_archiver_concerns{kind=\"duration\"} 5",
        "room_archiver_healthy 0",
        "room_archiver_problems{kind=\"stuck\"} 1",
        "room_archiver_database_ok 0",
        "room_archiver_credentials_ok 0",
        "room_archiver_downloads_active 4",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

#[test]
fn both_formats_have_the_same_samples() {
    let metrics = Metrics::new("0.1.0", &clock());
    metrics.add_attempts("archived", 2);
    metrics.count_pass("poll", "complete", Duration::from_millis(700));
    let names = |text: &str| {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let name = |line: &str| line.rsplit_once(' ').expect("a value").0.to_owned();
        samples.map(name).collect::<Vec<_>>()
    };
    let (classic, open) = (metrics.text(), metrics.open_metrics());
    assert_eq!(names(&classic), names(&open));
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    for line in [
        "# HELP room_archiver_attempts_total Download attempts by outcome.",
        "# TYPE room_archiver_attempts_total counter",
        "# TYPE room_archiver_build_info gauge",
        "# TYPE room_archiver_pass_duration_seconds histogram",
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(
            classic.lines().any(|l| l == line),
            "{line} is not in\n{classic}"
        );
    }
}

fn clock() -> Clock {
    Clock::manual(DateTime::UNIX_EPOCH + Duration::from_millis(86_400_250))
}
