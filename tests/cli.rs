//! Every fault that a user can cause has its exact message and exit code, and loses nothing that was written.

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;

use support::{HEADER_BYTES, Outcome, Place, RECORD_BYTES, pcap, signal};

/// Asserts that the sensor did not start, and why.
fn refused(outcome: &Outcome, message: &str) {
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(2), format!("spanwatch: {message}\n").as_str()));
    assert_eq!(outcome.stdout, "");
}

mod captures {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let outcome = Place::new().run(&["replay", "missing.pcap"]);
        refused(&outcome, "missing.pcap: no such file; check the path, or give - for standard input");
    }

    #[test]
    fn a_directory_is_no_capture() {
        refused(&Place::new().run(&["replay", "."]), ".: is a directory; name the capture files in it");
    }

    #[test]
    fn an_empty_file_is_no_capture() {
        let place = Place::new();
        place.write("empty.pcap", "");
        refused(
            &place.run(&["replay", "empty.pcap"]),
            "empty.pcap: not a capture file: it is empty; give a file that tcpdump, dumpcap or Wireshark wrote",
        );
    }

    #[test]
    fn any_other_file_is_no_capture() {
        let place = Place::new();
        place.write("notes.txt", "Some notes");
        refused(
            &place.run(&["replay", "notes.txt"]),
            "notes.txt: not a capture file: it begins with 53 6f 6d 65, which is neither pcap nor pcapng, plain or \
             compressed by gzip or zstd; give a file that tcpdump, dumpcap or Wireshark wrote",
        );
    }

    #[test]
    fn a_file_without_permission_is_named() {
        let place = Place::new();
        let path = place.write("secret.pcap", pcap(1));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let mut command = place.command(&["replay", "secret.pcap"]);
        if fs::read(&path).is_ok() {
            // Root may read everything, so the sensor is started as nobody, from where nobody may start it.
            let binary = place.path("spanwatch");
            fs::copy(env!("CARGO_BIN_EXE_spanwatch"), &binary).unwrap();
            for open in [binary.as_path(), binary.parent().unwrap()] {
                fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
            }
            command = std::process::Command::new(binary);
            command.args(["replay", "secret.pcap"]).current_dir(place.path("")).uid(65534);
        }
        refused(
            &command.output().unwrap().into(),
            "secret.pcap: permission denied; let the user that runs spanwatch read it",
        );
    }

    #[test]
    fn a_capture_that_is_still_being_written_is_read_to_its_end() {
        let place = Place::new();
        place.write("whole.pcap", pcap(3));
        place.write("cut.pcap", &pcap(4)[..HEADER_BYTES + 3 * RECORD_BYTES + 20]);
        let whole = place.run(&["replay", "--events", "whole.jsonl", "whole.pcap"]);
        assert_eq!((whole.code, whole.stderr.as_str()), (Some(0), ""));
        let cut = place.run(&["replay", "--events", "cut.jsonl", "cut.pcap"]);
        let warning = "spanwatch: warning: cut.pcap: ends at byte 210 within a record; every frame before it was read, \
                       the rest was never written or was cut off\n";
        assert_eq!((cut.code, cut.stderr.as_str()), (Some(0), warning));
        assert_eq!(place.read("cut.jsonl"), place.read("whole.jsonl"));
        assert!(!place.read("cut.jsonl").is_empty());
    }

    #[test]
    fn a_damaged_capture_is_read_up_to_the_damage() {
        for shards in ["1", "3"] {
            let place = Place::new();
            place.write("whole.pcap", pcap(3));
            let mut bytes = pcap(4);
            bytes[HEADER_BYTES + 3 * RECORD_BYTES + 8..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
            place.write("damaged.pcap", bytes);
            place.run(&["replay", "--events", "whole.jsonl", "whole.pcap"]);
            let outcome = place.run(&["replay", "--shards", shards, "--events", "damaged.jsonl", "damaged.pcap"]);
            let fault = "spanwatch: damaged.pcap: damaged at byte 210: a frame of 4294967295 bytes is longer than the \
                         262144 that are read; every frame before it was read, what follows it is lost\n";
            assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), fault));
            assert!(outcome.stdout.contains("\nPackets   3 (138 B), 3 flows\n"), "{}", outcome.stdout);
            assert_eq!(place.read("damaged.jsonl"), place.read("whole.jsonl"));
        }
    }

    #[test]
    fn the_standard_input_is_read_to_its_end() {
        let place = Place::new();
        let mut child = place
            .command(&["replay", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&pcap(2)).unwrap();
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        assert!(outcome.stdout.contains("\nPackets   2 (92 B), 2 flows\n"), "{}", outcome.stdout);
    }

    #[test]
    fn an_interrupted_replay_writes_what_it_has_read() {
        let place = Place::new();
        let mut child = place
            .command(&["replay", "--shards", "1", "--events", "events.jsonl", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&pcap(2)).unwrap();
        // The pipe stays open, as that of a program that captures; give the sensor the time to listen for signals.
        std::thread::sleep(std::time::Duration::from_millis(500));
        signal(&child, "INT");
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        let fault = "spanwatch: interrupted; the summary and the files tell what was read until then\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), fault));
        drop(input);
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let place = Place::new();
        place.write("a.pcap", pcap(1));
        let outcome = place.run(&["replay", "--filter", "tcp prot 22", "a.pcap"]);
        assert_eq!(outcome.code, Some(2));
        let message = outcome.stderr.strip_prefix("spanwatch: capture filter \"tcp prot 22\" ").unwrap();
        assert!(
            message.ends_with("; the language is that of the manual page pcap-filter(7)\n")
                || message.contains("resolves no names"),
            "{message}"
        );
    }

    #[test]
    fn a_filter_selects_and_the_rest_is_counted() {
        let place = Place::new();
        place.write("a.pcap", pcap(5));
        let outcome = place.run(&["replay", "--filter", "src port 1026", "a.pcap"]);
        assert!(outcome.stdout.contains("\nPackets   1 (46 B), 1 flows\nSkipped   filtered 4\n"), "{}", outcome.stdout);
    }

    #[test]
    fn no_interface_to_watch_is_said_with_the_remedy() {
        refused(
            &Place::new().run(&["run"]),
            "no interface to watch; give --interface NAME, or set capture.interface in the configuration",
        );
    }

    #[test]
    fn an_unknown_interface_is_refused_with_the_known_ones() {
        let place = Place::new();
        place.write("spanwatch.yml", "server: {listen: \"127.0.0.1:0\"}");
        let outcome = place.run(&["run", "--config", "spanwatch.yml", "--interface", "no-such-nic"]);
        assert_eq!(outcome.code, Some(2));
        let known = "spanwatch: interface no-such-nic: no such interface; the interfaces here are: ";
        assert!(outcome.stderr.starts_with(known), "{}", outcome.stderr);
    }
}

mod configuration {
    use super::*;

    fn check(text: &str) -> Outcome {
        let place = Place::new();
        place.write("spanwatch.yml", text);
        place.run(&["check", "--config", "spanwatch.yml"])
    }

    #[test]
    fn a_missing_file_is_named() {
        refused(
            &Place::new().run(&["replay", "--config", "missing.yml", "a.pcap"]),
            "missing.yml: cannot read the configuration: No such file or directory (os error 2)",
        );
    }

    #[test]
    fn an_unknown_key_is_shown_with_the_nearest_known_one() {
        refused(
            &check("flow:\n  flow_max: 10\n"),
            "spanwatch.yml:2:3: unknown key `flow_max`; did you mean `flows_max`?\n  |\n2 |   flow_max: 10\n  |   ^",
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_shown() {
        refused(
            &check("capture:\n  promiscuous: yes\n"),
            "spanwatch.yml:2:16: expected true or false\n  |\n2 |   promiscuous: yes\n  |                ^",
        );
        refused(
            &check("server:\n  listen: 9787\n"),
            "spanwatch.yml:2:11: `9787` is not an address and a port such as 127.0.0.1:9787 or [::1]:9787\n  |\n2 |   listen: 9787\n  |           ^",
        );
    }

    #[test]
    fn a_duration_without_a_unit_is_shown() {
        refused(
            &check("flow:\n  idle:\n    tcp_open: 600\n"),
            "spanwatch.yml:3:15: `600` is not a duration such as 90s or 10m: the units are ns, us, ms, s, m, h, d\n  \
             |\n3 |     tcp_open: 600\n  |               ^",
        );
    }

    #[test]
    fn a_network_with_host_bits_is_shown_with_the_right_one() {
        refused(
            &check("networks:\n  - name: office\n    roles: [workstations]\n    prefixes: [10.20.3.7/16]\n"),
            "spanwatch.yml:4:16: `10.20.3.7/16` has host bits set: the network is 10.20.0.0/16\n  \
             |\n4 |     prefixes: [10.20.3.7/16]\n  |                ^",
        );
    }

    #[test]
    fn a_network_that_stands_twice_is_shown() {
        let office = "{name: office, roles: [workstations], prefixes: [10.20.0.0/16]}";
        let guests = "{name: guests, roles: [guest], prefixes: [10.20.0.0/16]}";
        refused(
            &check(&format!("networks:\n  - {office}\n  - {guests}\n")),
            &format!(
                "spanwatch.yml:3:5: 10.20.0.0/16 belongs to both \"office\" and \"guests\"; leave it in one of them\n  \
                 |\n3 |   - {guests}\n  |     ^"
            ),
        );
    }

    #[test]
    fn a_database_that_is_missing_or_none_is_named() {
        refused(
            &check("geo: {databases: [country.mmdb]}"),
            "country.mmdb: i/o error: No such file or directory (os error 2); give the path of a MaxMind-format database (.mmdb)",
        );
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let place = Place::new();
        place.write("etc/spanwatch.yml", "rules: {directory: policy}");
        place.write("etc/policy/data/products.yml", "[]");
        let outcome = place.run(&["check", "--config", "etc/spanwatch.yml"]);
        assert_eq!(outcome.code, Some(0));
        assert_eq!(outcome.stdout.lines().next(), Some("The configuration and 0 rules of etc/policy are valid."));
    }

    #[test]
    fn no_configuration_and_no_rules_are_valid() {
        let outcome = Place::new().run(&["check"]);
        let expected = "The configuration is valid. No directory of rules was found.\n\
            Silent: always_on, co_outage, overlapping_tunnels; to wake them, give a network under `networks` the role \
            `vpn_gateway`.\n\
            Not kept: what is learnt ends with the process; to keep it, set state.dir.\n\
            Not told: alerts show on the console alone; to write or send them, set sinks.alerts or sinks.push.\n";
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), expected));
    }

    #[test]
    fn a_detector_that_has_what_it_needs_is_not_silent() {
        let place = Place::new();
        let more = "state: {dir: state}\nsinks: {alerts: alerts.jsonl}";
        place.write(
            "spanwatch.yml",
            format!("networks: [{{name: g, roles: [vpn_gateway], prefixes: [192.0.2.1/32]}}]\n{more}"),
        );
        let outcome = place.run(&["check", "--config", "spanwatch.yml"]);
        assert_eq!(outcome.code, Some(0));
        assert!(!outcome.stdout.contains("overlapping_tunnels"), "{}", outcome.stdout);
        assert!(!outcome.stdout.contains("Not "), "{}", outcome.stdout);
    }
}

mod rules {
    use super::*;
    use crate::support::RULES;

    fn rule(detection: &str) -> String {
        format!(
            "title: A remote desktop\n\
             id: 6f4922f4-5568-4e36-9f4b-4a2a3f6c6f10\n\
             name: a_remote_desktop\n\
             status: experimental\n\
             description: Somebody drives a machine from another one.\n\
             logsource:\n  product: spanwatch\n  category: remote_desktop\n\
             detection:\n{detection}  condition: selection\n\
             falsepositives: [the help desk]\n\
             tags: [attack.t1219.002]\n\
             level: medium\n\
             spanwatch:\n  family: remote_control\n  weight: 1.0\n  suppress: 1h\n  evidence: {{fires: [a], quiet: [b]}}\n"
        )
    }

    #[test]
    fn a_regular_expression_that_is_none_is_shown() {
        let place = Place::new();
        place.write("policy/remote/a_remote_desktop.yml", rule("  selection:\n    source.ip|re: 'a('\n"));
        refused(
            &place.run(&["check", "--rules", "policy"]),
            "policy/remote/a_remote_desktop.yml:9:1: invalid regex pattern: regex parse error:\n    a(\n     ^\n\
             error: unclosed group\n  |\n9 | detection:\n  | ^",
        );
    }

    #[test]
    fn what_a_configuration_names_for_the_edge_is_looked_into() {
        let place = Place::new();
        place.write("file", "");
        place.write("short.key", "secret\n");
        place.write("empty.pem", "");
        place.write(
            "web.yml",
            "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\nbasic_auth_users: {}\n",
        );
        let config = "\
server: {web_config: web.yml}
metrics:
  entity_risk: {key_file: none.key}
sinks:
  push:
    alertmanager:
      servers:
        - url: \"http://127.0.0.1:9093\"
        - {url: \"alerts.example.org\"}
    syslog: {address: \"logs.example.org:6514\", ca_file: empty.pem}
    webhook: {url: \"http://127.0.0.1:1\", bearer_token_file: webhook.token}
    queue: {directory: file/queue}
    pseudonym_key_file: short.key
";
        place.write("spanwatch.yml", config);
        let caret = |line: usize, column: usize| {
            let text = config.lines().nth(line - 1).unwrap();
            let margin = " ".repeat(line.to_string().len());
            format!("\n{margin} |\n{line} | {text}\n{margin} | {}^", " ".repeat(column - 1))
        };
        let expected = [
            "web.yml:2:14: cannot use server.pem for TLS: I/O error: No such file or directory (os error 2)\n  |\n2 |   \
             cert_file: server.pem\n  |              ^"
                .to_owned(),
            "spanwatch.yml:3:27: none.key: cannot read the secret: No such file or directory (os error 2)".to_owned()
                + &caret(3, 27),
            "spanwatch.yml:9:17: alertmanager: `alerts.example.org` is no address; write http:// or https://, host, \
             port and path"
                .to_owned()
                + &caret(9, 17),
            "spanwatch.yml:10:57: empty.pem: cannot read certificates: there is no certificate in it".to_owned()
                + &caret(10, 57),
            "spanwatch.yml:11:61: webhook.token: cannot read the secret: No such file or directory (os error 2)".to_owned()
                + &caret(11, 61),
            "spanwatch.yml:13:25: short.key: the key for pseudonyms has 6 bytes and needs 32; `openssl rand -hex 32` \
             makes one"
                .to_owned()
                + &caret(13, 25),
            "spanwatch.yml:12:24: push: cannot keep what waits in file/queue: not a directory; set \
             sinks.push.queue.directory to a folder that can be written in"
                .to_owned()
                + &caret(12, 24),
        ];
        refused(&place.run(&["check", "--config", "spanwatch.yml", "--rules", RULES]), &expected.join("\n"));
        assert!(!place.path("file/queue").exists());
    }

    #[test]
    fn a_web_configuration_that_is_not_there_is_blamed_on_the_key_that_names_it() {
        let place = Place::new();
        place.write("spanwatch.yml", "server:\n  web_config: web.yml\n");
        refused(
            &place.run(&["check", "--config", "spanwatch.yml", "--rules", RULES]),
            "spanwatch.yml:2:15: web.yml: cannot read the web configuration: No such file or directory (os error 2)\n  \
             |\n2 |   web_config: web.yml\n  |               ^",
        );
    }

    #[test]
    fn a_threshold_that_everybody_reaches_is_refused() {
        let place = Place::new();
        place.write("spanwatch.yml", "risk:\n  threshold: 0\n");
        refused(
            &place.run(&["check", "--config", "spanwatch.yml", "--rules", RULES]),
            "spanwatch.yml:2:14: 0 is not a number above 0\n  |\n2 |   threshold: 0\n  |              ^",
        );
    }

    #[test]
    fn faults_of_configuration_and_rules_are_all_told() {
        let place = Place::new();
        place.write("spanwatch.yml", "colour: red\n");
        place.write("policy/remote/a_remote_desktop.yml", rule("  selection:\n    source.adress: 10.0.0.1\n"));
        refused(
            &place.run(&["check", "--config", "spanwatch.yml", "--rules", "policy"]),
            "spanwatch.yml:1:1: unknown key `colour`; known are shards, capture, decode, flow, networks, inventory, \
             sanctioned, address_classes, geo, activity, detect, risk, limits, history, rules, server, metrics, sinks, \
             state, evidence_captures\n  |\n1 | colour: red\n  | ^\n\
             policy/remote/a_remote_desktop.yml:11:5: unknown field `source.adress`; did you mean `source.bytes`?\n   \
             |\n11 |     source.adress: 10.0.0.1\n   |     ^",
        );
    }

    #[test]
    fn a_rule_explains_itself() {
        let place = Place::new();
        place.write("policy/remote/a_remote_desktop.yml", rule("  selection:\n    source.ip|exists: true\n"));
        let list = place.run(&["rules", "list", "--rules", "policy"]);
        assert_eq!(list.stdout, "medium         a_remote_desktop                          A remote desktop\n");
        let explained = place.run(&["rules", "explain", "--rules", "policy", "a_remote_desktop"]).stdout;
        for said in
            ["Somebody drives a machine from another one.", "T1219.002", "\nIt may be innocent:\n\n  - the help desk\n"]
        {
            assert!(explained.contains(said), "{explained}");
        }
        refused(
            &place.run(&["rules", "explain", "--rules", "policy", "a_remote_dekstop"]),
            "no rule has the name or id `a_remote_dekstop`; did you mean `a_remote_desktop`?",
        );
    }

    #[test]
    fn without_rules_there_is_nothing_to_list() {
        refused(&Place::new().run(&["rules", "list"]), "no directory of rules was found; name one with --rules DIR");
    }
}

mod outputs {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let place = Place::new();
        place.write("a.pcap", pcap(1));
        refused(
            &place.run(&["replay", "--events", "no/such/events.jsonl", "a.pcap"]),
            "events: cannot open no/such/events.jsonl: No such file or directory (os error 2)",
        );
    }

    #[test]
    fn one_file_cannot_be_both() {
        let place = Place::new();
        place.write("a.pcap", pcap(1));
        refused(
            &place.run(&["replay", "--events", "out.jsonl", "--alerts", "out.jsonl", "a.pcap"]),
            "events and alerts both go to out.jsonl; give each its own file",
        );
    }

    #[test]
    fn a_full_disk_ends_the_replay_with_what_is_known() {
        let place = Place::new();
        place.write("a.pcap", pcap(3));
        let outcome = place.run(&["replay", "--events", "/dev/full", "a.pcap"]);
        let fault = "spanwatch: events: cannot write to /dev/full: No space left on device (os error 28); the 0 lines \
                     before are complete\n";
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(1), fault));
        assert!(outcome.stdout.starts_with("Time "), "{}", outcome.stdout);
    }

    #[test]
    fn a_closed_pipe_ends_the_replay_with_what_is_known() {
        let place = Place::new();
        place.write("a.pcap", pcap(3));
        let mut child = place
            .command(&["replay", "--events", "-", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(&pcap(3)).unwrap();
        let outcome = Outcome::from(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, Some(1));
        let fault = "spanwatch: events: cannot write to the standard output: Broken pipe (os error 32); the 0 lines \
                     before are complete\n";
        assert!(outcome.stderr.ends_with(fault), "{}", outcome.stderr);
    }

    #[test]
    fn events_on_the_standard_output_leave_the_summary_to_the_other() {
        let place = Place::new();
        place.write("a.pcap", pcap(1));
        let outcome = place.run(&["replay", "--events", "-", "a.pcap"]);
        assert_eq!(outcome.code, Some(0));
        assert!(outcome.stdout.lines().all(|line| line.starts_with('{')) && !outcome.stdout.is_empty());
        assert!(outcome.stderr.starts_with("Time "), "{}", outcome.stderr);
    }

    #[test]
    fn an_address_in_use_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap();
        let place = Place::new();
        place.write("spanwatch.yml", format!("server: {{listen: \"{listen}\"}}"));
        refused(
            &place.run(&["run", "--config", "spanwatch.yml", "--interface", "lo"]),
            &format!(
                "cannot listen on {listen}: Address already in use (os error 98); set server.listen to a free address"
            ),
        );
    }
}

#[test]
fn an_alert_of_the_summary_names_the_device_as_people_call_it() {
    let root = env!("CARGO_MANIFEST_DIR");
    let rules = format!("{root}/rules");
    let about = |scenario: &str| {
        let capture = format!("{root}/pcaps/{scenario}/capture.pcap");
        let outcome = Place::new().run(&["replay", "--rules", &rules, &capture]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome.stdout.lines().find_map(|line| line.trim().strip_prefix("about     ").map(str::to_owned)).unwrap()
    };
    assert_eq!(about("ip-kvm-asks-for-address"), "the device pikvm (2b98a886e7da6314)");
    assert_eq!(about("beacon-in-clear"), "the device 10.10.1.21 (aa94f545733f8e0a)");
}

#[test]
fn the_help_tells_the_exit_codes() {
    let outcome = Place::new().run(&["--help"]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.contains("\nExit codes:\n  0  done\n"), "{}", outcome.stdout);
}
