use super::*;

#[test]
fn every_metric_has_its_documented_name() {
    let metrics = Metrics::new("0.1.0");
    let other = metrics.clone();
    other.set_recordings("archived", 12);
    other.set_gaps(1);
    other.set_failures(2);
    other.set_stuck(3, Duration::from_hours(30));
    other.add_bytes_downloaded(1 << 40);
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
        "room_archiver_stuck 3",
        "room_archiver_stuck_longest_seconds 108000",
        "room_archiver_bytes_downloaded_total 1099511627776",
        "room_archiver_attempts_total{outcome=\"archived\"} 1",
        "room_archiver_api_requests_total 3",
        "room_archiver_passes_total{kind=\"poll\",outcome=\"complete\"} 1",
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
        "# EOF",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}
