use super::*;

#[test]
fn the_example_parses_and_says_the_defaults() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/spanwatch.example.yml");
    let example = Config::load(Path::new(path)).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(format!("{example:#?}"), format!("{:#?}", Config::default()));
}

#[test]
fn the_example_is_complete_and_so_is_the_manual() {
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (example, manual) = (read("spanwatch.example.yml"), read("docs/configuration.md"));
    for key in members(&format!("{:#?}", Config::default())) {
        assert!(example.contains(&format!("{key}:")), "{key} is not in the example");
        assert!(manual.contains(&format!("{key}`")), "{key} is not in the manual");
    }
}

/// The names of the members in a value's `Debug` form.
fn members(debug: &str) -> Vec<String> {
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let names = debug.lines().filter_map(|line| line.trim().split_once(": ").map(|(name, _)| name)).filter(is_name);
    // The home networks are those of `networks`.
    names.filter(|name| *name != "home_networks").map(String::from).collect()
}

#[test]
fn what_only_a_restart_changes_is_named() {
    let parse = |text| Config::parse("spanwatch.yml", text).unwrap();
    let running = parse("networks: [{name: office, roles: [workstations], prefixes: [10.1.0.0/16]}]");
    assert_eq!(running.fixed_sections_changed(&running), [""; 0]);
    let new = parse("shards: 2\nsinks: {events: e.jsonl}\nsanctioned: [{product: anydesk}]\n");
    assert_eq!(running.fixed_sections_changed(&new), ["shards", "flow", "sinks"], "home networks decide directions");
}

#[test]
fn shards_share_the_limits_of_the_sensor() {
    let config = Config::parse("spanwatch.yml", "flow: {flows_max: 10, buffers_bytes_max: 1MiB}").unwrap();
    let shard = config.shard(3);
    assert_eq!((shard.flow.flows_max, shard.flow.buffers_bytes_max), (4, 349_526));
    assert!(!shard.flow.home_networks.is_empty(), "private addresses are home where no network is named");
}
