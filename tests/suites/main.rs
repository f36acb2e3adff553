//! End to end: a client, a gateway with the real filter, a Dogcatcher that demands mutual TLS.
//!
//! One file per promise. `HARNESS_GATEWAY` names the gateway that all of them run on.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod a_bad_day_lets_nobody_pass;
mod a_bad_plugin_config_is_named;
mod a_bad_policy_lets_nobody_in;
mod a_failing_upstream_is_told;
mod a_migration_changes_no_answer;
mod a_refusal_waits_for_no_body;
mod a_stalled_file_holds_nobody_up;
mod a_whole_authority_rotates;
mod access_control_lists;
mod admin_api_changes;
mod answering_plugins;
mod bodies_stream_both_ways;
mod body_credentials;
mod changed_targets;
mod connections_are_pooled_by_identity;
mod consumers_of_the_gateways_own;
mod credentials_stay_in;
mod database_outages;
mod ended_connections_cost_nothing;
mod grpc_paths;
mod http2_says_no_more;
mod identities_stay_apart;
mod identity_headers_are_ours;
mod keys_are_told_nobody;
mod last_known_good;
mod moved_routes;
mod multiple_authentication;
mod no_certificate_no_request;
mod no_decision_no_request;
mod no_fault_mixes_identities_up;
mod no_route_is_entered_by_another;
mod nothing_is_done_twice;
mod nothing_is_smuggled;
mod one_policy_one_decision;
mod other_filters;
mod policies_change_under_load;
mod pool_identity;
mod property_callbacks;
mod protocols;
mod refusals_are_key_auths;
mod replaced_filter_chains;
mod revoked_upstreams_hear_nothing;
mod rotation_loses_nothing;
mod rotation_outlives_faults;
mod stale_policies;
mod targets_of_an_upstream;
mod the_upstream_is_verified;
mod the_whole_path;
mod unique_identifiers;
mod upstreams_by_name;
mod upstreams_mean_no_good;
mod vaults;
mod what_is_told;
mod what_only_a_plugin_can;

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::run(&[
        a_bad_day_lets_nobody_pass::TESTS,
        a_bad_plugin_config_is_named::TESTS,
        a_bad_policy_lets_nobody_in::TESTS,
        a_failing_upstream_is_told::TESTS,
        a_migration_changes_no_answer::TESTS,
        a_refusal_waits_for_no_body::TESTS,
        a_stalled_file_holds_nobody_up::TESTS,
        a_whole_authority_rotates::TESTS,
        access_control_lists::TESTS,
        admin_api_changes::TESTS,
        answering_plugins::TESTS,
        bodies_stream_both_ways::TESTS,
        body_credentials::TESTS,
        changed_targets::TESTS,
        connections_are_pooled_by_identity::TESTS,
        consumers_of_the_gateways_own::TESTS,
        credentials_stay_in::TESTS,
        database_outages::TESTS,
        ended_connections_cost_nothing::TESTS,
        grpc_paths::TESTS,
        http2_says_no_more::TESTS,
        identities_stay_apart::TESTS,
        identity_headers_are_ours::TESTS,
        keys_are_told_nobody::TESTS,
        last_known_good::TESTS,
        moved_routes::TESTS,
        multiple_authentication::TESTS,
        no_certificate_no_request::TESTS,
        no_decision_no_request::TESTS,
        no_fault_mixes_identities_up::TESTS,
        no_route_is_entered_by_another::TESTS,
        nothing_is_done_twice::TESTS,
        nothing_is_smuggled::TESTS,
        one_policy_one_decision::TESTS,
        other_filters::TESTS,
        policies_change_under_load::TESTS,
        pool_identity::TESTS,
        property_callbacks::TESTS,
        protocols::TESTS,
        refusals_are_key_auths::TESTS,
        replaced_filter_chains::TESTS,
        revoked_upstreams_hear_nothing::TESTS,
        rotation_loses_nothing::TESTS,
        rotation_outlives_faults::TESTS,
        stale_policies::TESTS,
        targets_of_an_upstream::TESTS,
        the_upstream_is_verified::TESTS,
        the_whole_path::TESTS,
        unique_identifiers::TESTS,
        upstreams_by_name::TESTS,
        upstreams_mean_no_good::TESTS,
        vaults::TESTS,
        what_is_told::TESTS,
        what_only_a_plugin_can::TESTS,
    ])
}
