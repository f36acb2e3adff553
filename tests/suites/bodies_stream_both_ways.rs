//! Bodies pass through as they come, in both directions.

use tests::{Setting, tests};

tests![a_large_body_arrives_whole_and_comes_back_whole,];

fn a_large_body_arrives_whole_and_comes_back_whole() {
    let setting = Setting::new("client_certificate: kong-client");
    let body: Vec<u8> = (0..20_000_000_u32).map(|n| (n % 251) as u8).collect();
    let answer =
        setting.request("POST", "/dogs/api/echo/large").key("model-citizen").body(body.clone()).bytes();
    assert!(answer == body, "{} bytes went, {} came back", body.len(), answer.len());
}
