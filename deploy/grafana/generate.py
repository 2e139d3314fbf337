#!/usr/bin/env python3
"""Writes the dashboards beside it: `deploy/grafana/generate.py`. A test holds them to be what this writes.

Every panel asks the metrics of docs/metrics.md or the recording rules of deploy/prometheus/recording.yml.
"""

import json
import pathlib

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
OF = '{job="spanwatch", instance=~"$instance"}'
COLUMNS = 24


def of(*labels):
    return "{" + ", ".join(['job="spanwatch"', 'instance=~"$instance"', *labels]) + "}"


class Dashboard:
    def __init__(self, uid, title, description):
        self.uid, self.title, self.description = uid, title, description
        self.panels, self.x, self.y, self.height = [], 0, 0, 0

    def row(self, title):
        self.break_line()
        self.place({"type": "row", "title": title, "collapsed": False, "panels": []}, COLUMNS, 1)

    def panel(self, kind, title, queries, width=12, height=8, unit="short", description="", **options):
        exemplars = {"exemplar": True} if options.pop("exemplars", False) else {}
        targets = [
            {"refId": chr(65 + number), "datasource": SOURCE, "expr": expression, "legendFormat": legend,
             "instant": kind in ("stat", "table"), "range": kind not in ("stat", "table"),
             **exemplars, **({"format": "table"} if kind == "table" else {})}
            for number, (expression, legend) in enumerate(queries)
        ]
        defaults = {"unit": unit, "min": 0, "custom": {}, "mappings": [], "color": {"mode": "palette-classic"},
                    "thresholds": options.pop("thresholds", steps(("green", None)))}
        if kind == "stat":
            defaults["color"] = {"mode": "thresholds"}
        if kind == "timeseries":
            defaults["custom"] = {"lineWidth": 1, "fillOpacity": 15, "showPoints": "never",
                                  "stacking": {"mode": options.pop("stacking", "none"), "group": "A"}}
        self.place({
            "type": kind, "title": title, "description": description, "datasource": SOURCE, "targets": targets,
            "fieldConfig": {"defaults": defaults, "overrides": []},
            "options": {**OPTIONS.get(kind, {}), **options.pop("options", {})}, **options,
        }, width, height)

    def place(self, panel, width, height):
        if self.x + width > COLUMNS:
            self.break_line()
        panel["id"] = len(self.panels) + 1
        panel["gridPos"] = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.panels.append(panel)
        self.x, self.height = self.x + width, max(self.height, height)

    def break_line(self):
        self.x, self.y, self.height = 0, self.y + self.height, 0

    def to_json(self):
        return {
            "uid": self.uid, "title": self.title, "description": self.description, "tags": ["spanwatch"],
            "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s",
            "time": {"from": "now-24h", "to": "now"}, "timezone": "utc", "annotations": {"list": []},
            "links": [
                {"type": "dashboards", "title": "spanwatch", "tags": ["spanwatch"], "asDropdown": False, "keepTime": True,
                 "includeVars": True, "icon": "external link", "targetBlank": False, "tooltip": "", "url": ""},
                {"type": "link", "title": "Investigate", "url": "${console}/#/incidents", "icon": "external link",
                 "targetBlank": True, "keepTime": False, "includeVars": False, "asDropdown": False, "tags": [],
                 "tooltip": "The sensor's console"},
            ],
            "templating": {"list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
                 "hide": 0, "options": [], "current": {}},
                {"name": "instance", "label": "Sensor", "type": "query", "datasource": SOURCE, "refresh": 2, "sort": 1,
                 "query": {"query": 'label_values(up{job="spanwatch"}, instance)', "refId": "instance"}, "hide": 0,
                 "multi": True, "includeAll": True, "allValue": ".*", "options": [], "current": {"text": "All", "value": "$__all"}},
                {"name": "console", "label": "Console", "type": "textbox", "query": "http://127.0.0.1:9787", "hide": 0,
                 "options": [], "current": {"text": "http://127.0.0.1:9787", "value": "http://127.0.0.1:9787"}},
            ]},
            "panels": self.panels,
        }


OPTIONS = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background",
             "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto"},
    "timeseries": {"legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull"], "showLegend": True},
                   "tooltip": {"mode": "multi", "sort": "desc"}},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "bargauge": {"displayMode": "basic", "orientation": "horizontal", "showUnfilled": True,
                 "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}},
}


def steps(*pairs):
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in pairs]}


BAD_ABOVE_ZERO = steps(("green", None), ("red", 1))
HALF = 'threshold_share="0.5"'
RELAYED = 'le="0.075"'
SEVERE = 'level=~"high|critical"'
GOOD_ABOVE_ZERO = steps(("red", None), ("green", 1))
SHARE = steps(("green", None), ("orange", 0.01), ("red", 0.05))


def overview():
    board = Dashboard("spanwatch-overview", "Overview for the SOC", "What needs somebody's time, and whether the sensors can be trusted.")
    board.panel("stat", "Incidents open", [(f"sum(spanwatch_incidents_open{OF})", "")], 6, 5, thresholds=BAD_ABOVE_ZERO, links=CONSOLE)
    board.panel("stat", "Severe alerts, 24 h", [(f"sum(increase(spanwatch_alerts_total{of(SEVERE)}[24h])) or vector(0)", "")], 6, 5, thresholds=BAD_ABOVE_ZERO)
    board.panel("stat", "Sensors up", [(f"sum(up{OF})", "")], 6, 5, thresholds=GOOD_ABOVE_ZERO)
    board.panel("stat", "Rules in force", [(f"min(spanwatch_rules{OF})", "")], 6, 5, thresholds=GOOD_ABOVE_ZERO)
    board.panel("table", "Alerts by rule, ever", [(f"sort_desc(sum by (rule, level) (spanwatch_alerts_total{OF}) > 0)", "")], 12, 10)
    board.panel("timeseries", "Alerts by level, an hour", [(f"sum by (level) (increase(spanwatch_alerts_total{OF}[1h]))", "{{level}}")], 12, 10, stacking="normal")
    board.panel("timeseries", "Findings by detector, an hour", [(f"sum by (detector) (increase(spanwatch_findings_total{OF}[1h]))", "{{detector}}")])
    board.panel("timeseries", "Known, by kind", [(f"sum by (kind) (spanwatch_entities{OF})", "{{kind}}")])
    return board


def remote_access():
    desktop = 'protocol=~"rdp|rfb|ica|nx|x11|radmin|teamviewer|xdmcp|spice"'
    tunnel = 'protocol=~"openvpn|wireguard|ike|esp|softether|tailscale|tinc|l2tp|pptp|dtls|nebula|zerotier"'
    board = Dashboard("spanwatch-remote-access", "Remote access and VPN", "Which ways in and out are used, and how much.")
    board.panel("timeseries", "Remote desktops begun, a minute", [(f"sum by (protocol) (rate(spanwatch_sessions_total{of(desktop)}[5m])) * 60", "{{protocol}}")], stacking="normal")
    board.panel("timeseries", "Tunnels begun, a minute", [(f"sum by (protocol) (rate(spanwatch_sessions_total{of(tunnel)}[5m])) * 60", "{{protocol}}")], stacking="normal")
    shell = 'protocol=~"ssh|telnet|rlogin|rsh"'
    board.panel("timeseries", "Shells begun, a minute", [(f"sum by (protocol) (rate(spanwatch_sessions_total{of(shell)}[5m])) * 60", "{{protocol}}")])
    board.panel("timeseries", "Flows by product, an hour", [(f"topk(15, sum by (product) (increase(spanwatch_product_flows_total{OF}[1h])))", "{{product}}")])
    board.panel("table", "Products in use, ever", [(f"sort_desc(sum by (product) (spanwatch_product_flows_total{OF}))", "")], 12, 10)
    board.panel("table", "Sessions by protocol, ever", [(f"sort_desc(sum by (protocol) (spanwatch_sessions_total{OF}) > 0)", "")], 12, 10)
    board.panel("timeseries", "VPNs ended by whose way they are, an hour", [(f"sum by (class) (increase(spanwatch_vpn_sessions_total{OF}[1h]))", "{{class}}")], stacking="normal")
    not_own = 'sanctioned="false"'
    board.panel("timeseries", "Products in use that are not the organisation's, an hour", [(f"topk(15, sum by (product) (increase(spanwatch_product_flows_total{of(not_own)}[1h])))", "{{product}}")])
    board.panel("timeseries", "Length of sessions, 95th percentile", [(f"histogram_quantile(0.95, sum by (through, le) (rate(spanwatch_session_duration_seconds_bucket{OF}[1h])))", "{{through}}")], unit="s")
    board.panel("timeseries", "Round-trip excess, 95th percentile", [(f"histogram_quantile(0.95, sum by (instance, le) (rate(spanwatch_round_trip_excess_seconds_bucket{OF}[1h])))", "{{instance}}")], unit="s")
    board.panel("timeseries", "Facts by kind, a minute", [(f"sum by (kind) (rate(spanwatch_facts_total{OF}[5m])) * 60", "{{kind}}")], 24, 8)
    return board


def health():
    board = Dashboard("spanwatch-health", "Mirror and sensor health", "Whether the mirror brings everything, and the sensor keeps up.")
    board.row("The mirror")
    board.panel("stat", "Since the last packet", [(f"time() - max by (instance) (spanwatch_last_packet_timestamp_seconds{OF})", "{{instance}}")], 6, 6, "s", thresholds=steps(("green", None), ("orange", 60), ("red", 600)))
    board.panel("stat", "Lost before they were read", [("max(instance:spanwatch_packets_dropped:ratio_rate5m" + OF + ")", "")], 6, 6, "percentunit", thresholds=SHARE)
    board.panel("stat", "TCP flows of one side", [("max(instance:spanwatch_tcp_flows_one_sided:ratio_rate15m" + OF + ")", "")], 6, 6, "percentunit", thresholds=steps(("green", None), ("orange", 0.2), ("red", 0.5)))
    board.panel("stat", "Payload that was never seen", [("max(instance:spanwatch_payload_lost:ratio_rate15m" + OF + ")", "")], 6, 6, "percentunit", thresholds=SHARE)
    board.panel("timeseries", "Packets", [("instance:spanwatch_packets:rate5m" + OF, "{{instance}}")], unit="pps")
    board.panel("timeseries", "Bytes", [("instance:spanwatch_packet_bytes:rate5m" + OF, "{{instance}}")], unit="Bps")
    board.panel("timeseries", "Dropped, by place", [(f"sum by (instance, place) (rate(spanwatch_packets_dropped_total{OF}[5m]))", "{{instance}} {{place}}")], unit="pps")
    board.panel("timeseries", "Part of no flow, by reason", [(f"sum by (reason) (rate(spanwatch_packets_skipped_total{OF}[5m]))", "{{reason}}")], unit="pps")
    board.panel("timeseries", "Unwrapped, by encapsulation", [(f"sum by (encapsulation) (rate(spanwatch_packets_unwrapped_total{OF}[5m]))", "{{encapsulation}}")], unit="pps")
    board.panel("timeseries", "Fragmented datagrams", [(f"sum by (outcome) (rate(spanwatch_fragmented_datagrams_total{OF}[5m]))", "{{outcome}}")], unit="ops")
    board.row("The sensor")
    board.panel("timeseries", "Flows in the tables", [(f"spanwatch_flows_active{OF}", "{{instance}}")])
    board.panel("timeseries", "Memory", [(f"process_resident_memory_bytes{OF}", "process {{instance}}"), (f"spanwatch_flow_table_bytes{OF}", "flow table {{instance}}"), (f"spanwatch_flow_buffer_bytes{OF}", "payload {{instance}}")], unit="bytes")
    board.panel("timeseries", "Memory of the analysis, by table", [(f"sum by (table) (spanwatch_table_bytes{OF})", "{{table}}")], unit="bytes", stacking="normal")
    board.panel("timeseries", "How full the tables of the analysis are", [(f"max by (table) (spanwatch_table_entries{OF} / (spanwatch_table_entries_max{OF} > 0))", "{{table}}")], unit="percentunit")
    board.panel("timeseries", "Behind the last packet", [(f"spanwatch_analysis_lag_seconds{OF}", "{{instance}}")], unit="s")
    board.panel("timeseries", "Processors in use", [(f"rate(process_cpu_seconds_total{OF}[5m])", "{{instance}}")])
    board.panel("timeseries", "Forgotten early, an hour", [
        (f"increase(spanwatch_flows_evicted_total{OF}[1h])", "flows {{instance}}"),
        (f"increase(spanwatch_flow_buffer_refusals_total{OF}[1h])", "buffers {{instance}}"),
        (f"increase(spanwatch_analysis_evictions_total{OF}[1h])", "analysis {{instance}}")])
    board.panel("timeseries", "Given up by parsers", [(f"sum by (protocol, reason) (rate(spanwatch_malformed_total{OF}[5m])) > 0 or sum by (protocol) (rate(spanwatch_sessions_total{OF}[5m])) * 0", "{{protocol}} {{reason}}")], unit="ops")
    board.panel("timeseries", "State on disk", [(f"spanwatch_state_bytes{OF}", "{{instance}}")], unit="bytes", description="What outlives the process; while it is written, the disk needs room for two.")
    board.panel("timeseries", "Age of the state", [(f"spanwatch_last_packet_timestamp_seconds{OF} - (spanwatch_state_saved_timestamp_seconds{OF} > 0)", "{{instance}}")], unit="s", description="How much a crash would forget, in packet time.")
    board.panel("stat", "Damaged parts of the state", [(f"sum(spanwatch_state_damaged_files{OF} + spanwatch_state_unreadable_dismissals{OF})", "")], 6, 8, thresholds=BAD_ABOVE_ZERO)
    board.panel("stat", "Parser panics", [(f"sum(spanwatch_parser_panics_total{OF})", "")], 6, 8, thresholds=BAD_ABOVE_ZERO)
    board.panel("stat", "Version", [(f"count by (version) (spanwatch_build_info{OF})", "{{version}}")], 6, 8, options={"textMode": "name"})
    return board


def farms():
    board = Dashboard("spanwatch-farms", "Farms and incidents", "What the evidence adds up to. Whom it is about stands on the console, never in a metric.")
    board.panel("stat", "Incidents open", [(f"sum(spanwatch_incidents_open{OF})", "")], 6, 5, thresholds=BAD_ABOVE_ZERO, links=CONSOLE)
    board.panel("stat", "Incidents, ever", [(f"sum(spanwatch_incidents_total{OF})", "")], 6, 5, links=CONSOLE)
    sites, devices = 'kind="site"', 'kind="device"'
    board.panel("stat", "Sites known", [(f"sum(spanwatch_entities{of(sites)})", "")], 6, 5)
    board.panel("stat", "Devices known", [(f"sum(spanwatch_entities{of(devices)})", "")], 6, 5)
    three, all_of = 'le="2"', 'le="+Inf"'
    board.panel("stat", "Sites with three accounts or more", [(f"sum(spanwatch_site_accounts_bucket{of(all_of)}) - sum(spanwatch_site_accounts_bucket{of(three)})", "")], 6, 5, thresholds=steps(("green", None), ("orange", 1)), links=CONSOLE)
    board.panel("stat", "Accounts at three sites or more", [(f"sum(spanwatch_account_sites_bucket{of(all_of)}) - sum(spanwatch_account_sites_bucket{of(three)})", "")], 6, 5, links=CONSOLE)
    board.panel("stat", "Half way to an incident", [(f"sum(spanwatch_risk_entities{of(HALF)})", "")], 6, 5, thresholds=steps(("green", None), ("orange", 1)), links=CONSOLE)
    board.panel("stat", "Connections with 75 ms of excess, 24 h", [(f"sum(increase(spanwatch_round_trip_excess_seconds_bucket{of(all_of)}[24h])) - sum(increase(spanwatch_round_trip_excess_seconds_bucket{of(RELAYED)}[24h]))", "")], 6, 5, description="Something between the client's address and the client answers later: a relay.")
    board.panel("timeseries", "Incidents open, by level", [(f"sum by (level) (spanwatch_incidents_open{OF})", "{{level}}")], stacking="normal")
    board.panel("timeseries", "Incidents opened, a day", [(f"sum by (kind) (increase(spanwatch_incidents_total{OF}[1d]))", "{{kind}}")], exemplars=True, description="The dots are incidents; each leads to its page.")
    board.panel("timeseries", "Entities by their part of an incident's threshold", [(f"sum by (threshold_share) (spanwatch_risk_entities{OF})", "{{threshold_share}} and more")])
    board.panel("timeseries", "Findings by detector, a day", [(f"sum by (detector) (increase(spanwatch_findings_total{OF}[1d]))", "{{detector}}")])
    board.panel("timeseries", "Alerts by rule, a day", [(f"topk(15, sum by (rule) (increase(spanwatch_alerts_total{OF}[1d])))", "{{rule}}")], exemplars=True)
    board.panel("timeseries", "Accounts at a site, 99th percentile", [(f"histogram_quantile(0.99, sum by (instance, le) (spanwatch_site_accounts_bucket{OF}))", "{{instance}}")])
    board.panel("table", "Alerts by rule and level, ever", [(f"sort_desc(sum by (rule, level) (spanwatch_alerts_total{OF}) > 0)", "")], 24, 10)
    return board


CONSOLE = [{"title": "Open the console", "url": "${console}/#/incidents", "targetBlank": True}]

BOARDS = [overview, remote_access, farms, health]

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent / "dashboards"
    for make in BOARDS:
        board = make()
        (folder / f"{board.uid}.json").write_text(json.dumps(board.to_json(), indent=1) + "\n", encoding="utf-8")
