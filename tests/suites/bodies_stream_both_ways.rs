//! Bodies pass through as they come, in both directions.

use harness::gateway::Ability;
use tests::{Setting, digest, needs, tests};

tests![a_body_comes_back_while_it_is_still_being_sent, a_hundred_megabytes_pass_whole_in_each_direction];

fn a_hundred_megabytes_pass_whole_in_each_direction() {
    let setting = Setting::new("client_certificate: kong-client");
    let body: Vec<u8> = (0..HUNDRED_MEGABYTES).map(|n| (n % 251) as u8).collect();
    let sha256 = digest(&body);
    let seen = setting.request("POST", "/dogs/api/digest").key("model-citizen").body(body).send();
    let arrived: serde_json::Value = serde_json::from_str(&seen.text).unwrap();
    assert_eq!((&arrived["length"], &arrived["sha256"]), (&HUNDRED_MEGABYTES.into(), &sha256.into()));

    let target = format!("/dogs/api/bytes/{HUNDRED_MEGABYTES}");
    let came = setting.get(&target).key("model-citizen").bytes();
    assert!(came.len() == HUNDRED_MEGABYTES && came.iter().all(|byte| *byte == 0), "{} bytes", came.len());
}

fn a_body_comes_back_while_it_is_still_being_sent() {
    needs(Ability::AnswersEarly);
    let setting = Setting::new("client_certificate: kong-client");
    let body: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let answer =
        setting.request("POST", "/dogs/api/echo/large").key("model-citizen").body(body.clone()).bytes();
    assert!(answer == body, "{} bytes went, {} came back", body.len(), answer.len());
}

const HUNDRED_MEGABYTES: usize = 100_000_000;
