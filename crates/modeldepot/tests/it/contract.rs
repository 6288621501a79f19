//! One suite for every server: what the library needs from S3, and what it guarantees on it.

use crate::servers::{
    self, AWS_RULES, CEPH, EMBEDDED, IN_A_FOLDER, MINIO, MOTO, RCLONE_SERVE, SEAWEEDFS, UNCONDITIONAL, VERSITYGW,
};
use crate::{client, direct, models, original, own, publish, publishable, pull, read, transfer, unspellable, upkeep};

/// Runs each check on one server, in a module with its name.
macro_rules! on {
    ($module:ident, $server:ident, $(#[$ignored:meta],)? $($file:ident :: $check:ident),*) => {
        mod $module {
            use super::*;

            on!(@ $server, ($(#[$ignored])?), $($file::$check),*);
        }
    };
    (@ $server:ident, $ignored:tt, $($file:ident :: $check:ident),*) => {
        $(on!(@@ $server, $ignored, $file, $check);)*
    };
    (@@ $server:ident, ($(#[$ignored:meta])?), $file:ident, $check:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        $(#[$ignored])?
        async fn $check() {
            servers::run(&$server, stringify!($check), $file::$check).await;
        }
    };
}

/// Runs each check on each server.
macro_rules! contract {
    ($($file:ident :: $check:ident),* $(,)?) => {
        on!(embedded, EMBEDDED, $($file::$check),*);
        on!(in_a_folder, IN_A_FOLDER, $($file::$check),*);
        on!(aws_rules, AWS_RULES, $($file::$check),*);
        on!(minio, MINIO, #[ignore = "needs MinIO: run by `cargo xtask test`"], $($file::$check),*);
        on!(seaweedfs, SEAWEEDFS, #[ignore = "needs SeaweedFS: run by `cargo xtask test`"], $($file::$check),*);
        on!(ceph, CEPH, #[ignore = "needs Ceph: run by `cargo xtask test`"], $($file::$check),*);
        on!(versitygw, VERSITYGW, #[ignore = "needs versitygw: run by `cargo xtask test`"], $($file::$check),*);
        on!(moto, MOTO, #[ignore = "needs moto: run by `cargo xtask test`"], $($file::$check),*);
    };
}

contract![
    client::a_bucket_is_made_once,
    client::a_missing_bucket_is_named,
    client::files_of_every_size_round_trip,
    client::metadata_and_media_type_are_kept,
    client::listings_go_past_a_thousand_keys,
    client::presigned_urls_work_without_credentials,
    client::racing_creates_have_one_winner,
    client::unfinished_uploads_are_found_and_aborted,
    client::a_wrong_key_is_denied,
    client::a_missing_object_is_named,
    models::a_folder_round_trips,
    models::automatic_versions_take_the_next_free_second,
    models::the_same_content_again_is_success,
    models::other_content_is_a_conflict_and_changes_nothing,
    models::metadata_is_content_too,
    models::the_latest_version_is_the_highest,
    models::a_deleted_version_is_gone_and_its_name_retired,
    models::latest_is_no_name_of_a_new_version,
    models::every_damage_is_found_and_nothing_is_written,
    models::hostile_manifests_write_nothing,
    models::unknown_names_come_with_guesses,
    models::a_version_without_a_manifest_does_not_exist,
    models::shared_links_fetch_and_never_overwrite,
    models::a_file_that_changes_is_refused,
    publish::the_probe_finds_what_this_server_does,
    servers::what_it_does_is_told,
    publish::racing_pushers_of_one_version_have_one_winner,
    publish::racing_automatic_pushers_get_a_version_each,
    publish::an_interrupted_push_resumes,
    publish::an_interrupted_push_without_a_version_resumes_the_same_one,
    publish::an_interrupted_pull_resumes,
    publish::a_living_pusher_is_not_disturbed,
    publishable::what_nobody_could_read_is_not_sent,
    publishable::what_nobody_could_read_is_not_begun,
    publishable::the_time_is_the_servers,
    pull::what_a_version_no_longer_has_goes,
    pull::what_no_pull_put_there_is_not_replaced,
    pull::what_was_changed_since_a_pull_is_not_replaced,
    pull::a_folder_holds_one_model,
    pull::names_that_programs_trust_are_refused,
    pull::pipes_and_links_are_neither_opened_nor_followed,
    pull::staged_files_of_others_are_not_used,
    pull::a_manifest_that_promises_too_much_reserves_nothing,
    pull::a_complete_folder_is_left_as_it_is,
    pull::pulls_side_by_side_into_one_folder_all_succeed,
    pull::a_switch_under_way_is_no_conflict,
    pull::a_pull_that_begins_anew_leaves_what_is_the_users,
    pull::what_has_no_digest_is_not_verified,
    transfer::parts_of_an_earlier_version_are_copied,
    transfer::what_is_damaged_in_an_earlier_version_is_not_copied,
    transfer::a_pull_fetches_only_what_differs,
    transfer::a_push_without_md5_is_still_verified,
    transfer::no_more_than_the_limit_is_moved,
    direct::parts_that_others_send_become_a_version,
    direct::a_part_that_is_sent_again_is_the_newest,
    direct::the_url_of_a_part_takes_no_other_length,
    direct::a_file_that_is_not_what_was_announced_is_not_published,
    read::a_file_is_read_in_parts_and_every_part_is_verified,
    upkeep::what_a_dead_push_left_is_found_and_removed,
    upkeep::what_is_alive_or_published_or_unknown_is_spared,
    upkeep::a_delete_that_was_cut_off_is_finished,
    upkeep::fsck_reports_what_is_wrong_with_every_version,
    own::a_push_over_a_damaged_version_says_so,
    own::gc_leaves_what_it_did_not_make,
    own::a_delete_removes_what_the_manifest_lists,
    own::foreign_objects_beside_a_version_are_not_counted,
    own::a_copy_of_an_object_of_ours_is_foreign,
    own::an_interrupted_delete_removes_only_what_the_version_had,
    own::everything_that_a_push_creates_is_marked,
    own::a_version_of_orphans_and_foreign_objects_loses_the_orphans,
    own::uploads_that_others_began_are_left_and_not_resumed,
    own::plain_verbs_leave_published_versions_alone,
    own::a_manifest_that_modeldepot_did_not_write_is_left,
    own::a_push_that_is_refused_leaves_no_parts,
    own::a_version_that_lost_its_manifest_is_kept_and_named,
    own::a_version_that_lost_its_manifest_is_not_published_over,
    own::a_push_beside_the_files_of_an_unfinished_one_is_refused,
    own::a_push_that_failed_is_known_by_its_record,
    own::unknown_models_are_not_in_order,
    own::missing_files_show_in_every_view,
    own::a_model_whose_versions_are_deleted_has_none,
    own::a_push_never_replaces_another_tools_object,
    original::its_versions_are_read_and_verified,
    unspellable::every_key_is_listed_as_it_is,
    unspellable::one_key_stops_no_verb,
    unspellable::one_upload_hides_no_other,
    unspellable::such_keys_are_not_created,
];

/// Guarantees on a server that accepts conditions but ignores them, like Garage and `rclone serve s3`.
macro_rules! without_conditions {
    ($($file:ident :: $check:ident),* $(,)?) => {
        on!(unconditional, UNCONDITIONAL, $($file::$check),*);
        on!(rclone_serve, RCLONE_SERVE, #[ignore = "needs rclone: run by `cargo xtask test`"], $($file::$check),*);
    };
}

without_conditions![
    models::a_folder_round_trips,
    models::automatic_versions_take_the_next_free_second,
    models::the_same_content_again_is_success,
    models::other_content_is_a_conflict_and_changes_nothing,
    models::a_deleted_version_is_gone_and_its_name_retired,
    models::every_damage_is_found_and_nothing_is_written,
    publish::racing_pushers_of_one_version_have_one_winner,
    publish::racing_automatic_pushers_get_a_version_each,
    publish::an_interrupted_push_resumes,
    publish::a_living_pusher_is_not_disturbed,
    publish::the_probe_finds_what_this_server_does,
    servers::what_it_does_is_told,
    transfer::parts_of_an_earlier_version_are_copied,
    transfer::what_is_damaged_in_an_earlier_version_is_not_copied,
    transfer::a_pull_fetches_only_what_differs,
    own::a_push_never_replaces_another_tools_object,
    own::gc_leaves_what_it_did_not_make,
    own::a_delete_removes_what_the_manifest_lists,
    direct::parts_that_others_send_become_a_version,
    direct::a_failed_upload_without_conditions_keeps_its_lease,
];

// `rclone serve s3` drops the user metadata by which a push recognizes objects of other pushes.
on!(
    unconditional_with_metadata,
    UNCONDITIONAL,
    own::a_version_that_lost_its_manifest_is_not_published_over,
    own::a_push_beside_the_files_of_an_unfinished_one_is_refused
);
