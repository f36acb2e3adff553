//! The README's picture of the page.

use std::fs;
use std::path::PathBuf;

use crate::browser::{Browser, Scheme};
use crate::scene::Scene;

/// Writes `page-light.png` and `page-dark.png` into the directory that `HARNESS_PICTURES` names; else it only looks
/// whether it could.
#[test]
fn the_page_has_a_picture_in_both_schemes() {
    let Some(browser) = Browser::find() else { return };
    let scene = Scene::new();
    for n in 0..24 {
        scene.send("GET", &format!("/dogs/{n}"), Some(&scene.key("model-citizen")));
    }
    scene.rotate("kong-vet", 47);
    scene.send("POST", "/dogs/7/chip", Some(&scene.key("vet")));
    scene.send("GET", "/dogs/keys", Some(&scene.key("model-citizen")));
    scene.send("GET", "/kennels", None);
    scene.send("PUT", "/kennels/3", Some(&scene.key("vet")));
    scene.send("GET", "/dogs/7", Some(&scene.key("model-citizen")));
    browser.open(&scene.url());
    browser.until_text("#identities", "46 days");
    browser.until("document.querySelector('#requests').textContent === '29'");
    let directory = std::env::var_os("HARNESS_PICTURES").map(PathBuf::from);
    for (scheme, name) in [(Scheme::Light, "page-light.png"), (Scheme::Dark, "page-dark.png")] {
        browser.show(WIDTH, scheme);
        browser.media(scheme, true);
        browser.value("scrollTo(0, 0)");
        // As far as the last decisions go.
        let end = "Math.ceil(document.querySelector('#decisions').closest('section').getBoundingClientRect().bottom) + 14";
        let height = u32::try_from(browser.value(end).as_u64().unwrap()).unwrap();
        let picture = browser.picture(WIDTH, height);
        assert_eq!(&picture[..4], b"\x89PNG", "{scheme:?}");
        let side = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
        assert_eq!((side(16), side(20)), (WIDTH, height));
        assert!(picture.len() < LARGEST, "{scheme:?}: {} bytes", picture.len());
        if let Some(directory) = &directory {
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join(name), picture).unwrap();
        }
    }
}

const WIDTH: u32 = 1180;
/// Bytes: every clone of the repository has both of them.
const LARGEST: usize = 300_000;
