//! The driver by itself, on a real Kong where there is one.

use std::fs;
use std::io::{Write, stderr};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};

use super::admin::ask;
use super::door::Case;
use super::served::Served;
use super::*;
use crate::gateway::wait::until;
use crate::gateway::{Running, by_name};
use crate::stack::ANY_PORT;

#[test]
fn a_route_is_served_as_the_config_says_and_as_the_next_one_says() {
    let Some(case) = Case::of(Kong::find) else { return };
    let kong = case.up().unwrap();
    assert_eq!(case.door.ask(&kong, "wrong").0, StatusCode::UNAUTHORIZED);
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));

    case.door.change_often(&kong);
    assert!(kong.log().contains("declarative config loaded"), "{}", kong.log());
    assert_eq!(kong.status(), None);
}

#[test]
fn a_config_that_kong_refuses_leaves_the_one_before_in_force() {
    let Some(case) = Case::of(Kong::find) else { return };
    let kong = case.up().unwrap();
    case.door.change("two", "open", "nonsense: 1\n");
    let refusal = kong.reload().unwrap_err().to_string();
    assert!(refusal.contains(r#"nonsense="unknown field""#), "{refusal}");
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
}

#[test]
fn a_config_that_kong_does_not_start_with_is_an_error_that_says_where() {
    let Some(case) = Case::of(Kong::find) else { return };
    case.door.change("one", "sesame", "nonsense: 1\n");
    let refusal = format!("{:#}", case.up().map(drop).unwrap_err());
    assert!(refusal.starts_with("Kong does not start: error parsing declarative config file"), "{refusal}");
    assert!(refusal.ends_with("in 'nonsense': unknown field"), "{refusal}");
}

#[test]
fn nothing_is_left_after_it() {
    let Some(case) = Case::of(Kong::find) else { return };
    let kong = case.up().unwrap();
    let directory = kong.host().directory().path().to_owned();
    let master = fs::read_to_string(directory.join("prefix/pids/nginx.pid")).unwrap();
    let of_it = || {
        let processes = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            fs::read_to_string(entry.path().join("stat"))
                .ok()
                .and_then(|stat| stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned()))
                // state, parent, group
                .is_some_and(|rest| rest.split(' ').nth(2) == Some(master.trim()) && !rest.starts_with('Z'))
        });
        processes.count()
    };
    assert_eq!(of_it(), 1 + 2);
    drop(kong);
    // nginx removes its pid file a moment before it ends.
    until(Duration::from_secs(10), || (of_it() == 0).then_some(())).unwrap();
    assert!(!directory.exists());
}

#[test]
fn a_port_that_somebody_else_was_given_is_exchanged_for_another() {
    let Some(case) = Case::of(Kong::find) else { return };
    let thief = Mutex::new(None);
    let plugins =
        Plugins::find(&case.driver.options, case.driver.engine().unwrap(), &case.door.setup.filters).unwrap();
    let kong = serve(&case.door.setup, &plugins, &case.driver.options, |settings, listeners| {
        thief.lock().unwrap().get_or_insert_with(|| TcpListener::bind(listeners.proxy).unwrap());
        Process::start(&case.driver.bin, settings, &plugins)
    })
    .unwrap();
    assert_ne!(kong.proxy(), thief.into_inner().unwrap().unwrap().local_addr().unwrap());
    assert_eq!(case.door.ask(&kong, "sesame"), (StatusCode::OK, "one".to_owned()));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let Some(mut case) = Case::of(Kong::find) else { return };
    let holder = TcpListener::bind(ANY_PORT).unwrap();
    case.door.setup.proxy = holder.local_addr().unwrap();
    let refusal = format!("{:#}", case.up().map(drop).unwrap_err());
    assert!(refusal.contains(&format!("cannot listen on {}", case.door.setup.proxy)), "{refusal}");
}

#[test]
fn workers_read_what_only_their_starter_may_read() {
    let Some(case) = Case::of(Kong::find) else { return };
    let kong = case.up().unwrap();
    let workers = kong
        .log()
        .lines()
        .filter_map(|line| Some(line.split_once("start worker process ")?.1.to_owned()))
        .collect::<Vec<_>>();
    assert_eq!(workers.len(), 2, "{}", kong.log());
    for worker in workers {
        let owner = fs::metadata(format!("/proc/{worker}")).unwrap().uid();
        assert_eq!(owner, fs::metadata(&case.door.setup.config).unwrap().uid());
    }
}

#[test]
fn settings_of_the_caller_win() {
    let Some(mut case) = Case::of(Kong::find) else { return };
    case.driver.options.settings = vec![("nginx_worker_processes".to_owned(), "1".to_owned())];
    let kong = case.up().unwrap();
    assert_eq!(kong.log().matches("start worker process ").count(), 1);
    kong.reload().unwrap();
}

#[test]
fn the_status_listener_is_where_it_is_asked_for() {
    let Some(mut case) = Case::of(Kong::find) else { return };
    case.door.setup.status = Some(ANY_PORT);
    let kong = case.up().unwrap();
    let (code, metrics) = ask(kong.status().unwrap(), Request::get("/status"), Bytes::new()).unwrap();
    assert_eq!(code, StatusCode::OK, "{metrics:?}");
}

#[test]
fn a_kong_that_is_not_there_is_unavailable() {
    let options = Options { kong_bin: Some("/nowhere/kong".into()), ..Options::default() };
    let error = by_name("kong", &options).map(drop).unwrap_err();
    let words = "/nowhere/kong is no kong: set KONG_BIN or --kong-bin".to_owned();
    assert_eq!(error.downcast_ref(), Some(&Unavailable(words)));
}

#[test]
fn a_lua_plugin_gives_way_to_the_filter_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["acts", "decides"] {
        fs::create_dir_all(dir.path().join("plugins").join(name)).unwrap();
        fs::write(dir.path().join("plugins").join(name).join("handler.lua"), "").unwrap();
    }
    let filters = dir.path().join("filters");
    fs::create_dir(&filters).unwrap();
    let options = Options { plugins: Some(dir.path().join("plugins")), ..Options::default() };
    let setting = || Plugins::find(&options, Engine::Wasm, &filters).unwrap().setting();
    assert_eq!(setting(), "bundled,acts,decides");
    fs::write(filters.join("decides.wasm"), "").unwrap();
    assert_eq!(setting(), "bundled,acts");
}

#[test]
fn a_database_is_brought_to_what_the_config_says() {
    for database in [Database::Postgres, Database::Hybrid] {
        let Some((case, kong)) = with_database(database, 1) else { return };
        assert_eq!(case.door.ask(&*kong, "wrong").0, StatusCode::UNAUTHORIZED, "{database}");
        assert_eq!(case.door.ask(&*kong, "sesame"), (StatusCode::OK, "one".to_owned()), "{database}");
        case.door.change_often(&*kong);

        case.door.change("two", "open", "nonsense: 1\n");
        let error = format!("{:#}", kong.reload().unwrap_err());
        assert!(error.contains("in 'nonsense': unknown field"), "{error}");
        case.door.change("three", "ajar", "plugins: [{name: rate-limiting, config: {minute: none}}]\n");
        let error = format!("{:#}", kong.reload().unwrap_err());
        assert!(error.contains("in 'plugins': ") && error.contains("expected a number"), "{error}");
        for _ in 0..10 {
            assert_eq!(case.door.ask(&*kong, "ajar").0, StatusCode::UNAUTHORIZED, "{database}");
            let answer = case.door.ask(&*kong, "open 4");
            assert_eq!(answer, (StatusCode::OK, "two 4".to_owned()), "{database}");
        }

        assert_eq!(kong.processes().len(), 2, "{database}");
        kong.restart_workers().unwrap();
        assert_eq!(case.door.ask(&*kong, "open 4").0, StatusCode::OK, "{database}");
    }
}

#[test]
fn nodes_share_a_database() {
    for database in [Database::Postgres, Database::Hybrid] {
        let Some((case, kong)) = with_database(database, 2) else { return };
        let nodes = kong.nodes();
        assert_eq!(nodes.len(), 2);
        for round in 0..3 {
            let body = format!(r#"{{"config": {{"message": "changed {round}"}}}}"#);
            let plugins = plugin_of_door(nodes[round % 2].admin.unwrap());
            let request = Request::patch(plugins).header("content-type", "application/json");
            let (code, answer) = ask(nodes[round % 2].admin.unwrap(), request, body.into()).unwrap();
            assert_eq!(code, StatusCode::OK, "{answer:?}");
            kong.await_changes(&mut || {}).unwrap();
            for node in &nodes {
                for _ in 0..10 {
                    let request = Request::get("/door").header("apikey", "sesame");
                    let (_, answer) = ask(node.proxy, request, Bytes::new()).unwrap();
                    assert!(
                        answer.windows(9).any(|part| part == format!("changed {round}").as_bytes()),
                        "{answer:?}"
                    );
                }
            }
        }
        drop(case);
    }
}

/// The path of the plugin that answers on the route.
fn plugin_of_door(admin: SocketAddr) -> String {
    let (_, answer) = ask(admin, Request::get("/routes/door/plugins"), Bytes::new()).unwrap();
    let plugins: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let plugins = plugins["data"].as_array().unwrap();
    let plugin = plugins.iter().find(|plugin| plugin["name"] == "request-termination").unwrap();
    format!("/plugins/{}", plugin["id"].as_str().unwrap())
}

/// A Kong with a database, where there are both; it says why there are not.
fn with_database(database: Database, nodes: usize) -> Option<(Case<Kong>, Box<dyn Running>)> {
    let mut case = Case::of(Kong::find)?;
    case.driver.options.database = Some(database);
    case.driver.options.nodes = nodes;
    match case.driver.start(&case.door.setup) {
        Ok(kong) => Some((case, kong)),
        Err(error) => {
            assert!(error.is::<Unavailable>(), "{error:#}");
            writeln!(stderr(), "skipped: {error:#}").unwrap();
            None
        }
    }
}

impl Case<Kong> {
    fn up(&self) -> anyhow::Result<Served<Process>> {
        self.driver.up(&self.door.setup)
    }
}
