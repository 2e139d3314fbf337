"use strict";
// The console: hash routes in, pages out. Everything that came over the wire is set as text, never as markup.

const main = document.getElementById("main");
const PAGE = 50;
const REFRESH_MS = 10000;
let you = { may_change: false, may_see_packets: false };

/* Elements */

function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function s(name, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
  return element;
}

/* Values */

const moment = (text) => (text ? text.slice(0, 19).replace("T", " ") : "–");
const time = (text) => (text ? h("time", { datetime: text }, moment(text)) : "–");
const millis = (text) => (text ? Date.parse(text.slice(0, 23) + "Z") : NaN);
const count = (number) => Number(number || 0).toLocaleString("en");
const hash = (list, id) => `#/${list}/${encodeURIComponent(id)}`;
const LIST_OF = { site: "sites", device: "devices", account: "accounts" };

function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (number = Number(number || 0); number >= 1000 && unit < units.length - 1; unit++) number /= 1000;
  return `${unit ? number.toFixed(1) : number}\u00a0${units[unit]}`;
}

function lasting(from, to) {
  const minutes = Math.round((millis(to) - millis(from)) / 60000);
  if (!(minutes >= 1)) return "<\u00a01\u00a0min";
  if (minutes < 60) return `${minutes}\u00a0min`;
  if (minutes < 2880) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor(minutes / 60) % 24} h`;
}

// `about` are words for what only several values together name.
function entity(kind, id, about) {
  if (kind === "group" && about) return h("span", { title: id }, about.replace(/^the /, ""));
  return LIST_OF[kind] ? h("a", { href: hash(LIST_OF[kind], id), class: "mono" }, id) : h("span", { class: "mono" }, id);
}

const badge = (word) => h("span", { class: `badge ${/^[a-z]+$/.test(word) ? word : ""}` }, word);
const words = (text) => String(text || "–").replaceAll("_", " ");
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const link = (list, id, text) => (id ? h("a", { href: hash(list, id), class: "mono" }, text || id) : "–");
const searched = (term) => h("a", { href: `#/search/${encodeURIComponent(term)}`, class: "mono long" }, term);
// A device by what people know it by: its name, or else the address it had last.
const called = (device) => device.name || (device.addresses.length ? device.addresses[0].address : device.id);
const stateOf = (incident) => (incident["event.action"] === "closed" ? "closed" : "open");

/* Asking */

// A report holds everything that a sensor would be asked for.
const recorded = document.getElementById("recorded");
const lists = recorded && JSON.parse(recorded.textContent);

function recall(path) {
  const { pathname, searchParams } = new URL(path, "report:/");
  const [name, id] = pathname.slice("/api/v1/".length).split("/").map(decodeURIComponent);
  const having = (entries, term) => entries.filter(([terms]) => terms.includes(term)).map(([, item]) => item);
  const part = (items, offset, limit) => ({ items: items.slice(offset, offset + limit), total: items.length });
  if (name === "status") return { sensor: (lists.status[0] || [])[1], you: { name: "the reader of a report", may_change: false, may_see_packets: false } };
  if (name === "search") {
    const term = searchParams.get("q").toLowerCase();
    return Object.fromEntries(Object.keys(lists).filter((list) => list !== "status").map((list) => [list, part(having(lists[list], term), 0, 20)]));
  }
  if (id) {
    const found = lists[name].find(([, item]) => String(item.id) === id);
    if (!found) throw new Error("there is nothing of this kind and id");
    return found[1];
  }
  const about = searchParams.get("about");
  return part(having(lists[name], about ? `\n${about.toLowerCase()}\n` : ""), Number(searchParams.get("offset") || 0), Number(searchParams.get("limit") || 100));
}

async function ask(path, options) {
  if (lists) return recall(path);
  const answer = await fetch(path, { headers: { accept: "application/json" }, ...options });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.error || `the sensor answered ${answer.status}`);
  return body;
}

const list = (name, parameters) => ask(`/api/v1/${name}?${new URLSearchParams(parameters)}`);
const one = (name, id) => ask(`/api/v1/${name}/${encodeURIComponent(id)}`);

/* Parts */

function table(headings, rows, empty) {
  if (!rows.length) return h("p", { class: "empty" }, empty || "Nothing.");
  return h("table", {}, h("thead", {}, h("tr", {}, headings.map((heading) => h("th", { scope: "col" }, heading instanceof Node ? heading.cloneNode(true) : heading)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, cell))))));
}

const section = (title, ...children) => h("section", {}, h("h2", {}, title), children);
const card = (title, value, note) => h("div", { class: "card" }, h("span", { class: "soft" }, title), h("strong", {}, value), note || "");
const facts = (pairs) => h("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
const plain = (items) => (items.length ? h("ul", { class: "plain" }, items.map((item) => h("li", {}, item))) : h("p", { class: "soft" }, "None known."));

function incidentRows(incidents) {
  return incidents.map((incident) => [
    badge(incident["spanwatch.incident.level"]),
    h("a", { href: hash("incidents", incident.id) }, `${words(incident["spanwatch.entity.kind"])} ${incident["spanwatch.entity.id"]}`),
    badge(stateOf(incident)),
    incident["spanwatch.incident.score"].toFixed(1),
    incident["spanwatch.incident.families"].map((family) => words(family.family)).join(", "),
    count((incident["spanwatch.incident.devices"] || []).length),
    count((incident["related.user"] || []).length),
    time(incident["spanwatch.incident.opened"]),
  ]);
}
const NATS = "The weight of the evidence: the logarithm of how many times likelier it is of a laptop farm than of anybody else";
const INCIDENT_HEADINGS = ["Level", "About", "State", h("abbr", { title: NATS }, "Nats"), "Kinds of evidence", "Devices", "Accounts", "Opened"];

function sessionRows(sessions) {
  return sessions.map((session) => [
    words(session.kind),
    session.application || session.protocol || "–",
    [h("span", { class: "mono" }, `${session.client.ip}:${session.client.port}`), session.client.country ? ` ${session.client.country}` : ""],
    [h("span", { class: "mono" }, `${session.server.ip}:${session.server.port}`), session.server.country ? ` ${session.server.country}` : ""],
    session.user ? link("accounts", session.user) : session.client_name || "–",
    time(session.started),
    session.is_over ? lasting(session.started, session.last) : "open",
    `${bytes(session.client_bytes)} / ${bytes(session.server_bytes)}`,
    session.client_rtt_ms === null ? "–" : `${session.client_rtt_ms} ms`,
    searched(session.community_id),
  ]);
}
const SESSION_HEADINGS = ["Kind", "With", "Client", "Server", "User", "Began", "Lasted", "Sent / received", "Round trip", "Community id"];

// Bars on a time axis, a row for each name.
function timeline(rows) {
  const bars = rows.flatMap((row) => row.bars);
  if (!bars.length) return h("p", { class: "empty" }, "No session is remembered.");
  const from = Math.min(...bars.map((bar) => bar.from));
  const to = Math.max(...bars.map((bar) => bar.to), from + 60000);
  const [left, width, height] = [190, 800, 26];
  const x = (at) => left + ((at - from) / (to - from)) * width;
  const svg = s("svg", { viewBox: `0 0 ${left + width + 10} ${rows.length * height + 28}`, role: "img", "aria-label": "Sessions over time" });
  for (let tick = 0; tick <= 4; tick++) {
    const at = from + ((to - from) * tick) / 4;
    const label = new Date(at).toISOString().slice(to - from > 172800000 ? 0 : 11, to - from > 172800000 ? 10 : 19);
    svg.append(s("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: rows.length * height }),
      s("text", { x: x(at), y: rows.length * height + 18, "text-anchor": ["start", "middle", "middle", "middle", "end"][tick] }, label));
  }
  rows.forEach((row, number) => {
    const y = number * height;
    const name = s("text", { x: left - 10, y: y + 17, "text-anchor": "end" }, row.name.length > 26 ? `${row.name.slice(0, 25)}…` : row.name);
    svg.append(row.href ? s("a", { href: row.href }, name) : name);
    for (const bar of row.bars) {
      svg.append(s("rect", { class: bar.kind, x: x(bar.from), y: y + 5, width: Math.max(x(bar.to) - x(bar.from), 3), height: height - 10, rx: 3 },
        s("title", {}, bar.title)));
    }
  });
  return svg;
}

function sessionBars(sessions, nameOf, hrefOf) {
  const rows = new Map();
  for (const session of sessions) {
    const name = nameOf(session);
    if (!rows.has(name)) rows.set(name, { name, href: hrefOf ? hrefOf(session) : null, bars: [] });
    rows.get(name).bars.push({
      kind: session.kind,
      from: millis(session.started),
      to: millis(session.last),
      title: `${words(session.kind)} ${session.application || session.protocol || ""} ${session.client.ip} → ${session.server.ip}, ${moment(session.started)}, ${lasting(session.started, session.last)}`,
    });
  }
  return [...rows.values()].slice(0, 40);
}

function legend(kinds) {
  return h("div", { class: "legend" }, [...new Set(kinds)].map((kind) =>
    h("span", {}, s("svg", { viewBox: "0 0 12 12" }, s("rect", { class: kind, width: 12, height: 12, rx: 3 })), words(kind))));
}

// The minutes of each day in which somebody worked on a device, devices under each other.
function activity(devices) {
  const rows = devices.flatMap((device) => device.days.map((day) => ({ device, day })));
  rows.sort((a, b) => a.day.day.localeCompare(b.day.day) || a.device.id.localeCompare(b.device.id));
  if (!rows.length) return h("p", { class: "empty" }, "No minute of work was seen.");
  const [left, width, height] = [260, 720, 18];
  const svg = s("svg", { viewBox: `0 0 ${left + width + 10} ${rows.length * height + 24}`, role: "img", "aria-label": "Minutes of work, by day and device" });
  rows.forEach(({ device, day }, number) => {
    const y = number * height;
    svg.append(s("rect", { class: "row", x: left, y: y + 2, width, height: height - 4, rx: 2 }),
      s("a", { href: hash("devices", device.id) }, s("text", { x: left - 10, y: y + 13, "text-anchor": "end" }, `${day.day.slice(0, 10)}  ${called(device)}`)));
    for (const [first, last] of day.spans) {
      svg.append(s("rect", { class: "active", x: left + (first / 1440) * width, y: y + 2, width: Math.max(((last - first + 1) / 1440) * width, 1), height: height - 4 }));
    }
  });
  for (let hour = 0; hour <= 24; hour += 4) {
    const x = left + (hour / 24) * width;
    svg.append(s("line", { class: "grid", x1: x, x2: x, y1: 0, y2: rows.length * height }),
      s("text", { x, y: rows.length * height + 16, "text-anchor": hour === 24 ? "end" : "middle" }, `${String(hour).padStart(2, "0")}:00`));
  }
  return svg;
}

async function devicesOf(ids) {
  const found = await Promise.all(ids.slice(0, 24).map((id) => one("devices", id).catch(() => null)));
  return found.filter(Boolean);
}

function deviceRows(devices) {
  return devices.map((device) => [
    link("devices", device.id, called(device)),
    device.mac || "–",
    device.addresses.slice(0, 3).map((address) => address.address).join(" "),
    device.site ? link("sites", device.site.id) : "–",
    device.users.map((user) => [link("accounts", user), " "]),
    device.products.map((product) => `${product.product}${product.sanctioned ? "" : " (not sanctioned)"}`).join(", "),
    device.managed ? device.group || "yes" : "no",
    time(device.first),
  ]);
}
const DEVICE_HEADINGS = ["Device", "MAC", "Addresses", "Site", "Accounts", "Products", "Managed", "First seen"];

/* Pages */

async function overview() {
  const [status, open, alerts] = await Promise.all([ask("/api/v1/status"), list("incidents", { about: "open", limit: PAGE }), list("alerts", { limit: 8 })]);
  const sensor = status.sensor || {};
  const flows = sensor.tcp_flows || { both_sides: 0, one_side: 0 };
  const dropped = sensor.dropped ? sensor.dropped.kernel + sensor.dropped.interface : 0;
  const share = flows.one_side / Math.max(flows.one_side + flows.both_sides, 1);
  return [
    h("h1", {}, open.total ? `${count(open.total)} open ${open.total === 1 ? "incident" : "incidents"}` : "No open incident"),
    h("p", { class: "soft" }, sensor.first ? `Seen from ${moment(sensor.first)} to ${moment(sensor.last)}` : "No packet was seen yet."),
    h("div", { class: "cards" }, card("Packets", count(sensor.packets), bytes(sensor.bytes)), card("Dropped", count(dropped), "by kernel and interface"),
      card("One-sided TCP", `${Math.round(share * 100)} %`, share > 0.5 ? "the mirror lacks a direction" : "of flows with payload"),
      card("Devices", count(sensor.devices)), card("Alerts", count(sensor.alerts), `by ${count(sensor.rules)} rules`), card("Open flows", count(sensor.flows_active))),
    section("Incidents", table(INCIDENT_HEADINGS, incidentRows(open.items), "Nothing that needs somebody's time.")),
    section("Latest alerts", alertTable(alerts.items)),
    h("div", { class: "columns" },
      section("Products in use", table(["Product", "Flows"], Object.entries(sensor.products || {}).sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name, number]) => [searched(name), count(number)]))),
      section("Sessions by protocol", table(["Protocol", "Sessions"], Object.entries(sensor.sessions || {}).sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name, number]) => [name, count(number)])))),
    section("What was not visible", plain(unseen(sensor, dropped, share))),
    lists && await Promise.all(open.items.slice(0, 5).map((incident) => incidentPage(incident.id))),
  ];
}

function unseen(sensor, dropped, share) {
  return [
    dropped > 0 && `${count(dropped)} packets were lost before they were read`,
    sensor.lost_bytes > 0 && `${bytes(sensor.lost_bytes)} of TCP payload were sent and not seen`,
    share > 0 && `${Math.round(share * 100)} % of the TCP flows were seen from one side only`,
    !sensor.rules && "There were no rules, and so no alerts",
    ...(sensor.unseen || []),
    "What goes through a screen and keyboard switch in a house, which never crosses the mirror",
    "What is encrypted: names in TLS 1.3 certificates, what is typed, what is shown",
  ].filter(Boolean);
}

function alertTable(alerts) {
  return table(["Level", "Rule", "About", "At", "Flow"], alerts.map((alert) => [
    badge(alert["spanwatch.alert.level"]), h("a", { href: hash("alerts", alert.id) }, alert["rule.name"]),
    entity(alert["spanwatch.entity.kind"], alert["spanwatch.entity.id"], alert.about), time(alert["@timestamp"]),
    (alert["network.community_id"] || []).slice(0, 1).map(searched)]), "No rule matched.");
}

// The first packets of sessions, as files.
function captures(document) {
  const names = document["spanwatch.captures"] || [];
  const shown = (name) => (you.may_see_packets ? h("a", { href: `/api/v1/captures/${encodeURIComponent(name)}`, download: name, class: "mono" }, name) : h("span", { class: "mono" }, name));
  return names.length ? section("Evidence captures", plain(names.map(shown))) : null;
}

// A field of the evidence and its value; the field's name is what a rule or a search goes by.
function inWords(evidence) {
  return [h("span", { title: evidence.field }, evidence.label), evidence.text];
}

// What is expected stands below what was seen, and what would make all of it innocent is a list.
function explained(sentences) {
  const isOwn = (sentence, number) => number === 0 || /^(Known there: |[a-z ]+ \([\d.]+ nats\): )/.test(sentence);
  const innocent = sentences.map((sentence) => /^It would be innocent if: (.*)\.$/s.exec(sentence)).find(Boolean);
  const items = [];
  sentences.filter((sentence) => !innocent || sentence !== innocent[0]).forEach((sentence, number) => {
    if (isOwn(sentence, number)) items.push(h("li", {}, sentence));
    else items[items.length - 1].append(h("div", { class: "soft" }, sentence));
  });
  return [
    section("What was seen", h("ol", { class: "sentences" }, items)),
    innocent && section("It would be innocent if", h("ul", { class: "sentences" }, innocent[1].split(/; (?=\p{Lu})/u).map((cause) => h("li", {}, cause)))),
  ];
}

async function incidentPage(id) {
  const incident = await one("incidents", id);
  const [kind, about] = [incident["spanwatch.entity.kind"], incident["spanwatch.entity.id"]];
  const devices = await devicesOf(incident["spanwatch.incident.devices"] || []);
  const sessions = await list("sessions", { about, limit: 500 });
  const families = incident["spanwatch.incident.families"];
  const most = Math.max(...families.map((family) => family.nats), 1);
  return [
    h("div", { class: "head" },
      h("div", {}, h("h1", {}, `${capital(words(kind))} `, about), h("p", { class: "soft" }, badge(incident["spanwatch.incident.level"]), " ", badge(stateOf(incident)),
        ` ${incident["spanwatch.incident.score"].toFixed(1)} `, h("abbr", { title: NATS }, "nats"), ` of evidence of ${families.length} kinds, since ${moment(incident["event.start"])}`)),
      stateOf(incident) === "open" && you.may_change && h("button", { class: "strong", id: "open-dismiss", on: { click: () => openDismiss(incident) } }, "Dismiss…")),
    h("div", { class: "columns" },
      h("div", {},
        explained(incident["spanwatch.incident.explanation"]),
        section("Evidence", families.map((family) => h("div", {},
          h("div", { class: "family" }, h("strong", {}, words(family.family)),
            h("span", {}, h("meter", { min: 0, max: most, value: Math.max(family.nats, 0), "aria-label": "nats" }), ` ${family.nats.toFixed(1)} nats`)),
          family.items.map((item) => h("div", { class: "item" }, h("div", { class: "family" }, h("span", {}, item.title), h("span", { class: "soft" }, `${item.nats.toFixed(1)} nats`)),
            facts([["about", entity(item.subject.kind, item.subject.id, item.subject.about)], ["seen", `${count(item.count)} ×, ${moment(item.first)} to ${moment(item.last)}`],
              ...item.evidence.map(inWords),
              ["flows", item.flows.length ? item.flows.slice(0, 6).map((flow) => [searched(flow), " "]) : null]]))))))),
      h("div", {},
        section("Where", plain([entity(kind, about)])),
        section("Accounts", plain((incident["related.user"] || []).map((user) => link("accounts", user)))),
        section("Devices", plain((incident["spanwatch.incident.devices"] || []).map((device) => {
          const known = devices.find((found) => found.id === device);
          return [link("devices", device, known ? called(known) : device), known && h("span", { class: "soft mono" }, ` ${device}`)];
        }))),
        captures(incident),
        section("ATT&CK", plain(incident["threat.technique.id"])))),
    section("Sessions", timeline(sessionBars(sessions.items, (session) => session.user || `${words(session.kind)} of port ${session.client.port}`)), legend(sessions.items.map((session) => session.kind))),
    section("Work on its devices", activity(devices)),
  ];
}

async function sitePage(id) {
  const [site, sessions, incidents] = await Promise.all([one("sites", id), list("sessions", { about: id, limit: 500 }), list("incidents", { about: id, limit: 20 })]);
  const devices = await devicesOf(site.devices.map((device) => device.id));
  const text = (id) => { const known = devices.find((device) => device.id === id); return known && called(known); };
  const stay = (name) => (entry) => [link(name, entry.id, name === "devices" && text(entry.id)), `${words(entry.known_by)} (${entry.confidence})`, time(entry.since), time(entry.last)];
  const stays = ["", "Known by", "Since", "Last"];
  return [
    h("h1", {}, "Site ", site.id),
    h("p", { class: "soft" }, [site.country, site.organization].filter(Boolean).join(", ") || "A household outside", `, ${count(site.sessions)} sessions`),
    incidents.total ? section("Incidents", table(INCIDENT_HEADINGS, incidentRows(incidents.items))) : null,
    h("div", { class: "columns halves" },
      section("Devices", table(["Device", ...stays.slice(1)], site.devices.map(stay("devices")), "No device is known to be there.")),
      section("Accounts", table(["Account", ...stays.slice(1)], site.accounts.map(stay("accounts")), "No account is known to be there."))),
    section("Time line", timeline(sessionBars(sessions.items, (session) => session.user || `${words(session.kind)} of port ${session.client.port}`)), legend(sessions.items.map((session) => session.kind))),
    section("Work on its devices", activity(devices)),
    section("Sessions", table(SESSION_HEADINGS, sessionRows(sessions.items.slice(0, PAGE)))),
  ];
}

async function devicePage(id) {
  const [device, sessions, alerts] = await Promise.all([one("devices", id), list("sessions", { about: id, limit: 500 }), list("alerts", { about: id, limit: 20 })]);
  return [
    h("div", { class: "head" }, h("h1", {}, "Device ", called(device))),
    h("div", { class: "columns" },
      section("Device", facts([["id", h("span", { class: "mono" }, device.id)], ["MAC", device.mac], ["vendor class", device.vendor_class],
        ["managed", device.managed ? device.group || "yes" : "no"], ["first seen", time(device.first)],
        ["site", device.site ? [link("sites", device.site.id), ` ${words(device.site.known_by)}, ${device.site.confidence}`] : null],
        ["accounts", device.users.length ? device.users.map((user) => [link("accounts", user), " "]) : null],
        ["addresses", device.addresses.map((address) => h("div", {}, h("span", { class: "mono" }, address.address), ` since ${moment(address.since)}`))]])),
      section("Products", table(["Product", "Sanctioned", "Sessions", "Last"], device.products.map((product) =>
        [searched(product.product), product.sanctioned ? "yes" : "no", count(product.sessions), time(product.last)]), "No product is known by name."))),
    section("Fingerprints", table(["Kind", "Value", "Last"], device.fingerprints.map((shown) => [shown.field, searched(shown.value), time(shown.last)]), "None was seen.")),
    section("Work on it", activity([device])),
    section("Time line", timeline(sessionBars(sessions.items, (session) => session.application || words(session.kind))), legend(sessions.items.map((session) => session.kind))),
    section("Alerts", alertTable(alerts.items)),
    section("Sessions", table(SESSION_HEADINGS, sessionRows(sessions.items.slice(0, PAGE)))),
  ];
}

async function accountPage(id) {
  const [account, sessions] = await Promise.all([one("accounts", id), list("sessions", { about: id, limit: 500 })]);
  const strip = account.places.map((place) => ({
    name: [place.country, place.address].filter(Boolean).join("  "), href: place.site ? hash("sites", place.site) : null,
    bars: [{ kind: "remote_desktop", from: millis(place.first), to: millis(place.last), title: `${count(place.log_ons)} log-ons` }],
  }));
  strip.sort((a, b) => a.bars[0].from - b.bars[0].from);
  return [
    h("h1", {}, "Account ", account.id), h("p", { class: "soft" }, `Seen from ${moment(account.first)} to ${moment(account.last)}`),
    section("Where it was, by country and address", timeline(strip.slice(0, 40))),
    h("div", { class: "columns narrow" },
      section("Addresses", table(["Address", "Country", "Site", "Device", "Log-ons", "First", "Last"], account.places.map((place) => [
        h("span", { class: "mono" }, place.address), place.country || "–", place.site ? link("sites", place.site) : "–",
        place.device ? link("devices", place.device) : "–", count(place.log_ons), time(place.first), time(place.last)]))),
      section("Sites", plain(account.sites.map((site) => [link("sites", site.id), ` ${words(site.known_by)}, ${site.confidence}`])))),
    section("Sessions", table(SESSION_HEADINGS, sessionRows(sessions.items.slice(0, PAGE)))),
  ];
}

async function alertPage(id) {
  const alert = await one("alerts", id);
  return [
    h("h1", {}, alert["rule.name"]), h("p", {}, badge(alert["spanwatch.alert.level"]), " ", time(alert["@timestamp"])),
    section("Why", h("p", {}, alert.message)),
    section("Evidence", facts([["about", entity(alert["spanwatch.entity.kind"], alert["spanwatch.entity.id"], alert.about)],
      ...alert["spanwatch.evidence"].map(inWords),
      ["flows", (alert["network.community_id"] || []).map((flow) => [searched(flow), " "])], ["addresses", (alert["related.ip"] || []).map((address) => [searched(address), " "])],
      ["users", (alert["related.user"] || []).map((user) => [link("accounts", user), " "])]])),
    captures(alert),
    section("It may be innocent", plain(alert["spanwatch.false_positives"])),
  ];
}

const LISTS = {
  incidents: [INCIDENT_HEADINGS, incidentRows],
  devices: [DEVICE_HEADINGS, deviceRows],
  sessions: [SESSION_HEADINGS, sessionRows],
  sites: [["Site", "Country", "Organisation", "Devices", "Accounts", "Sessions", "Last"], (sites) => sites.map((site) => [
    link("sites", site.id), site.country || "–", site.organization || "–", count(site.devices.length), count(site.accounts.length), count(site.sessions), time(site.last)])],
  accounts: [["Account", "Addresses", "Countries", "Sites", "First", "Last"], (accounts) => accounts.map((account) => [
    link("accounts", account.id), count(account.places.length), [...new Set(account.places.map((place) => place.country).filter(Boolean))].join(" ") || "–",
    count(account.sites.length), time(account.first), time(account.last)])],
};

async function listPage(name, page) {
  const offset = page * PAGE;
  const found = await list(name, { offset, limit: PAGE });
  const body = name === "alerts" ? alertTable(found.items) : table(LISTS[name][0], LISTS[name][1](found.items));
  const to = (number, text) => h("a", { href: `#/${name}?${number}` }, text);
  return [
    h("h1", {}, capital(name)),
    section(`${count(found.total)} in all`, body,
      found.total > PAGE && h("div", { class: "pages" }, page > 0 && to(page - 1, "← before"), `${count(offset + 1)} – ${count(offset + found.items.length)}`,
        offset + PAGE < found.total && to(page + 1, "after →"))),
  ];
}

async function searchPage(term) {
  const found = await ask(`/api/v1/search?${new URLSearchParams({ q: term })}`);
  const parts = Object.entries(found).filter(([, page]) => page.total).map(([name, page]) => section(`${capital(name)} (${count(page.total)})`,
    name === "alerts" ? alertTable(page.items) : table(LISTS[name][0], LISTS[name][1](page.items))));
  return [h("h1", {}, "Found for ", term), parts.length ? parts : h("p", { class: "empty" }, "Nothing that is remembered is called so.")];
}

/* Dismissing */

const dialog = document.getElementById("dismiss");
const dismissForm = dialog.querySelector("form");
let dismissed = null;

function openDismiss(incident) {
  dismissed = incident;
  dismissForm.reset();
  dialog.querySelector(".fault").textContent = "";
  const select = dismissForm.elements.family;
  select.replaceChildren(h("option", { value: "" }, "all of the evidence"),
    ...incident["spanwatch.incident.families"].map((family) => h("option", { value: family.family }, `only ${words(family.family)}`)));
  dialog.showModal();
  dismissForm.elements.reason.focus();
}

dialog.querySelector('[value="cancel"]').addEventListener("click", () => dialog.close());
dismissForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { reason, family } = dismissForm.elements;
  try {
    await ask(`/api/v1/incidents/${encodeURIComponent(dismissed.id)}/dismiss`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: reason.value, ...(family.value ? { family: family.value } : {}) }),
    });
    dialog.close();
    setTimeout(show, 1200); // the sensor publishes once a second
  } catch (fault) {
    dialog.querySelector(".fault").textContent = fault.message;
  }
});

/* Routes */

const PAGES = { incidents: incidentPage, sites: sitePage, devices: devicePage, accounts: accountPage, alerts: alertPage, search: searchPage };
let shown = 0;

async function show(options) {
  const number = ++shown;
  const [path, page] = location.hash.slice(2).split("?");
  const [name, id] = path.split("/").map(decodeURIComponent);
  try {
    const content = !name ? await overview() : id ? await PAGES[name](id) : await listPage(name, Math.max(Number(page) || 0, 0));
    if (number !== shown) return;
    main.replaceChildren(...content.flat(3).filter(Boolean));
  } catch (fault) {
    if (number !== shown || (options && options.quiet)) return;
    main.replaceChildren(h("p", { class: "empty fault", role: "alert" }, fault instanceof TypeError ? "There is no such page, or the sensor does not answer." : fault.message));
  }
  document.title = `${(main.querySelector("h1") || { textContent: "" }).textContent} · spanwatch`;
  for (const entry of document.querySelectorAll("nav a")) {
    if (entry.hash === `#/${name}`) entry.setAttribute("aria-current", "page");
    else entry.removeAttribute("aria-current");
  }
}

async function health() {
  const text = document.getElementById("health");
  try {
    const status = await ask("/api/v1/status");
    you = status.you;
    text.textContent = `spanwatch ${status.sensor ? status.sensor.version : ""}, asked as ${you.name}${you.may_change ? "" : ", who may look only"}`;
    text.className = "";
  } catch {
    text.textContent = "The sensor does not answer.";
    text.className = "fault";
  }
}

/* Keys */

function rows() { return [...main.querySelectorAll("tbody tr")].filter((row) => row.querySelector("a")); }

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") { event.preventDefault(); document.querySelector("#search input").focus(); }
  if (event.key === "Backspace") history.back();
  if (event.key === "j" || event.key === "k") {
    const all = rows();
    const at = all.findIndex((row) => row.classList.contains("at"));
    const next = all[Math.min(Math.max(at + (event.key === "j" ? 1 : -1), 0), all.length - 1)];
    if (!next) return;
    all.forEach((row) => row.classList.toggle("at", row === next));
    next.scrollIntoView({ block: "nearest" });
    next.querySelector("a").focus();
  }
});

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const term = event.target.elements.q.value.trim();
  if (term) location.hash = `#/search/${encodeURIComponent(term)}`;
});

const root = document.documentElement;
try { if (localStorage.theme) root.dataset.theme = localStorage.theme; } catch { /* not kept, then */ }
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.theme = root.dataset.theme; } catch { /* not kept, then */ }
});

window.addEventListener("hashchange", () => { show(); main.focus(); scrollTo(0, 0); });
if (!lists) setInterval(() => {
  const busy = document.hidden || dialog.open || String(getSelection()) || main.contains(document.activeElement) && document.activeElement !== main;
  health();
  if (!busy) show({ quiet: true });
}, REFRESH_MS);
health().then(() => show());
