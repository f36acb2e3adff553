//! The driver by itself, on a real Kong where there are an engine and its image.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::{fs, process, thread};

use bollard::query_parameters::ListContainersOptionsBuilder;
use http::StatusCode;

use super::*;
use crate::gateway::kong::door::Case;
use crate::gateway::kong::{Host, Listeners, Settings};
use crate::gateway::wait::answer;

#[test]
fn a_route_is_served_as_the_config_says_and_as_the_next_one_says() {
    let Some(case) = Case::of(Docker::find) else { return };
    let kong = case.up().unwrap();
    assert_eq!(case.door.ask(&kong, "wrong").0, StatusCode::UNAUTHORIZED);
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
    case.door.change_often(&kong);
    assert!(kong.log().contains("declarative config loaded"), "{}", kong.log());
}

#[test]
fn new_workers_serve_the_config_as_it_is_then() {
    let Some(case) = Case::of(Docker::find) else { return };
    let kong = case.up().unwrap();
    case.door.change("two", "open", "");
    kong.restart_workers().unwrap();
    for _ in 0..10 {
        assert_eq!(case.door.ask(&kong, "open"), (StatusCode::OK, "two".to_owned()));
    }
}

#[test]
fn a_config_that_kong_does_not_start_with_is_an_error_that_says_where() {
    let Some(case) = Case::of(Docker::find) else { return };
    case.door.change("one", "sesame", "nonsense: 1\n");
    let refusal = format!("{:#}", case.up().map(drop).unwrap_err());
    assert!(refusal.starts_with("Kong does not start: error parsing declarative config file"), "{refusal}");
    assert!(refusal.ends_with("in 'nonsense': unknown field"), "{refusal}");
}

#[test]
fn a_config_whose_files_the_container_does_not_see_leaves_the_one_before_in_force() {
    let Some(case) = Case::of(Docker::find) else { return };
    let kong = case.up().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let certificate = format!("ca_file: {}/ca.crt\n", elsewhere.path().display());
    case.door.change("two", "open", &certificate);
    let refusal = kong.reload().unwrap_err().to_string();
    assert!(refusal.contains("is not mounted"), "{refusal}");
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
}

#[test]
fn nothing_is_left_after_it_nor_after_a_panic() {
    let Some(case) = Case::of(Docker::find) else { return };
    let mut seen = Vec::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let kong = case.up().unwrap();
        seen.push((kong.host().id().to_owned(), kong.host().directory().path().to_owned()));
        assert_eq!(case.containers().get(&seen[0].0), Some(&process::id().to_string()));
        panic!("on purpose");
    }));
    panicked.unwrap_err();
    let [(id, directory)] = &seen[..] else { panic!("it did not start") };
    assert!(!case.containers().contains_key(id));
    assert!(!directory.exists());
}

#[test]
fn nothing_is_left_of_one_that_did_not_start() {
    let Some(case) = Case::of(Docker::find) else { return };
    case.door.change("one", "sesame", "nonsense: 1\n");
    let seen = Mutex::new(Vec::new());
    let plugins =
        Plugins::find(&case.driver.options, case.driver.shell().unwrap(), &case.door.setup.filters).unwrap();
    serve(&case.door.setup, &plugins, &case.driver.options, |settings, _| {
        let container = case.start(settings, &plugins)?;
        seen.lock().unwrap().push(container.id().to_owned());
        Ok(container)
    })
    .map(drop)
    .unwrap_err();
    let containers = case.containers();
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() == 1 && !containers.contains_key(&seen[0]), "{seen:?} of {containers:?}");
}

#[test]
fn a_port_that_somebody_else_was_given_is_exchanged_for_another() {
    let Some(case) = Case::of(Docker::find) else { return };
    let thief = Mutex::new(None);
    let plugins =
        Plugins::find(&case.driver.options, case.driver.shell().unwrap(), &case.door.setup.filters).unwrap();
    let kong = serve(&case.door.setup, &plugins, &case.driver.options, |settings, listeners: &Listeners| {
        thief.lock().unwrap().get_or_insert_with(|| TcpListener::bind(listeners.proxy).unwrap());
        case.start(settings, &plugins)
    })
    .unwrap();
    assert_ne!(kong.proxy(), thief.into_inner().unwrap().unwrap().local_addr().unwrap());
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
}

#[test]
fn a_config_that_only_its_owner_may_read_is_read() {
    let Some(case) = Case::of(Docker::find) else { return };
    fs::set_permissions(&case.door.setup.config, fs::Permissions::from_mode(0o600)).unwrap();
    let kong = case.up().unwrap();
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
}

#[test]
fn an_image_that_cannot_be_had_is_unavailable() {
    if Case::of(Docker::find).is_none() {
        return;
    }
    // No registry serves there (tcpmux).
    let image = Some("127.0.0.1:1/kong:0".to_owned());
    let options = Options { image, ..Options::default() };
    let Unavailable(reason) = Docker::find(&options).map(drop).unwrap_err();
    assert!(reason.starts_with("no image 127.0.0.1:1/kong:0: "), "{reason}");
}

#[test]
fn with_no_engine_at_any_address_it_is_unavailable_and_each_is_named() {
    let nowhere = tempfile::tempdir().unwrap();
    let socket = format!("unix://{}/docker.sock", nowhere.path().display());
    let silent = TcpListener::bind(crate::stack::ANY_PORT).unwrap();
    let address = format!("tcp://{}", silent.local_addr().unwrap());
    drop(silent);
    let Unavailable(reason) =
        ContainerEngine::first(vec![socket.clone(), address.clone()]).map(drop).unwrap_err();
    assert!(reason.starts_with("no container engine can be used: start Docker"), "{reason}");
    assert!(reason.contains(&socket) && reason.contains(&address), "{reason}");
}

#[test]
fn an_engine_of_another_machine_is_not_used() {
    let engine = TcpListener::bind(crate::stack::ANY_PORT).unwrap();
    let address = format!("tcp://{}", engine.local_addr().unwrap());
    let serve = move || {
        for stream in engine.incoming() {
            let mut stream = stream.unwrap();
            let head =
                BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
            assert_ne!(head.count(), 0);
            let body = r#"{"ApiVersion": "1.41", "KernelVersion": "another"}"#;
            let length = body.len();
            let kind = "application/json";
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .unwrap();
        }
    };
    thread::spawn(serve);
    let Unavailable(reason) = ContainerEngine::first(vec![address]).map(drop).unwrap_err();
    assert!(reason.contains("it runs on another machine"), "{reason}");
}

impl Case<Docker> {
    fn up(&self) -> anyhow::Result<Served<Container>> {
        self.driver.up(&self.door.setup)
    }

    fn start(&self, settings: &Settings, plugins: &Plugins) -> anyhow::Result<Container> {
        let Docker { engine, image, .. } = &self.driver;
        Container::start(engine, image, &self.door.setup, settings, plugins)
    }

    /// Containers of ours by their ids, with the process that each is said to be of.
    fn containers(&self) -> HashMap<String, String> {
        let of_ours = HashMap::from([("label", vec![container::LABEL])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&of_ours).build();
        let docker = self.driver.engine.docker();
        let listed = answer(async { Ok(docker.list_containers(Some(options)).await?) }).unwrap();
        let owned = |labels: Option<HashMap<String, String>>| labels?.remove(container::LABEL);
        listed.into_iter().filter_map(|each| Some((each.id?, owned(each.labels)?))).collect()
    }
}
