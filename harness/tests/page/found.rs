//! The page for those who do not see it, or see it otherwise: names, order, contrast, small screens, stillness.

use serde_json::Value;

use crate::browser::{Browser, Scheme};
use crate::legible::{CONTRAST, axe};
use crate::scene::Scene;

/// With something in every part of it.
fn busy() -> Option<(Scene, Browser)> {
    let browser = Browser::find()?;
    let scene = Scene::new();
    browser.open(&scene.url());
    scene.send("GET", "/dogs/1", Some(&scene.key("model-citizen")));
    scene.send("POST", "/dogs/1", Some(&scene.key("vet")));
    scene.send("GET", "/dogs/1", None);
    scene.send("GET", "/cats", None);
    scene.rotate("kong-client", 3);
    scene.break_pair("kong-vet");
    browser.until_text("#identities", "last good one kept");
    browser.until_text("#identities", "ends soon");
    browser.until("document.querySelector('#requests').textContent === '4'");
    browser.value("document.querySelector('#decisions tr:last-child button').click()");
    browser.until("document.querySelector('#answer pre')");
    Some((scene, browser))
}

#[test]
fn every_text_stands_out_in_both_schemes() {
    let Some((_scene, browser)) = busy() else { return };
    for scheme in [Scheme::Light, Scheme::Dark] {
        browser.show(1240, scheme);
        browser.media(scheme, true);
        let looked = browser.value(CONTRAST);
        let texts = looked.as_array().unwrap();
        assert!(texts.len() > 60, "only {} texts", texts.len());
        let faint: Vec<_> = texts.iter().filter(|text| text["ratio"].as_f64().unwrap() < 4.5).collect();
        assert!(faint.is_empty(), "{scheme:?}: {faint:#?}");
    }
    // It is two schemes that were looked at.
    let paper = |scheme| {
        browser.media(scheme, true);
        browser.value("getComputedStyle(document.body).backgroundColor")
    };
    assert_ne!(paper(Scheme::Light), paper(Scheme::Dark));
}

#[test]
fn rules_of_accessibility_are_kept() {
    let Some((_scene, browser)) = busy() else { return };
    let Some(axe) = axe() else { return };
    for (width, scheme) in [(1240, Scheme::Light), (1240, Scheme::Dark), (320, Scheme::Light)] {
        browser.show(width, scheme);
        browser.media(scheme, true);
        browser.value(&axe);
        let broken = browser.value(
            "axe.run(document).then(({ violations, passes }) => ({
               passes: passes.length,
               violations: violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((node) => node.html + ' ' + node.failureSummary) })),
             }))",
        );
        assert!(broken["passes"].as_u64().unwrap() > 20, "{broken:#}");
        assert_eq!(broken["violations"], Value::Array(Vec::new()), "{width} {scheme:?}: {broken:#}");
    }
}

#[test]
fn everything_is_reached_by_the_keyboard_and_shows_that_it_is() {
    let Some((_scene, browser)) = busy() else { return };
    browser.value("document.activeElement.blur(); scrollTo(0, 0)");
    browser.open(browser.value("location.href").as_str().unwrap());
    browser.until("document.querySelectorAll('#decisions button').length === 4");
    let mut reached = Vec::new();
    for _ in 0..40 {
        browser.tab();
        let at = browser.value(
            "(() => {
               const at = document.activeElement;
               if (at === document.body) return null;
               const style = getComputedStyle(at);
               return {
                 what: at.name || at.className || at.id || at.localName,
                 outline: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
                 visible: at.getBoundingClientRect().bottom > 0 && at.getBoundingClientRect().top < innerHeight,
               };
             })()",
        );
        if at.is_null() {
            break;
        }
        assert!(at["outline"].as_f64().unwrap() >= 2.0 && at["visible"] == true, "{at}");
        if at["what"] == "skip" && !reached.is_empty() {
            break;
        }
        reached.push(at["what"].as_str().unwrap().to_owned());
    }
    let owed = [
        "skip",
        "scroll",
        "scroll tall",
        "ask",
        "ask",
        "ask",
        "ask",
        "method",
        "path",
        "host",
        "route",
        "consumer",
        "key",
        "button",
    ];
    assert_eq!(
        reached.iter().filter(|each| *each != "events").collect::<Vec<_>>(),
        owed.iter().collect::<Vec<_>>()
    );
}

#[test]
fn everything_has_a_name_and_news_is_told_politely() {
    let Some((_scene, browser)) = busy() else { return };
    let unnamed = browser.value(
        "[...document.querySelectorAll('input, button, [role=group], section, table, svg[role=img]')].filter((each) => {
           const names = [...(each.labels ?? [])].map((label) => label.textContent);
           names.push(each.ariaLabel, each.caption?.textContent, each.localName === 'button' ? each.textContent : '');
           for (const id of (each.getAttribute('aria-labelledby') ?? '').split(' ')) names.push(document.getElementById(id)?.textContent);
           return !names.some((name) => name?.trim());
         }).map((each) => each.outerHTML)",
    );
    assert_eq!(unnamed, Value::Array(Vec::new()));
    let scopes = "[...document.querySelectorAll('th')].every((each) => ['col', 'row'].includes(each.scope))";
    assert_eq!(browser.value(scopes), true);
    let polite = "['#news', '#answer'].every((each) => document.querySelector(each).getAttribute('role') === 'status')";
    assert_eq!(browser.value(polite), true);
}

#[test]
fn nothing_sticks_out_of_a_small_screen() {
    let Some((_scene, browser)) = busy() else { return };
    for width in [320, 480, 760, 1024] {
        browser.show(width, Scheme::Light);
        let wide = browser.value("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{width}: {wide}");
    }
    browser.show(320, Scheme::Light);
    browser.until("document.querySelector('#picture').getAttribute('viewBox') === '0 0 280 790'");
    // The picture turns, so that its words stay as large as others.
    let smallest = browser.value(
        "Math.min(...[...document.querySelectorAll('#picture text')].filter((each) => each.textContent)
           .map((each) => each.getBoundingClientRect().height))",
    );
    assert!(smallest.as_f64().unwrap() > 11.0, "{smallest}");
    let inside = browser.value(
        "(() => { const box = document.querySelector('#picture').getBoundingClientRect();
           return [...document.querySelectorAll('#picture rect')].every((each) => {
             const { left, right, top, bottom } = each.getBoundingClientRect();
             return left >= box.left && right <= box.right && top >= box.top && bottom <= box.bottom; }); })()",
    );
    assert_eq!(inside, true);
}

#[test]
fn nothing_moves_for_those_who_want_it_still() {
    let Some((scene, browser)) = busy() else { return };
    let moving = "document.getAnimations().length > 0";
    browser.until(moving);
    browser.media(Scheme::Light, true);
    scene.send("GET", "/dogs/2", None);
    browser.until("document.querySelector('#requests').textContent === '5'");
    assert_eq!(browser.value(moving), false);
}
