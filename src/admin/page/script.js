// The dashboard: asks the endpoint once a second, and shows what it says.
//
// Reading order: what is known, asking, what arrives, the sentence, the charts, the table, the
// timeline, the footer, what is asked of the reader. Each `show…` draws one part of the page from
// what is known, and touches only what has changed: focus, selection and a reader's place stay.
//
// All text goes in by textContent. The names of backends and their words come from elsewhere, and
// the page's policy forbids the browser to make HTML of any text.
"use strict";

const POLL_MS = 1000;
/** Without an answer for so long after one was asked for, what is shown is called old. */
const GONE_MS = 2500;
const ANSWER_MS = 5000;
/** An hour of points, 2 s each. */
const POINTS_MAX = 1800;
const EVENTS_MAX = 1000;
const EVENTS_SHOWN = 12;
/** Of a backend's figures: the last minute, a look each second. */
const LOOKS_MAX = 61;
/** More would make each second's work felt; those that are left out can be found by name. */
const ROWS_MAX = 500;
const FIND_FROM = 9;
/** Days of a certificate's life that are no news any more. */
const DAYS_LEFT = 14;
const SPANS = [[300, "5 min"], [900, "15 min"], [3600, "1 hour"]];

// ---- What is known ----

/** The last status, when it came (performance.now), and the balancer's own time then. */
let status = null, arrivedAt = 0, serverTime = 0;
/** Whose answers these are. Another process counts anew. */
let process = "";
/** The version that this page came with; of another one it may not understand all. */
let version = "";
/** The first question since the last answer. */
let askedAt = null;
let token = remembered();
/** Each backend's looks of the last minute, by pool and name. */
const looks = new Map();
let events = [], lastEvent = 0, eventsLost = 0;
/** Points as `/history` gives them, in columns. */
let points = { period: 2, last: 0, columns: {} };
/** What the charts show: the last `span` seconds, or those around `at`; and the time pointed at. */
const view = { span: 0, at: null, event: 0, pointed: null };
let shownEvents = EVENTS_SHOWN;
const opened = new Map();

const COLUMNS = ["time_s", "requests_1xx", "requests_2xx", "requests_3xx", "requests_4xx",
  "requests_5xx", "tcp_connections", "errors_ours", "errors_theirs", "p50_ms", "p99_ms", "in_flight", "queue"];

// ---- Small things ----

const $ = (id) => document.getElementById(id);
const on = (node, event, act) => node.addEventListener(event, act);

/** An element with these properties and children; texts become text, never HTML. */
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value; else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Warnings and errors look like the states that are their causes. */
const SHAPES = { warn: "ejected", error: "down" };
const shape = (kind) =>
  svg("svg", { class: `shape is-${kind}`, "aria-hidden": "true" },
    svg("use", { href: `#shape-${SHAPES[kind] || kind}` }));

/** Sets a text if it is another: a selection in it survives, and no screen reader starts anew. */
function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The same for several children: they come in if their text is another. */
function swap(node, children) {
  const made = el("div", {}, ...children);
  if (made.textContent !== node.textContent) node.replaceChildren(...made.childNodes);
}

function set(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Storage may be forbidden; then the token lasts as long as the page. */
function remembered() {
  try { return sessionStorage.getItem("token") || ""; } catch { return ""; }
}
function remember(value) {
  token = value;
  try { sessionStorage.setItem("token", value); } catch { /* see above */ }
}

/** A number as people read it: 0, 0.4, 12, 1,240, 12.3k, 4.5M. */
function count(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 10000) {
    const power = Math.min(Math.floor(Math.log10(size) / 3), 6);
    return trimmed(value / 1000 ** power) + ["", "k", "M", "G", "T", "P", "E"][power];
  }
  return size < 10 ? trimmed(value) : Math.round(value).toLocaleString("en");
}

const many = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;

const trimmed = (value) => String(Number(value.toFixed(1)));

const percent = (part) => part < 0.001 ? "under 0.1 %" : `${trimmed(part * 100)} %`;

function millis(value) {
  if (value === null || !Number.isFinite(value)) return "–";
  if (value >= 9950) return `${trimmed(value / 1000)} s`;
  return `${count(value)} ms`;
}

/** A length of time, to two units: 40 s, 3 min 5 s, 2 h 5 min, 3 d 4 h. */
function lasting(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => all >= size);
  if (first < 0) return "0\u00a0s";
  const [name, size] = units[first], [next, part] = units[first + 1] || ["", 1];
  const rest = next && first < 2 || all < 600 ? Math.floor((all % size) / part) : 0;
  const of = (number, unit) => `${number}\u00a0${unit}`;
  return of(Math.floor(all / size), name) + (next && rest ? ` ${of(rest, next)}` : "");
}

// Times are of the browser's zone.
const format = (parts) => new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...parts });
const two = "2-digit";
const clock = format({ hour: two, minute: two, second: two });
const day = format({ day: "numeric", month: "short" });

/** The time of day, with the day if that is not the balancer's today. */
function timeOf(ms) {
  const isToday = day.format(ms) === day.format(now() * 1000);
  return isToday ? clock.format(ms) : `${day.format(ms)} ${clock.format(ms)}`;
}

/** The balancer's time in seconds, whatever this machine's clock says. */
const now = () => serverTime + (performance.now() - arrivedAt) / 1000;

// ---- Asking ----

class Refused extends Error {
  constructor(code, words) { super(words); this.code = code; }
}

/** Paths are relative, so that a proxy in front may serve the page below a path of its own. */
async function ask(path, method = "GET") {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === "POST") headers["X-Evenly"] = "dashboard";
  const signal = AbortSignal.timeout(ANSWER_MS);
  const answer = await fetch(path, { method, headers, signal, cache: "no-store" });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  // Without a sentence it was a proxy in front, whose balancer is gone.
  throw new Refused(body?.error ? answer.status : 0, body?.error);
}

let polling = null, isAsking = false;

/**
 * One round. The next one is due a second after this one began, but not while it goes on; where
 * answers take long, as many look, it rests for longer than it asked.
 */
async function poll() {
  if (isAsking) return;
  isAsking = true;
  clearTimeout(polling);
  const began = performance.now();
  let rest = 0;
  // A machine that slept, or a tab put to rest, has asked nothing: nobody failed to answer.
  askedAt ??= began;
  try {
    arrive(await ask("status"));
    await Promise.all([askEvents(), askHistory(), ...[...opened].map(askWhy)]);
    show();
    rest = Math.min(ANSWER_MS, 2 * (performance.now() - began));
  } catch (error) {
    if (error.code === 401) return askToken();
    // Whoever answers, if only with a refusal, is there.
    if (error.code) { askedAt = null; say(error.message); }
  } finally {
    isAsking = false;
  }
  polling = setTimeout(poll, Math.max(rest, POLL_MS - (performance.now() - began)));
}

async function askEvents() {
  const news = await ask(`events?since=${lastEvent}`);
  for (const one of news.events) events.push({ ...one, ms: Date.parse(one.time) });
  events = events.slice(-EVENTS_MAX);
  eventsLost += news.lost;
  lastEvent = events.at(-1)?.number || 0;
}

async function askHistory() {
  const due = points.columns.time_s?.at(-1) + points.period;
  if (!(due > now())) keep(await ask(`history?since=${points.last}`));
}

/** Adds points to those that are known; a history that began anew takes their place. */
function keep(news) {
  for (const name of COLUMNS) {
    const known = news.last < points.last ? [] : points.columns[name] || [];
    points.columns[name] = known.concat(news.columns[name]).slice(-POINTS_MAX);
  }
  points.period = news.period_s;
  points.last = news.last;
}

/** Why an opened backend stands as it does: its story, anew every five seconds. */
async function askWhy([key, open]) {
  if (open.isMute || performance.now() - open.askedAt < 5000) return;
  open.askedAt = performance.now();
  try {
    open.lines = (await ask(`why?of=${encodeURIComponent(open.name)}`)).lines;
  } catch (error) {
    open.isMute = error.code === 404 || error.code === 400;
  }
}

// ---- What arrives ----

function arrive(news) {
  const whose = `${news.process.pid} ${news.process.started}`;
  if (whose !== process) {
    process = whose;
    looks.clear();
    events = []; lastEvent = 0; eventsLost = 0;
    points = { period: 2, last: 0, columns: {} };
  }
  version ||= news.process.version;
  status = news;
  arrivedAt = performance.now();
  serverTime = Date.parse(news.time) / 1000;
  askedAt = null;
  status.backends = news.pools.flatMap((pool) => {
    const inUse = pool.backends.filter((one) => one.standing === "up");
    const first = inUse.filter((one) => !one.backup);
    const rota = first.length ? first : inUse;
    // Whatever the others weigh.
    if (pool.policy === "first-alive") rota.splice(1);
    const weights = rota.reduce((sum, one) => sum + one.weight, 0);
    return pool.backends.map((one, index) => Object.assign(one, {
      pool: pool.name, index, key: `${pool.name}\n${one.name}`,
      due: rota.includes(one) && weights ? one.weight / weights : 0,
    }));
  });
  status.backends.forEach(look);
  const keys = new Set(status.backends.map((one) => one.key));
  for (const key of looks.keys()) if (!keys.has(key)) looks.delete(key);
  hear();
}

/** Remembers a backend's counters. The time is the balancer's uptime: no clock can be set back. */
function look(one) {
  const own = looks.get(one.key) || [];
  const last = own[own.length - 1];
  if (last && last.requests > one.requests) own.length = 0;
  own.push({ at: status.process.uptime_s, requests: one.requests,
    errors: one.answers["5xx"] + one.failures });
  if (own.length > LOOKS_MAX) own.shift();
  looks.set(one.key, own);
}

/** What became of a counter over the last `seconds`: its growth, and the time that took. */
function grown(key, name, seconds = 60) {
  const own = looks.get(key) || [];
  const last = own[own.length - 1];
  const first = own.find((one) => last.at - one.at <= seconds + 0.5);
  return first && first !== last ? [last[name] - first[name], last.at - first.at] : [0, 0];
}

// ---- The sentence ----

const WORDS = { up: "up", down: "out", ejected: "out", drain: "draining", maint: "in maintenance" };
const LABELS = { up: "Up", down: "Down", ejected: "Ejected", drain: "Drain", maint: "Maint" };
const GRAVITY = ["down", "ejected", "drain", "maint", "up"];
const gravity = (one) => GRAVITY.indexOf(one.standing);

/** Without the system's number of an error, which its words have said already. */
const plain = (words) => words.replace(/ \(os error \d+\)/g, "");

/** What a check came to. */
const came = (it) => it.asks_drain ? "drain asked" : it.passed ? "passed" : "failed";

/** What was seen, in short: `status 503 three times`. */
function reason(one) {
  const all = one.checks.filter((it) => !it.asks_drain);
  const end = all.findIndex((it) => it.passed);
  const row = end < 0 ? all : all.slice(0, end);
  const isSame = row.every((it) => it.seen === row[0].seen);
  if (one.standing !== "down" || !row.length) return plain(one.why);
  const times = ["", "", " twice", " three times", " four times", " at each check"];
  return plain(row[0].seen) + (isSame ? times[row.length] : "");
}

/** The sentence on top; `isSpoken` leaves out what changes each second. */
function sentence(isSpoken = false) {
  const all = status.backends;
  const out = all.filter((one) => one.standing !== "up").sort((a, b) => gravity(a) - gravity(b));
  const up = all.length - out.length;
  if (!all.length) return ["down", "No backend is configured"];
  const everybody = all.length === 1 ? "The one backend is" : `All ${all.length} backends are`;
  if (!out.length) return ["up", `${everybody} up`];
  const [first, ...others] = out;
  const since = isSpoken ? "" : ` for ${lasting(first.since_s)}`;
  const why = isSpoken ? "" : reason(first);
  const more = others.length ? `; ${count(others.length)} more out` : "";
  const who = `${first.name} ${WORDS[first.standing]}${since}${why ? `: ${why}` : ""}${more}`;
  return [up ? first.standing : "down", `${up || "None"} of ${all.length} up; ${who}`];
}

function showSentence() {
  const [kind, words] = sentence();
  put($("sentence"), words);
  set($("mark"), "class", `shape is-${kind}`);
  set($("mark").firstElementChild, "href", `#shape-${kind}`);
  const bad = status.backends.filter((one) => gravity(one) < 2).length;
  const up = status.backends.filter((one) => one.standing === "up").length;
  document.title = `${bad ? "▲ " : ""}${up}/${status.backends.length} up – Evenly`;
  showIcon(kind);
  const places = status.listeners.map(({ mode, tls, address }) =>
    `${mode === "tcp" ? "tcp" : tls ? "https" : "http"}://${address}`);
  put($("place"), places.join(", "));
}

/** The tab's icon: the three bars, with a gap in them while somebody is out. */
function showIcon(kind) {
  if ($("mark").dataset.icon === kind) return;
  $("mark").dataset.icon = kind;
  const color = { up: "#12806f", down: "#c93a1e" }[kind] || "#c47b00";
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" stroke="${color}"
    stroke-width="3.4"><path d="M1 2.7h14M1 8h${kind === "up" ? 14 : 6}M1 13.3h14"/></svg>`;
  document.querySelector("link").href = `data:image/svg+xml,${encodeURIComponent(drawing)}`;
}

/** Says the sentence aloud when somebody's standing changed, and not each second. */
let spoken = "";
function hear() {
  const words = sentence(true)[1];
  if (spoken && spoken !== words) put($("heard"), words);
  spoken = words;
}

/** The last ten seconds as clients met them. */
function showTraffic() {
  const recent = aggregate(now() - 12, now(), Infinity).at(-1);
  if (!recent) return;
  const bold = (text) => el("b", {}, text);
  const passed = recent.tcp_connections, total = rateOf(recent) - passed, wrong = recent.requests_5xx;
  const parts = total ? [bold(count(total)), " requests a second, "] : [];
  if (total && wrong) parts.push(bold(percent(wrong / total)), " of them failed");
  else if (total) parts.push("none failed");
  if (total && recent.p99_ms !== null) {
    parts.push(", 99 in a hundred answered within ", bold(millis(recent.p99_ms)));
  }
  if (passed) parts.push(total ? "; " : "", bold(count(passed)), " TCP connections a second");
  else if (!total) parts.push("No requests right now");
  swap($("traffic"), parts);
}

/** What else an operator should know now. */
function showNotes() {
  const notes = [];
  const note = (kind, text) => notes.push([kind, text]);
  const { process: own, connections, descriptors, log } = status;
  if (own.state === "unready") note("warn", "It is about to stop, and sends new clients elsewhere");
  if (own.state === "draining") note("warn", "It is stopping, and finishes what it has");
  for (const { paused_for_s: paused, queue, traffic } of status.pools) {
    if (paused !== null) note("warn", `New ${traffic} wait, for ${lasting(paused + 1)} at most`);
    const { length, max } = queue;
    if (length) note("warn", `Waiting for a place: ${count(length)}, of at most ${count(max)}`);
  }
  const reload = status.configuration.last_reload;
  const failed = reload && !reload.ok;
  if (failed) note("error", `Reload at ${timeOf(Date.parse(reload.at))} failed: ${reload.words}`);
  for (const { days_left: days, for: names } of status.certificates) {
    const [kind, when] = days < 0 ? ["error", "has expired"] : ["warn", `expires ${days ? `in ${many(days, "day")}` : "within a day"}`];
    if (days < DAYS_LEFT) note(kind, `The certificate for ${names} ${when}`);
  }
  for (const [name, value, most] of [["clients", connections.clients, connections.max],
    ["descriptors", descriptors.open, descriptors.limit],
    ...status.listeners.map(({ name, connections: at }) =>
      [`clients at ${name}`, at.clients, at.max ?? 1e9])]) {
    if (value >= most * 0.9) note("warn", `${count(value)} ${name}, of at most ${count(most)}`);
  }
  for (const { name, last } of status.alerts) {
    if (last?.result === "failed") note("error", `Alert ${name} reached nobody: ${last.words}`);
  }
  const gone = log.lines_dropped + log.lines_lost;
  if (gone) note("warn", `Missing in the log: ${many(gone, "line")}`);
  if (own.version !== version) note("info", `Version ${own.version} runs now: reload the page`);
  swap($("notes"), notes.map(([kind, text]) => el("li", {}, shape(kind), el("span", {}, text))));
}

// ---- The charts ----

const CLASSES = ["2xx", "3xx", "1xx", "4xx", "5xx"];
const requestsOf = (name) => (bucket) => bucket[`requests_${name}`];
const columnOf = (name) => (bucket) => bucket[name];
const rateOf = (bucket) =>
  CLASSES.reduce((sum, name) => sum + requestsOf(name)(bucket), bucket.tcp_connections);

/** Series of one chart: those with `isArea` stand upon each other. */
const CHARTS = [
  { title: "Requests a second", figure: rateOf, format: count,
    series: CLASSES.map((name) => ({
      name, of: requestsOf(name), css: `c${name}`, isArea: true, hatch: name > "4" ? name : "" }))
      .concat({ name: "TCP", of: columnOf("tcp_connections"), css: "flight", isArea: true }) },
  { title: "Errors a second", format: count,
    figure: (bucket) => bucket.errors_ours + bucket.errors_theirs, series: [
      { name: "theirs", of: columnOf("errors_theirs"), css: "theirs" },
      { name: "ours", of: columnOf("errors_ours"), css: "ours" }] },
  { title: "Time to answer, p99", format: millis, figure: columnOf("p99_ms"), series: [
    { name: "p99", of: columnOf("p99_ms"), css: "p99" },
    { name: "p50", of: columnOf("p50_ms"), css: "p50" }] },
  { title: "In flight", format: count, figure: columnOf("in_flight"), series: [
    { name: "in flight", of: columnOf("in_flight"), css: "flight", isArea: true },
    { name: "queue", of: columnOf("queue"), css: "queue" }] },
];

/**
 * The points from `from` to `to` in at most `buckets` steps, rates a second. Steps begin at fixed
 * times, so that a chart moves on and does not tremble. Of the worst figures the worst is kept: a
 * peak of two seconds is to be seen in an hour, too.
 */
function aggregate(from, to, buckets) {
  const { period, columns } = points;
  const times = columns.time_s || [];
  const whole = buckets === Infinity;
  const step = whole ? to - from : period * Math.max(1, Math.ceil((to - from) / period / buckets));
  const all = [];
  for (let index = 0; index < times.length; index++) {
    if (times[index] <= from || times[index] > to) continue;
    const start = whole ? from : Math.floor((times[index] - period / 2) / step) * step;
    let bucket = all[all.length - 1];
    if (!bucket || bucket.start !== start) {
      bucket = { start, step, time: times[index], points: 0 };
      for (const name of COLUMNS.slice(1)) bucket[name] = null;
      all.push(bucket);
    }
    bucket.time = times[index];
    bucket.points++;
    for (const name of COLUMNS.slice(1)) {
      const value = columns[name][index];
      if (value === null || value === undefined) continue;
      const isSum = /^(requests|tcp|errors)/.test(name);
      bucket[name] = isSum ? bucket[name] + value : Math.max(bucket[name] ?? 0, value);
    }
  }
  for (const bucket of all) {
    for (const name of COLUMNS.slice(1, 9)) {
      if (bucket[name] !== null) bucket[name] /= bucket.points * period;
    }
  }
  return all;
}

/** The next round number of which the half is round, too. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 10].find((one) => one * power >= value * 0.9999) * power;
}

/** The part of time that is shown. */
function range() {
  const span = view.span || guessSpan();
  const end = view.at === null ? now() : Math.min(now(), view.at + span / 2);
  return [end - span, end];
}

/** As long as nobody chooses: the shortest that holds what there is. */
function guessSpan() {
  const age = now() - (points.columns.time_s?.[0] ?? now());
  return (SPANS.find(([span]) => age <= span * 1.2) || SPANS.at(-1))[0];
}

class Chart {
  constructor(spec) {
    this.spec = spec;
    this.figure = el("p", { className: "figure" });
    this.drawing = svg("svg", { "aria-hidden": "true" });
    this.empty = el("p", { className: "empty", hidden: true }, "Nothing yet");
    this.plot = el("div", { className: "plot", tabIndex: 0, role: "slider" },
      this.drawing, this.empty);
    this.title = el("h3");
    this.values = spec.series.map(() => el("b"));
    this.legend = spec.series.map((one, index) =>
      el("span", {}, this.swatch(one), one.name, " ", this.values[index]));
    this.node = el("div", { className: "chart" }, this.title, this.figure, this.plot,
      el("div", { className: "legend" }, ...this.legend));
    on(this.plot, "pointermove", (event) => this.point(event));
    on(this.plot, "pointerdown", (event) => this.point(event));
    on(this.plot, "pointerleave", () => pointAt(null));
    on(this.plot, "blur", () => pointAt(null));
    on(this.plot, "keydown", (event) => this.press(event));
    new ResizeObserver(showCharts).observe(this.plot);
  }

  swatch({ css, isArea, hatch }) {
    if (!isArea) return svg("svg", {}, svg("path", { class: `line ${css}`, d: "M0 5H14" }));
    const box = (paint) => svg("rect", { width: 10, height: 10, x: 2, rx: 2, ...paint });
    const shade = hatch ? [box({ fill: `url(#hatch-${hatch})` })] : [];
    return svg("svg", {}, box({ class: css }), ...shade);
  }

  point(event) {
    const box = this.plot.getBoundingClientRect();
    pointAt(this.from + (event.clientX - box.left) / box.width * (this.to - this.from));
  }

  /** Arrows go from step to step, so that the figures can be read without a pointer. */
  press(event) {
    const last = this.buckets.length - 1;
    const here = view.pointed === null ? last : this.nearest();
    const to = { ArrowLeft: here - 1, ArrowDown: here - 1, ArrowRight: here + 1, ArrowUp: here + 1,
      PageDown: here - 10, PageUp: here + 10, Home: 0, End: last }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    pointAt(this.buckets[Math.max(0, Math.min(last, to))].time);
    this.describe(true);
  }

  /** The step that is pointed at; else that of the chosen event; else the last. */
  nearest() {
    const time = view.pointed ?? view.at;
    if (time === null) return this.buckets.length - 1;
    const away = this.buckets.map((one) => Math.abs(one.time - time));
    const least = Math.min(...away);
    // Far from any there is a gap, of which nothing is known.
    return least <= 3 * this.step ? away.indexOf(least) : -1;
  }

  draw(from, to, buckets) {
    Object.assign(this, { from, to, buckets });
    this.width = this.plot.clientWidth;
    this.height = this.plot.clientHeight - 16;
    this.step = buckets[0]?.step;
    this.top = this.highest();
    this.empty.hidden = buckets.length > 0;
    // Classes that hardly any application has would only take room.
    this.spec.series.forEach(({ name, of }, index) =>
      this.legend[index].hidden = ["1xx", "3xx", "TCP"].includes(name) && !buckets.some(of));
    // The first chart's last series is TCP's.
    const more = this.legend[5]?.hidden ?? true ? "" : ", with TCP";
    put(this.title, this.plot.ariaLabel = this.spec.title + more);
    this.x = (time) => (time - this.from) / (this.to - this.from) * this.width;
    this.y = (value) => this.height * (1 - value / this.top);
    const parts = [this.grid(), this.shapes(), this.marks(), this.cursor()];
    this.drawing.replaceChildren(...parts.flat());
    this.describe(false);
  }

  highest() {
    let most = 0;
    for (const bucket of this.buckets) {
      let sum = 0;
      for (const { of, isArea } of this.spec.series) {
        const value = of(bucket) ?? 0;
        if (isArea) sum += value; else most = Math.max(most, value);
      }
      most = Math.max(most, sum);
    }
    return most > 0 ? round(Math.max(most * 1.08, 2)) : 2;
  }

  grid() {
    const parts = [];
    for (const part of [0.5, 1]) {
      const y = Math.round(this.y(this.top * part)) + 0.5;
      parts.push(svg("path", { class: "grid", d: `M0 ${y}H${this.width}` }));
    }
    parts.push(svg("path", { class: "base", d: `M0 ${this.height + 0.5}H${this.width}` }));
    // As many times as fit, at round ones of the clock on the wall.
    const steps = [10, 30, 60, 120, 300, 600, 900, 1800, 3600];
    const step = steps.find((one) => (this.to - this.from) / one <= this.width / 75) || 3600;
    for (let time = Math.ceil(this.from / step) * step; time <= this.to; time += step) {
      const x = this.x(time);
      if (x < 16 || x > this.width - 16) continue;
      const label = clock.format(time * 1000).slice(0, step < 60 ? 8 : 5);
      parts.push(svg("text", { x, y: this.height + 14, "text-anchor": "middle" }, label));
    }
    return parts;
  }

  /** Stretches without a gap: what is not known is not drawn. */
  runs(of) {
    const runs = [];
    let last = null;
    for (const bucket of this.buckets) {
      if (of(bucket) === null) { last = null; continue; }
      if (!last || bucket.time - last.time > 2.5 * this.step) runs.push([]);
      runs.at(-1).push(bucket);
      last = bucket;
    }
    return runs;
  }

  shapes() {
    const parts = [], lines = [], labels = [];
    const floor = new Map();
    const trace = (list, value) => list.map((bucket) =>
      `${this.x(bucket.time).toFixed(1)} ${this.y(value(bucket)).toFixed(1)}`).join("L");
    for (const { of, css, isArea, hatch } of this.spec.series) {
      for (const run of this.runs(of)) {
        // One that is alone is a short stroke: a path of one point is nothing.
        const list = run.length > 1 ? run : [{ ...run[0], time: run[0].time - this.step }, run[0]];
        if (!isArea) {
          lines.push(svg("path", { class: `line ${css}`, d: `M${trace(list, of)}` }));
          continue;
        }
        if (!run.some(of)) continue;
        const low = (bucket) => floor.get(bucket.start) || 0;
        const high = (bucket) => low(bucket) + of(bucket);
        const d = `M${trace(list, high)}L${trace([...list].reverse(), low)}Z`;
        parts.push(svg("path", { class: `area ${css}`, d }));
        if (hatch) parts.push(svg("path", { d, fill: `url(#hatch-${hatch})` }));
        if (!hatch) lines.push(svg("path", { class: `line ${css}`, d: `M${trace(list, high)}` }));
        for (const bucket of run) floor.set(bucket.start, high(bucket));
      }
    }
    for (const part of [0.5, 1]) {
      const y = Math.max(this.y(this.top * part) - 4, -2);
      labels.push(svg("text", { class: "scale", x: 0, y }, this.spec.format(this.top * part)));
    }
    return [...parts, ...lines.reverse(), ...labels];
  }

  /** Warnings and errors of the timeline, each pixel once. */
  marks() {
    const parts = [], taken = new Set();
    for (const { ms, level } of events) {
      const x = Math.round(this.x(ms / 1000)) + 0.5;
      if (level === "info" || x < 0 || x > this.width || taken.has(x)) continue;
      taken.add(x);
      parts.push(svg("g", { class: `is-${level}` },
        svg("path", { class: "mark", d: `M${x} 0V${this.height}` }),
        svg("path", { class: "tick", d: `M${x - 3.5} ${this.height + 1}h7l-3.5 -6z` })));
    }
    return parts;
  }

  cursor() {
    const time = view.pointed ?? view.at;
    if (time === null || time < this.from || time > this.to) return [];
    const at = this.buckets[this.nearest()];
    const x = this.x(at ? at.time : time);
    const parts = [svg("path", { class: "cursor", d: `M${x} -4V${this.height}` })];
    for (const { of, css, isArea } of this.spec.series) {
      const value = at && !isArea ? of(at) : null;
      const dot = { class: `dot ${css}`, cx: x, cy: this.y(value), r: 4 };
      if (value !== null) parts.push(svg("circle", dot));
    }
    return parts;
  }

  /** The figures, and the same for whoever hears them: while one listens, only when asked. */
  describe(isAsked) {
    const index = this.nearest();
    const bucket = this.buckets[index];
    const { figure, series, format } = this.spec;
    const all = bucket ? format(figure(bucket)) : "–";
    put(this.figure, all);
    series.forEach(({ of }, one) => put(this.values[one], bucket ? format(of(bucket)) : "–"));
    if (!isAsked && document.activeElement === this.plot) return;
    const parts = series.map(({ name }, one) => `${name} ${this.values[one].textContent}`);
    set(this.plot, "aria-valuemax", String(Math.max(0, this.buckets.length - 1)));
    set(this.plot, "aria-valuenow", String(Math.max(0, index)));
    const time = bucket ? timeOf(bucket.time * 1000) : "now";
    set(this.plot, "aria-valuetext", `${time}: ${all}; ${parts.join(", ")}`);
  }
}

const charts = CHARTS.map((spec) => new Chart(spec));
$("charts").append(...charts.map((chart) => chart.node));

function pointAt(time) {
  if (view.pointed === time) return;
  view.pointed = time;
  showCharts();
}

function showCharts() {
  if (!status) return;
  const [from, to] = range();
  const buckets = aggregate(from, to, 450);
  charts.forEach((chart) => chart.draw(from, to, buckets));
  const span = view.span || guessSpan();
  [...$("spans").children].forEach((button, index) =>
    set(button, "aria-pressed", String(SPANS[index][0] === span)));
  $("live").hidden = view.at === null;
  const first = points.columns.time_s?.[0] ?? now();
  let words = "";
  if (view.pointed !== null) words = timeOf(view.pointed * 1000);
  else if (view.at !== null) {
    const isOld = view.at < first - points.period;
    words = `Around ${timeOf(view.at * 1000)}, ${lasting(now() - view.at)} ago` +
      (isOld ? ": before what is remembered" : "");
  }
  put($("when"), words);
}

/** Moves all charts to a time, or back to now. */
function go(time, event = 0) {
  view.at = time;
  view.event = event;
  view.pointed = null;
  if (time !== null && !view.span) view.span = 300;
  if (time === null) view.span = 0;
  show();
  if (time === null) return;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("history").scrollIntoView({ block: "nearest", behavior: isStill ? "auto" : "smooth" });
}

SPANS.forEach(([span, name]) => {
  const button = el("button", { type: "button", "aria-pressed": "false" }, name);
  on(button, "click", () => { view.span = span; showCharts(); });
  $("spans").append(button);
});
on($("live"), "click", () => { go(null); $("spans").firstElementChild.focus(); });
on(window, "keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) go(null);
});

// ---- The table ----

const rows = new Map();

class Row {
  constructor(one) {
    this.one = one;
    const cell = (className, title, ...children) => {
      const node = el("td", { className }, ...children);
      if (title) node.dataset.title = title;
      return node;
    };
    for (const text of ["state", "sub", "why", "since", "got", "due", "rate", "p99", "errors",
      "seen", "score"]) this[text] = el("span");
    this.name = el("button", { type: "button", "aria-expanded": "false" }, one.name);
    this.bar = el("i", { "aria-hidden": "true" });
    this.path = svg("path");
    this.dots = el("span", { className: "dots", "aria-hidden": "true" });
    this.actions = cell("actions", "");
    this.errorsCell = cell("number", "Errors", this.errors);
    this.node = el("tr", { className: "row" },
      cell("state", "", this.state),
      el("th", { scope: "row", className: "name" }, this.name, el("small", {}, this.sub)),
      cell("why", "", this.why, el("small", {}, this.since)),
      cell("share", "Share", this.got, " ", el("small", {}, this.due), this.bar),
      cell("number rate", "Requests/s",
        svg("svg", { viewBox: "0 0 60 18", "aria-hidden": "true" }, this.path), this.rate),
      cell("number", "p99", this.p99),
      this.errorsCell,
      cell("check-cell", "Last check", this.dots, el("small", {}, this.seen)),
      cell("number score", "Score", this.score),
      this.actions);
    on(this.name, "click", () => this.toggle());
  }

  update(one, sums) {
    this.one = one;
    if (this.node.dataset.state !== one.standing) {
      this.node.dataset.state = one.standing;
      this.state.className = `is-${one.standing}`;
      this.state.replaceChildren(shape(one.standing), LABELS[one.standing]);
    }
    const notes = [one.address, sums.pools > 1 ? one.pool : "", one.backup ? "backup" : ""];
    put(this.sub, notes.filter(Boolean).join(" · "));
    const isUp = one.standing === "up";
    const asked = one.asked_by ? `, asked by the ${one.asked_by}` : "";
    put(this.why, isUp ? "" : (reason(one) || LABELS[one.standing]) + asked);
    put(this.since, `for ${lasting(one.since_s)}`);
    const [requests] = grown(one.key, "requests");
    const [recent, time] = grown(one.key, "requests", 10);
    const [errors] = grown(one.key, "errors");
    const got = sums.requests ? requests / sums.requests : null;
    put(this.got, got === null ? "–" : `${Math.round(got * 100)} %`);
    put(this.due, `of ${Math.round(one.due * 100)} %`);
    this.bar.style.setProperty("--got", `${(got || 0) * 100}%`);
    this.bar.style.setProperty("--due", `${one.due * 100}%`);
    this.bar.classList.toggle("none", !one.due);
    put(this.rate, count(time ? recent / time : 0));
    set(this.path, "d", this.spark());
    put(this.p99, millis(one.p99_ms));
    put(this.errors, count(errors));
    this.errorsCell.classList.toggle("is-down", errors > 0);
    const check = one.checks[0];
    put(this.seen, check ? `${came(check)} ${lasting(check.age_s)} ago` : "none yet");
    this.showDots();
    put(this.score, one.score === null ? "–" : trimmed(one.score));
    this.score.parentNode.title = one.explanation || "";
    this.showActions();
    if (opened.has(one.key)) this.showDetail();
  }

  /** Requests a second over the last minute, from the left to now. */
  spark() {
    const own = looks.get(this.one.key);
    const steps = own.slice(1).map((look, index) =>
      (look.requests - own[index].requests) / Math.max(0.1, look.at - own[index].at));
    const most = Math.max(...steps, 1);
    return steps.map((value, index) =>
      `${index ? "L" : "M"}${61 - steps.length + index} ${(17 - value / most * 16).toFixed(1)}`).join("");
  }

  showDots() {
    const marks = [...this.one.checks].reverse().map(came);
    if (this.dots.dataset.marks === marks.join()) return;
    this.dots.dataset.marks = marks.join();
    this.dots.replaceChildren(...marks.map((className) => el("i", { className })));
  }

  showActions() {
    const { mode, name } = this.one;
    if (this.actions.dataset.mode === mode) return;
    this.actions.dataset.mode = mode;
    const others = Object.entries(ACTIONS).filter(([to]) => to !== mode);
    this.actions.replaceChildren(...others.map(([to, [verb]]) => {
      const button = el("button", { type: "button", "aria-label": `${verb} ${name}` }, verb);
      on(button, "click", () => confirm(this.one, to));
      return button;
    }));
  }

  toggle() {
    const { key, name } = this.one;
    if (opened.delete(key)) this.detail?.remove();
    else {
      opened.set(key, { name, lines: null, isMute: false, askedAt: -Infinity });
      askWhy([key, opened.get(key)]).then(() => opened.has(key) && this.showDetail());
      this.showDetail();
    }
    set(this.name, "aria-expanded", String(opened.has(key)));
  }

  showDetail() {
    const { one } = this;
    const list = (items) => el("ul", {}, ...items.map((text) => el("li", {}, text)));
    const pairs = (all) => el("dl", { className: "pairs" },
      ...all.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
    const known = [one.why || "It takes its turns.", one.explanation].filter(Boolean);
    const checks = one.checks.map(({ at, seen, took_ms: took }) =>
      `${timeOf(Date.parse(at))} ${seen}, ${millis(took)}`);
    const most = one.max_connections ? ` of ${count(one.max_connections)}` : "";
    const answers = Object.entries(one.answers).filter(([, number]) => number)
      .map(([name, number]) => `${name} ${count(number)}`);
    const part = (title, content) => el("div", {}, el("h3", {}, title), content);
    const content = el("div", {},
      part("Why", list(opened.get(one.key).lines || known)),
      part("Last checks", list(checks.length ? checks : ["none yet"])),
      part("Since the start", pairs([
        ["Requests", `${count(one.requests)}, ${count(one.in_flight)} in flight${most}`],
        ["Answers", answers.join(", ") || "none"],
        ["Tries failed", `${count(one.failures)}`],
        ["Checks", `${count(one.checks_passed)} passed, ${count(one.checks_failed)} failed`],
        ["Half within", millis(one.p50_ms)]])));
    if (!this.detail) this.detail = el("tr", { className: "detail" }, el("td"));
    this.detail.firstChild.colSpan = $("backends").className ? 9 : 10;
    swap(this.detail.firstChild, [content]);
    if (this.node.nextSibling !== this.detail) this.node.after(this.detail);
  }
}

function showTable() {
  const wanted = $("find").value.trim().toLowerCase();
  const all = status.backends;
  $("find").hidden = all.length < FIND_FROM && !wanted;
  $("backends").classList.toggle("no-score", all.every((one) => one.score === null));
  const isWanted = (one) =>
    `${one.name} ${one.address} ${LABELS[one.standing]} ${one.why}`.toLowerCase().includes(wanted);
  // Problems first, and otherwise as the file has them: a row moves only when its standing changes.
  const found = all.filter(isWanted).sort((a, b) => gravity(a) - gravity(b));
  const shown = found.slice(0, ROWS_MAX);
  const sums = { pools: status.pools.length,
    requests: all.reduce((sum, one) => sum + grown(one.key, "requests")[0], 0) };
  const kept = new Set(shown.map((one) => one.key));
  for (const [key, row] of rows) {
    if (kept.has(key)) continue;
    row.detail?.remove();
    row.node.remove();
    rows.delete(key);
    opened.delete(key);
  }
  const focused = document.activeElement;
  let place = $("rows").firstChild;
  for (const one of shown) {
    const row = rows.get(one.key) || new Row(one);
    rows.set(one.key, row);
    if (row.node !== place) $("rows").insertBefore(row.node, place); else place = place.nextSibling;
    row.update(one, sums);
    while (place?.className === "detail") place = place.nextSibling;
  }
  // A row that was moved has lost the focus that was in it.
  if (focused !== document.activeElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
  const pools = status.pools.map(({ name, usable, total, policy }) =>
    `${sums.pools > 1 ? `${name}: ` : ""}${usable} of ${total} up, ${policy}`);
  put($("pools"), pools.join("; "));
  const left = found.length - shown.length;
  put($("more"), left > 0 ? `${count(left)} more: find them by name`
    : found.length ? "" : "None is called so");
}

on($("find"), "input", () => status && showTable());

// ---- The timeline ----

let drawnEvents = "";

function showTimeline() {
  const wanted = $("grave").checked ? events.filter((one) => one.level !== "info") : events;
  const shown = wanted.slice(-shownEvents).reverse();
  // The day that a time is shown with depends on today.
  const today = day.format(now() * 1000);
  const drawn = [process, wanted.length, lastEvent, shownEvents, view.event, today].join();
  if (drawn === drawnEvents) return;
  drawnEvents = drawn;
  const held = document.activeElement?.dataset?.number;
  $("timeline").replaceChildren(...shown.map(eventLine));
  if (!shown.length) $("timeline").append(el("li", { className: "nothing" }, "Nothing yet"));
  const again = held && $("timeline").querySelector(`[data-number="${held}"]`);
  if (again) again.focus({ preventScroll: true });
  const left = wanted.length - shown.length;
  $("older").hidden = !left;
  put($("older"), `Show ${Math.min(left, 50)} earlier`);
  put($("lost"), eventsLost ? `${count(eventsLost)} earlier ones are remembered no more` : "");
}

function eventLine(one) {
  const isChosen = view.event === one.number;
  const button = el("button", { type: "button", className: one.level === "info" ? "is-plain" : "" },
    el("time", { dateTime: one.time, title: one.time }, timeOf(one.ms)),
    shape(one.kind === "up" ? "up" : one.level),
    el("span", { className: "text" },
      el("span", { className: "hidden" }, one.level === "info" ? "" : `${one.level}: `), one.text));
  button.dataset.number = one.number;
  if (isChosen) button.setAttribute("aria-current", "true");
  on(button, "click", () => isChosen ? go(null) : go(one.ms / 1000, one.number));
  return el("li", {}, button);
}

on($("older"), "click", () => { shownEvents += 50; showTimeline(); });
on($("grave"), "change", showTimeline);

// ---- The footer ----

function showFooter() {
  const { process: own, configuration, certificates, alerts, connections, descriptors } = status;
  const reload = configuration.last_reload;
  const facts = [
    ["Evenly", own.version, `process ${own.pid}, up for ${lasting(own.uptime_s)}`],
    ["Configuration", configuration.path || "from no file",
      `${lasting(configuration.age_s)} old`,
      reload && `last reload ${reload.ok ? "" : "failed "}at ${timeOf(Date.parse(reload.at))}`],
    ["Certificates", certificates.length ? "" : "none",
      ...certificates.map(({ for: names, days_left: days }) =>
        `${names}: ${days < 0 ? "expired" : `${many(days, "day")} left`}`)],
    ["Alerts", alerts.length ? "" : "no channel is set up",
      ...alerts.map((one) =>
        `${one.name} (${one.kind})${one.last ? `, last ${one.last.result}` : ""}`)],
    ["Clients", `${count(connections.clients)} of ${count(connections.max)}`,
      `${count(descriptors.open)} of ${count(descriptors.limit)} descriptors`],
    ["Times", clock.resolvedOptions().timeZone, "of this browser"],
  ];
  const list = el("dl", {}, ...facts.map(([name, ...values]) => el("div", {}, el("dt", {}, name),
    ...values.filter(Boolean).map((value) => el("dd", {}, value)))));
  swap($("footer"), [list]);
}

// ---- What is asked of the reader, and said ----

const ACTIONS = {
  ready: ["Ready", "Use it again:", "It gets requests as soon as its checks pass."],
  drain: ["Drain", "Drain", "It gets no new requests, and finishes those that it has."],
  maint: ["Maint", "Maintenance of",
    "It gets no new requests. Those that it has finish; tunnels and streams are ended."],
};

/** What the dialog's button does; none while the dialog is closed. */
let onYes = null;

function confirm(one, to, isLast = false) {
  const [verb, title, text] = ACTIONS[to];
  put($("ask-title"), isLast ? `${one.name} is the last one in use` : `${title} ${one.name}?`);
  put($("ask-text"), isLast
    ? "Without it nobody is left to answer: every new request fails with 503 until one is back."
    : `${text} It has ${count(one.in_flight)} in flight now.`);
  put($("ask-yes"), isLast ? `${verb} it all the same` : verb);
  put($("ask-error"), "");
  $("ask-yes").classList.toggle("grave", isLast);
  onYes = () => change(one, to, isLast);
  if (!$("ask").open) $("ask").showModal();
  // The safe one is at hand: who presses Enter too often changes nothing.
  $("ask-no").focus();
}

async function change(one, to, isForced) {
  $("ask-yes").disabled = true;
  try {
    const path = `backends/${encodeURIComponent(one.name)}/${to}${isForced ? "?force=1" : ""}`;
    const { words } = await ask(path, "POST");
    $("ask").close();
    say(words);
    poll();
  } catch (error) {
    if (error.code === 409 && !isForced) confirm(one, to, true);
    else put($("ask-error"), error.code ? error.message : "No answer came: look, then try again");
  } finally {
    $("ask-yes").disabled = false;
  }
}

on($("ask-no"), "click", () => $("ask").close());
on($("ask"), "submit", (event) => { event.preventDefault(); onYes?.(); });
on($("ask"), "close", () => { onYes = null; });

let saying = null;
function say(words) {
  put($("said"), words);
  clearTimeout(saying);
  saying = setTimeout(() => put($("said"), ""), 8000);
}

/** No more questions until there is a token: each one that is refused is told in the log. */
function askToken() {
  askedAt = null;
  put($("door-error"), token ? "That is not the token." : "");
  remember("");
  if (!$("door").open) $("door").showModal();
  $("token").focus();
}
on($("door"), "submit", (event) => {
  event.preventDefault();
  remember($("token").value.trim());
  $("token").value = "";
  put($("door-error"), "");
  poll().then(() => status && !$("door-error").textContent && $("door").close());
});
// Without it there is nothing to see.
on($("door"), "cancel", (event) => event.preventDefault());

// ---- All of it ----

function show() {
  if (!status) return;
  showSentence();
  showNotes();
  showCharts();
  showTraffic();
  showTable();
  showTimeline();
  showFooter();
  showPulse();
}

/** Says that nobody answers, once that is so; it ends with the next answer. */
function showPulse() {
  const waited = askedAt === null ? 0 : performance.now() - askedAt;
  const isGone = waited > GONE_MS;
  document.body.classList.toggle("is-gone", isGone);
  const seen = status ? `What you see is from ${timeOf(serverTime * 1000)}. ` : "";
  put($("gone"), isGone ? `The balancer does not answer. ${seen}It is asked each second.` : "");
  const live = status ? `live, ${clock.format(now() * 1000)}` : "connecting";
  put($("pulse").lastElementChild, isGone ? `no answer for ${lasting(waited / 1000)}` : live);
  if (isGone) document.title = "✕ no answer – Evenly";
  $("backends").inert = isGone;
}

setInterval(showPulse, 500);
// Timers of a hidden tab are rare: whoever looks again wants to see now.
on(document, "visibilitychange", () => {
  if (!document.hidden && !$("door").open) poll();
});
poll();
