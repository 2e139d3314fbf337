//! What `deploy/` holds is accepted by the programs that it is for, as far as they are installed, and fits together.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;
use spanwatch::metrics::{METRICS, PREFIX};
use support::Place;

/// The exposure that `systemd-analyze security` may find, of 10; an ordinary service has 9.6.
const EXPOSURE_MAX: f64 = 2.0;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The documents of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let documents = text.split("\n---\n").map(|document| spanwatch::yaml::parse(path, document));
    documents.map(|document| document.unwrap_or_else(|fault| panic!("{fault}"))).collect()
}

fn document(path: &str) -> Value {
    documents(path).remove(0)
}

/// What a program prints; none where it is not installed.
fn say(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let Ok(output) = Command::new(program).args(arguments).current_dir(root()).output() else {
        eprintln!("skipped: {program} is not installed; scripts/packages.sh test installs what is missing");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), said))
}

/// A program that `make test` installs beside the build.
fn linter(name: &str) -> String {
    let own = root().join("target/linters/bin").join(name);
    if own.is_file() { own.display().to_string() } else { name.to_owned() }
}

fn assert_accepted(program: &str, arguments: &[&str]) {
    if let Some((accepted, said)) = say(program, arguments) {
        assert!(accepted, "{program} {}: {said}", arguments.join(" "));
    }
}

#[test]
fn systemd_verifies_the_unit_and_finds_it_hardened() {
    let place = Place::new();
    let unit = text("deploy/systemd/spanwatch.service").replace("/usr/bin/spanwatch", env!("CARGO_BIN_EXE_spanwatch"));
    let unit = place.write("spanwatch.service", unit).display().to_string();
    if let Some((_, said)) = say("systemd-analyze", &["verify", "--man=no", &unit]) {
        let faults: Vec<&str> = said.lines().filter(|line| line.contains("spanwatch.service")).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
    if let Some((_, said)) = say("systemd-analyze", &["security", "--offline=true", "--no-pager", &unit]) {
        let exposure = Regex::new(r"exposure level for \S+: ([0-9.]+)").unwrap();
        let Some(found) = exposure.captures(&said) else { return eprintln!("skipped: {said}") };
        assert!(found[1].parse::<f64>().unwrap() <= EXPOSURE_MAX, "{said}");
    }
}

#[test]
fn the_unit_has_one_capability_and_an_unprivileged_user() {
    let unit = text("deploy/systemd/spanwatch.service");
    let values = |key: &str| -> Vec<&str> {
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
    };
    assert_eq!(values("AmbientCapabilities"), ["CAP_NET_RAW"]);
    assert_eq!(values("CapabilityBoundingSet"), ["CAP_NET_RAW"]);
    assert_eq!(values("Type"), ["notify"]);
    let user = values("User")[0];
    assert!(text("deploy/systemd/spanwatch.sysusers.conf").contains(&format!("\nu {user} ")));
}

#[test]
fn promtool_and_amtool_accept_the_shipped_files() {
    assert_accepted("promtool", &["check", "rules", "deploy/prometheus/recording.yml", "deploy/prometheus/alerts.yml"]);
    assert_accepted("promtool", &["test", "rules", "deploy/prometheus/tests/alerts.yml"]);
    assert_accepted("promtool", &["check", "config", "--syntax-only", "deploy/compose/prometheus.yml"]);
    assert_accepted("amtool", &["check-config", "deploy/alertmanager/alertmanager.yml"]);
}

fn rules(path: &str) -> Vec<Value> {
    let groups = document(path)["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// The alerts by name.
fn alerts() -> BTreeMap<String, Value> {
    let rules = rules("deploy/prometheus/alerts.yml");
    rules.into_iter().map(|rule| (rule["alert"].as_str().unwrap().to_owned(), rule)).collect()
}

#[test]
fn every_alert_has_a_severity_a_runbook_and_tests_that_see_it_fire_and_stay_quiet() {
    let tests = document("deploy/prometheus/tests/alerts.yml");
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|test| test["alert_rule_test"].as_array())
        .flatten()
        .collect();
    let mut pages = BTreeSet::new();
    for (name, rule) in alerts() {
        assert!(["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
        let page = rule["annotations"]["runbook"].as_str().unwrap();
        assert_eq!(page, format!("docs/runbooks/{name}.md"));
        assert!(text(page).starts_with(&format!("# {name}\n")), "{page}");
        pages.insert(page.to_owned());
        let mut own = cases.iter().filter(|case| case["alertname"] == *name);
        assert!(own.any(|case| case["exp_alerts"].is_array()), "no test sees {name} fire");
        let mut own = cases.iter().filter(|case| case["alertname"] == *name);
        assert!(own.any(|case| case["exp_alerts"].is_null()), "no test sees {name} quiet");
    }
    let folder = fs::read_dir(root().join("docs/runbooks")).unwrap();
    let files: BTreeSet<String> =
        folder.map(|entry| format!("docs/runbooks/{}", entry.unwrap().file_name().to_string_lossy())).collect();
    assert_eq!(files, pages, "each page is an alert's");
}

#[test]
fn rules_ask_only_for_metrics_that_exist() {
    let name = Regex::new(&format!(r"\b(?:[a-z_]+:)?{PREFIX}_[a-z_]+(?::[a-z0-9_]+)?")).unwrap();
    let mut known: BTreeSet<String> = METRICS.iter().map(|metric| format!("{PREFIX}_{}", metric.name)).collect();
    let recorded = rules("deploy/prometheus/recording.yml");
    known.extend(recorded.iter().map(|rule| rule["record"].as_str().unwrap().to_owned()));
    for rule in recorded.iter().chain(&rules("deploy/prometheus/alerts.yml")) {
        let expression = rule["expr"].as_str().unwrap();
        for found in name.find_iter(expression) {
            assert!(known.contains(found.as_str()), "{} is no metric, in {expression}", found.as_str());
        }
    }
}

#[test]
fn the_prometheus_rule_for_kubernetes_is_the_shipped_rules() {
    let resource = document("deploy/kubernetes/prometheusrule.yml");
    assert_eq!(
        (&resource["apiVersion"], &resource["kind"]),
        (&"monitoring.coreos.com/v1".into(), &"PrometheusRule".into())
    );
    let mut groups = document("deploy/prometheus/recording.yml")["groups"].as_array().unwrap().clone();
    groups.extend(document("deploy/prometheus/alerts.yml")["groups"].as_array().unwrap().clone());
    assert_eq!(resource["spec"]["groups"], Value::from(groups));
}

#[test]
fn the_kubernetes_resources_fit_together_and_run_without_root() {
    let resources =
        [documents("deploy/kubernetes/daemonset.yml"), documents("deploy/kubernetes/servicemonitor.yml")].concat();
    let of_kind = |kind: &str| resources.iter().find(|resource| resource["kind"] == kind).unwrap();
    for resource in &resources {
        assert!(resource["apiVersion"].is_string() && resource["metadata"]["name"] == "spanwatch", "{resource}");
    }
    let daemon = &of_kind("DaemonSet")["spec"];
    let labels = &daemon["template"]["metadata"]["labels"];
    for selector in [
        &daemon["selector"]["matchLabels"],
        &of_kind("Service")["spec"]["selector"],
        &of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        &of_kind("ServiceMonitor")["spec"]["selector"]["matchLabels"],
    ] {
        assert_eq!(selector, labels);
    }
    let pod = &daemon["template"]["spec"];
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(
        (&pod["securityContext"]["runAsNonRoot"], &security["readOnlyRootFilesystem"]),
        (&true.into(), &true.into())
    );
    assert_eq!(security["capabilities"], serde_json::json!({"drop": ["ALL"], "add": ["NET_RAW"]}));
    let volumes = |list: &Value| -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|volume| volume["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(volumes(&container["volumeMounts"]), volumes(&pod["volumes"]));
    assert_eq!(
        of_kind("ServiceMonitor")["spec"]["endpoints"][0]["port"],
        of_kind("Service")["spec"]["ports"][0]["name"]
    );
    let configuration = of_kind("ConfigMap")["data"]["spanwatch.yml"].as_str().unwrap();
    let configuration = spanwatch::config::Config::parse("spanwatch.yml", configuration).unwrap();
    // Whoever reaches the node reaches the console: it asks who is there, and Prometheus can answer.
    let web = configuration.server.web_config.unwrap();
    let mounted = container["volumeMounts"].as_array().unwrap().iter().find(|mount| mount["name"] == "web").unwrap();
    assert!(web.starts_with(mounted["mountPath"].as_str().unwrap()));
    let secret = &pod["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "web").unwrap()["secret"];
    let shown = &of_kind("ServiceMonitor")["spec"]["endpoints"][0]["authorization"]["credentials"];
    assert_eq!(secret["secretName"], shown["name"]);
    assert_accepted(&linter("kubernetes-validate"), &["--strict", "deploy/kubernetes/daemonset.yml"]);
}

#[test]
fn the_configurations_to_begin_with_keep_the_state_and_the_alerts_where_the_unit_lets_them() {
    let unit = text("deploy/systemd/spanwatch.service");
    assert!(unit.contains("\nStateDirectory=spanwatch\n") && unit.contains("\nLogsDirectory=spanwatch\n"));
    for file in ["deploy/spanwatch.yml", "deploy/compose/spanwatch.yml"] {
        let config = spanwatch::config::Config::parse(file, &text(file)).unwrap();
        assert_eq!(config.state.dir.as_deref(), Some(Path::new("/var/lib/spanwatch")), "{file}");
        assert_eq!(config.sinks.alerts.as_deref(), Some(Path::new("/var/log/spanwatch/alerts.jsonl")), "{file}");
    }
}

#[test]
fn logrotate_moves_the_alerts_away_and_leaves_a_file_to_write_in() {
    let place = Place::new();
    place.write("log/alerts.jsonl", "{}\n");
    let owner = "create 0640 spanwatch spanwatch";
    let shipped = text("deploy/systemd/spanwatch.logrotate");
    assert!(shipped.contains(owner) && shipped.contains("systemctl reload spanwatch"));
    let (log, reload) = (place.path("log"), place.path("reloaded"));
    let rules = shipped.replace("/var/log/spanwatch", log.to_str().unwrap()).replace(owner, "create 0640").replace(
        "systemctl --quiet is-active spanwatch && systemctl reload spanwatch",
        &format!("touch {}", reload.display()),
    );
    let rules = place.write("rules", rules);
    use std::os::unix::fs::PermissionsExt;
    for (path, mode) in [(&log, 0o750), (&rules, 0o644)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let state = place.path("state");
    let arguments = ["--force", "--state", state.to_str().unwrap(), rules.to_str().unwrap()];
    let Some((accepted, said)) = say("logrotate", &arguments) else { return };
    assert!(accepted && reload.exists(), "{said}");
    assert_eq!((place.read("log/alerts.jsonl").as_str(), place.read("log/alerts.jsonl.1").as_str()), ("", "{}\n"));
}

#[test]
fn the_compose_file_mounts_what_exists_and_publishes_nothing() {
    let compose = document("deploy/compose/compose.yml");
    let file = root().join("deploy/compose/compose.yml").display().to_string();
    let mut docker = Command::new("docker-compose");
    docker
        .args(["-f", &file, "config", "--quiet"])
        .envs([("SPANWATCH_INTERFACE", "eth1"), ("GRAFANA_PASSWORD", "secret")]);
    match docker.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("skipped: docker-compose is not installed"),
    }
    let services = compose["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["spanwatch", "prometheus", "alertmanager", "grafana"]);
    for (name, service) in services {
        assert!(service["ports"].is_null(), "{name}");
        for volume in service["volumes"].as_array().unwrap() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            let is_there = match source.starts_with('.') {
                true => root().join("deploy/compose").join(source).exists(),
                false => compose["volumes"].as_object().unwrap().contains_key(source),
            };
            assert!(is_there, "{name}: {source}");
        }
    }
}

#[test]
fn the_container_file_is_linted_and_ends_as_an_unprivileged_user() {
    let file = "deploy/container/Containerfile";
    assert_accepted(&linter("hadolint"), &[file]);
    let text = text(file);
    // The one that runs is the one that owns what it writes in.
    assert!(text.contains("groupadd --gid 9787 spanwatch ") && text.contains(" --uid 9787 --gid 9787 "), "{text}");
    let stage = text.rsplit("\nFROM ").next().unwrap();
    assert!(stage.contains("\nUSER 9787:9787\n") && stage.contains("\nENTRYPOINT ["), "{stage}");
    let copied = Regex::new(r"COPY --from=build /src/(\S+)").unwrap();
    for found in copied.captures_iter(stage) {
        assert!(found[1].starts_with("target/") || root().join(&found[1]).exists(), "{}", &found[1]);
    }
}

#[test]
fn links_of_the_guide_and_the_runbooks_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:]+)\)").unwrap();
    let runbooks = fs::read_dir(root().join("docs/runbooks")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<PathBuf> = runbooks.chain([root().join("deploy/README.md")]).collect();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for found in link.captures_iter(&text) {
            assert!(page.parent().unwrap().join(&found[1]).exists(), "{}: {}", page.display(), &found[1]);
        }
    }
}
