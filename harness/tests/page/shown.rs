//! What the page shows of what happens.

use crate::browser::Browser;
use crate::scene::Scene;

fn opened() -> Option<(Scene, Browser)> {
    let browser = Browser::find()?;
    let scene = Scene::new();
    browser.open(&scene.url());
    Some((scene, browser))
}

/// A page that is well says nothing in the console, and its policy is violated by nothing.
fn content(browser: &Browser) {
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn counts_move_when_requests_pass_and_when_they_do_not() {
    let Some((scene, browser)) = opened() else { return };
    assert_eq!(browser.text("#requests"), "0");
    assert_eq!(scene.send("GET", "/dogs/1", Some(&scene.key("model-citizen"))), 200);
    browser.until("document.querySelector('#answered').textContent === '1'");
    assert_eq!(scene.send("POST", "/dogs/1", Some(&scene.key("vet"))), 200);
    assert_eq!(scene.send("GET", "/dogs/1", None), 401);
    assert_eq!(scene.send("GET", "/cats", None), 404);
    browser.until("document.querySelector('#requests').textContent === '4'");
    for (place, owed) in [
        ("#routed", "3"),
        ("#allowed", "2"),
        ("#refused", "1"),
        ("#answered", "2"),
        ("#refusals", "not sent on: 401 × 1, 404 × 1"),
        ("#picture-words", "4 requests, 2 allowed, 1 refused, 2 answered by the upstream."),
    ] {
        assert_eq!(browser.text(place), owed, "{place}");
    }
    assert_eq!(browser.text(".node-4").matches("kong-").count(), 2);
    content(&browser);
}

#[test]
fn a_decision_shows_with_its_reason() {
    let Some((scene, browser)) = opened() else { return };
    let row = |number: usize| {
        browser.until(&format!("document.querySelector('#decisions [data-number=\"{number}\"]')"));
        let cells = format!(
            "[...document.querySelectorAll('#decisions [data-number=\"{number}\"] td')].slice(1, 6).map((cell) => cell.innerText)"
        );
        let cells = browser.value(&cells);
        cells.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    scene.send("GET", "/dogs/keys", Some(&scene.key("model-citizen")));
    let denied = row(1);
    assert_eq!(denied[..4], ["GET /dogs/keys\ndogs", "–", "refused, 403", "403: rules[1] denies it"]);
    scene.send("POST", "/kennels/7", Some(&scene.key("vet")));
    assert_eq!(row(2), ["POST /kennels/7\nkennels", "vet", "passed, 200", "–", "kong-vet"]);
    scene.send("GET", "/dogs/7", Some("nobody-has-this"));
    assert_eq!(row(3), ["GET /dogs/7\ndogs", "–", "refused, 401", "401: nobody has this API key", "–"]);
    // The newest stands first.
    assert_eq!(browser.value("document.querySelector('#decisions tr').dataset.number"), "3");
    content(&browser);
}

#[test]
fn a_rotation_shows_and_what_is_broken_shows_as_not_taken() {
    let Some((scene, browser)) = opened() else { return };
    let state = "#identities [data-name=kong-vet]";
    browser.until_text(state, "in force");
    assert_eq!(
        browser.value(&format!("document.querySelector('{state} td:nth-child(4)').innerText")),
        "dogs, kennels"
    );

    let fingerprint = scene.rotate("kong-vet", 12);
    browser.until_text(state, &fingerprint[..16]);
    browser.until_text(state, "11 days");
    browser.until_text("#events", &fingerprint[..16]);
    browser.until_text("#news", "kong-vet taken over");

    scene.rotate("kong-vet", 3);
    browser.until_text(state, "ends soon");
    let last_good = scene.rotate("kong-vet", 90);
    browser.until_text(state, &last_good[..16]);
    scene.break_pair("kong-vet");
    browser.until_text(state, "last good one kept");
    browser.until_text(state, "the private key does not belong to the certificate");
    browser.until_text(state, &last_good[..16]);
    browser.until_text("#events", "last good kept");
    // It is nothing to the other one.
    browser.until_text("#identities [data-name=kong-client]", "in force");
    content(&browser);
}

#[test]
fn a_question_is_answered_as_on_the_command_line() {
    let Some((scene, browser)) = opened() else { return };
    let ask = |fields: &[(&str, &str)]| {
        let fields: serde_json::Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        browser.value(&format!(
            "(() => {{
               const form = document.querySelector('#explain');
               form.reset();
               document.querySelector('#answer').replaceChildren();
               for (const [name, value] of Object.entries({})) form.elements[name].value = value;
               form.requestSubmit();
             }})()",
            serde_json::Value::Object(fields)
        ));
        browser.until("document.querySelector('#answer pre')");
        (browser.text("#answer .badge"), browser.text("#answer pre"))
    };
    let vet = ask(&[("method", "POST"), ("path", "/dogs/7"), ("consumer", "vet")]);
    let owed = scene.explained(&["--method", "POST", "--path", "/dogs/7", "--consumer", "vet"], None);
    assert_eq!(vet, ("allowed".to_owned(), owed));

    let key = scene.key("model-citizen");
    let denied = ask(&[("path", "/kennels/keys?x-api-key=none"), ("key", &key)]);
    let owed = scene.explained(&["--path", "/kennels/keys"], Some(&key));
    assert!(owed.contains("refused with 403"), "{owed}");
    assert_eq!(denied, ("refused".to_owned(), owed));
    assert_eq!(browser.value("document.querySelector('#explain').elements.key.value"), "");

    let nobody = ask(&[("path", "/dogs")]);
    assert_eq!(nobody, ("refused".to_owned(), scene.explained(&["--path", "/dogs"], None)));

    let (badge, told) = ask(&[("path", "/dogs"), ("route", "digs")]);
    assert_eq!(badge, "could not be asked");
    assert!(told.contains("did you mean \"dogs\"?"), "{told}");
    // An answer of 400 is a complaint of the console's; there is no other.
    let complaints = browser.complaints();
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains("page/explain"), "{complaints:?}");
}

#[test]
fn a_decision_is_explained_by_its_button() {
    let Some((scene, browser)) = opened() else { return };
    scene.send("POST", "/dogs/7", Some(&scene.key("vet")));
    browser.until("document.querySelector('#decisions button')");
    browser.value("document.querySelector('#decisions button').click()");
    browser.until_text("#answer pre", "allowed as \"kong-vet\", by rules[0]");
    assert_eq!(browser.value("document.activeElement.name"), "path");
    content(&browser);
}

#[test]
fn no_key_is_anywhere_on_the_page() {
    let Some((scene, browser)) = opened() else { return };
    let key = scene.key("model-citizen");
    scene.send("GET", "/dogs/1", Some(&key));
    scene.send("GET", &format!("/dogs/2?x-api-key={key}"), None);
    scene.send("GET", &format!("/dogs/3?x-api-key={}", harness::stack::escaped(&key)), None);
    scene.send("GET", &format!("/cats?apikey={key}"), Some(&key));
    scene.send("GET", "/dogs/4", Some("s3cr3t-that-nobody-has"));
    browser.until("document.querySelector('#requests').textContent === '5'");
    browser.value(&format!(
        "(() => {{
           const form = document.querySelector('#explain');
           form.elements.path.value = '/dogs?x-api-key={key}';
           form.elements.key.value = '{key}';
           form.requestSubmit();
           form.elements.path.value = '/';
         }})()"
    ));
    browser.until_text("#answer pre", "allowed");
    let all = browser.value(
        "(async () => document.documentElement.outerHTML
           + [...document.querySelectorAll('input')].map((input) => input.value).join()
           + JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])
           + await (await fetch('/page/state')).text() + await (await fetch('/status')).text())()",
    );
    let all = all.as_str().unwrap().to_lowercase();
    let escaped = harness::stack::escaped(&key).to_lowercase();
    for secret in scene.secrets().into_iter().chain([escaped, "s3cr3t-that-nobody-has".to_owned()]) {
        assert!(!all.contains(&secret.to_lowercase()), "a key, or its digest, is shown");
    }
    assert!(!scene.stack.gateway().log().contains(&key));
    content(&browser);
}

#[test]
fn markup_from_outside_is_text() {
    let Some((scene, browser)) = opened() else { return };
    let markup = "<img src=x onerror=document.title='owned'>";
    let title = browser.value("document.title");
    // A consumer's name, a subject, a path and a method, and what a path says when it is decoded.
    assert_eq!(scene.send("GET", "/dogs/1", Some(&scene.key("mallory"))), 200);
    scene.send("GET", "/dogs/%3Cimg%20src=x%20onerror=document.title='owned'%3E\"{}", None);
    scene.send("X<B>", "/dogs/1", None);
    let issued = scene.stack.authority().issue(&pki::Leaf::client(markup)).unwrap();
    scene.stack.rotate("kong-vet", &issued).unwrap();
    browser.until_text("#decisions", markup);
    browser.until_text("#decisions", "%3Cimg%20src=x%20onerror=document.title='owned'%3E\"{}");
    browser.until_text("#identities", "img src=x onerror");
    browser.until_text("#events", "img src=x onerror");
    browser.value(&format!(
        "(() => {{
           const form = document.querySelector('#explain');
           form.elements.path.value = '/dogs/' + {markup:?};
           form.elements.consumer.value = 'vet';
           form.requestSubmit();
         }})()"
    ));
    browser.until_text("#answer", "onerror");
    assert_eq!(browser.value("document.querySelectorAll('img, b, iframe').length"), 0);
    assert_eq!(browser.value("document.title"), title);
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|complaint| complaint.contains("page/explain")), "{complaints:?}");
}

#[test]
fn no_text_becomes_markup_even_where_a_script_would_have_it() {
    let Some((_scene, browser)) = opened() else { return };
    let outcome = browser.value(
        "(() => { try { document.body.innerHTML = '<b>owned</b>'; return 'done'; } catch (error) { return error.name; } })()",
    );
    assert_eq!(outcome, "TypeError");
    let ran = browser.value(
        "(async () => {
           const script = document.createElement('script');
           script.append('window.owned = true');
           try { document.body.append(script); } catch {}
           try { await fetch('http://localhost:1/'); } catch {}
           return window.owned ?? false;
         })()",
    );
    assert_eq!(ran, false);
    // So these tests see what violates the page's policy.
    assert!(browser.complaints().iter().any(|complaint| complaint.contains("Content Security Policy")));
}

#[test]
fn a_gateway_that_is_gone_is_told() {
    let Some((scene, browser)) = opened() else { return };
    drop(scene);
    browser.until("document.querySelector('#live').dataset.state === 'lost'");
    assert_eq!(browser.text("#live-text"), "the gateway does not answer");
}
