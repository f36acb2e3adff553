//! A Prometheus that scrapes a gateway and has the rules in force.

use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::Telling;
use crate::rules;
use crate::tools::{find, get};

#[test]
fn a_certificate_near_its_end_fires_the_alert() {
    let gateway = Telling::for_another(time::Duration::hours(20));
    let Some(prometheus) = Prometheus::scrape(&gateway.status()) else { return };
    let alert = prometheus.wait_for("UpstreamMtlsExpiresIn1Day");
    assert_eq!(alert["state"], "firing", "{alert}");
    assert_eq!(alert["labels"]["name"], "kong-client", "{alert}");
    assert_eq!(alert["labels"]["severity"], "critical", "{alert}");
    // The authority lasts ten years, and nothing else is wrong.
    let names = prometheus.alerts().into_iter().map(|alert| alert["labels"]["alertname"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["UpstreamMtlsExpiresIn1Day"]);
}

struct Prometheus {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl Prometheus {
    /// `None`: there is no Prometheus here, which was said.
    fn scrape(target: &str) -> Option<Self> {
        let mut command = find("prometheus")?;
        let directory = tempfile::tempdir().unwrap();
        rules::write(directory.path());
        let config = json!({
            "global": { "scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms" },
            "rule_files": ["rules.yml"],
            "scrape_configs": [{ "job_name": "gateway", "static_configs": [{ "targets": [target] }] }],
        });
        std::fs::write(directory.path().join("prometheus.yml"), config.to_string()).unwrap();
        let mut process = command
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg("--web.listen-address=127.0.0.1:0")
            .current_dir(directory.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = process.stderr.take().unwrap();
        let mut running = Self { process, address: String::new(), _directory: directory };
        running.address = listening(log);
        Some(running)
    }

    fn alerts(&self) -> Vec<Value> {
        let answer = get(&format!("http://{}/api/v1/alerts", self.address));
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        answer["data"]["alerts"].as_array().cloned().unwrap_or_default()
    }

    fn wait_for(&self, name: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let alerts = self.alerts();
            if let Some(alert) = alerts.iter().find(|alert| alert["labels"]["alertname"] == name) {
                return alert.clone();
            }
            assert!(Instant::now() < until, "no {name}, but {alerts:?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where it listens, by its log; which is read to its end, for one that is not read stops the process that writes it.
fn listening(log: impl std::io::Read + Send + 'static) -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        use std::io::BufRead;
        for line in std::io::BufReader::new(log).lines().map_while(Result::ok) {
            let _ = tell.send(line);
        }
    });
    let until = Instant::now() + PATIENCE;
    let mut lines = Vec::new();
    loop {
        let Ok(line) = told.recv_timeout(until.saturating_duration_since(Instant::now())) else {
            panic!("Prometheus does not listen:\n{}", lines.join("\n"));
        };
        let address = line.split_once("address=").map(|(_, rest)| rest.split(' ').next().unwrap_or(rest));
        match address.map(|address| address.trim_matches('"')) {
            Some(address) if line.contains("Listening on") && !address.ends_with(":0") => {
                return address.to_owned();
            }
            _ => lines.push(line),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
