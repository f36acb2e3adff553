//! A real Kong, where `KONG_BIN` names one.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::scene::Scene;

const CONFIG: &str = "_format_version: \"3.0\"
services:
- name: dogcatcher
  url: https://localhost:1/
  plugins:
  - name: upstream-mtls
    config: {client_certificates: [{name: kong-client, certificate: {id: 4b0e6f3c-6f8e-4d8e-9a53-0a4d1f9f2b13}}], tls_verify: false}
  routes:
  - {name: dogs, paths: [/dogs], plugins: [{name: mtls-policy, config: {anonymous: guest, client_certificate: kong-cleint}}]}
  - {name: cats, paths: [/cats], plugins: [{name: mtls-policy, config: {anonymous: guest, rules: RULES}}]}
consumers:
CONSUMERS";

/// More than Kong puts into one page.
const CONSUMERS: usize = 1200;

/// A Kong that ends with this.
struct Running {
    prefix: PathBuf,
    admin: String,
}

impl Running {
    /// Starts one with these lines in its kong.conf.
    fn start(bin: &Path, directory: &Path, more: &str) -> Self {
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [proxy, admin] = listeners.map(|listener| listener.local_addr().unwrap());
        let prefix = directory.join("kong");
        let conf = format!(
            "prefix = {}\ndatabase = off\ndeclarative_config = {}\nproxy_listen = {proxy}\nadmin_listen = {admin}\n\
             status_listen = off\nadmin_gui_listen = off\nnginx_worker_processes = 1\nnginx_user = root root\n\
             anonymous_reports = off\n{more}",
            prefix.display(),
            directory.join("kong.yml").display()
        );
        std::fs::write(directory.join("kong.conf"), conf).unwrap();
        let started =
            Command::new(bin).args(["start", "-c", "kong.conf"]).current_dir(directory).output().unwrap();
        let running = Self { prefix, admin: format!("http://{admin}") };
        assert!(started.status.success(), "{}", String::from_utf8_lossy(&started.stderr));
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Ok(pid) = std::fs::read_to_string(self.prefix.join("pids/nginx.pid")) else { return };
        let _ = Command::new("kill").arg(pid.trim()).status();
    }
}

#[test]
fn a_running_kong_is_examined() {
    let Some(bin) = std::env::var_os("KONG_BIN").map(PathBuf::from) else {
        println!("skipped: no KONG_BIN");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let lua = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(lua.path().join("kong/plugins")).unwrap();
    let plugin = root.join("kong/plugins/upstream-mtls");
    std::os::unix::fs::symlink(plugin, lua.path().join("kong/plugins/upstream-mtls")).unwrap();
    let wasm = format!(
        "lua_package_path = {}/?.lua;;\nplugins = bundled,upstream-mtls\nwasm = on\nwasm_filters_path = {}\n",
        lua.path().display(),
        root.join("target/filters").display()
    );
    let native = format!(
        "lua_package_path = {0}/?.lua;;\nlua_package_cpath = {0}/target/native/?.so;;\nplugins = bundled,upstream-mtls,mtls-policy\n",
        root.display()
    );
    // The native runtime does not start with an invalid policy.
    let invalid = "[{match: {path_prefix: dogs}, deny: {}}]";
    for (runtime, conf, rules, policies) in [("wasm", wasm, invalid, 2), ("native", native, "[]", 1)] {
        let scene = Scene::new();
        let consumers: String = (0..CONSUMERS).map(|number| format!("- {{username: u{number}}}\n")).collect();
        let config = CONFIG.replace("RULES", rules).replace("CONSUMERS", &consumers);
        std::fs::write(scene.path("kong.yml"), config).unwrap();
        let kong = Running::start(&bin, &scene.path(""), &conf);
        let typed = ["--admin", &kong.admin, "--json"].map(str::to_owned);
        // Its sockets are open when `kong start` has returned, and its workers answer when they are ready.
        let (code, told) = scene.doctor(&typed);
        let report: Value =
            serde_json::from_str(&told).unwrap_or_else(|error| panic!("{runtime}: {error}: {told}"));
        let hops = report["ways"][0]["hops"].as_array().unwrap();
        assert!(
            hops[0]["what"].as_str().unwrap().contains(&format!("database off, {runtime} runtime")),
            "{told}"
        );
        let of = |fault: &str| -> Vec<_> {
            let hops = hops.iter().filter(|hop| hop["fault"] == fault);
            hops.map(|hop| hop["why"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(code, 1, "{told}");
        assert_eq!(hops.iter().filter(|hop| hop["hop"] == "policy").count(), policies, "{told}");
        assert!(of("unknown_entity")[0].contains("on service \"dogcatcher\""), "{told}");
        assert!(of("unknown_certificate")[0].contains("on route \"dogs\""), "{told}");
        if runtime == "wasm" {
            assert!(
                of("policy_refused")[0].contains("on route \"cats\": rules[0].match.path_prefix"),
                "{told}"
            );
        }
    }
}
