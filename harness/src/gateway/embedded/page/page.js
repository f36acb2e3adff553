"use strict";
// What comes from a request or a config is put in as text only; the page's policy lets nothing else in.
(() => {
  const EVERY = 1000;
  const LOST = 3000;
  const by = (id) => document.getElementById(id);
  const number = new Intl.NumberFormat("en");
  const count = (n) => (n < 1e6 ? number.format(n) : new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 }).format(n));
  const sum = (counts) => Object.values(counts).reduce((all, one) => all + one, 0);
  const plural = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

  const say = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const make = (name, attributes = {}, ...children) => {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const badge = (kind, text) => make("span", { class: `badge ${kind}` }, text);
  const clock = (at) => make("time", { datetime: at }, new Date(at).toLocaleTimeString("en-GB"));

  // The picture.

  const BEFORE_A_ROUTE = ["bad_request", "client_timeout", "method_not_allowed", "no_route"];
  const shown = {};

  const pulse = (edge, now) => {
    if (shown[edge] !== undefined && shown[edge] !== now) {
      for (const path of document.querySelectorAll(`[data-edge="${edge}"]`)) {
        path.classList.remove("busy");
        path.getBoundingClientRect();
        path.classList.add("busy");
      }
    }
    shown[edge] = now;
  };

  const picture = ({ requests, refusals, presented, upstreams, routes }) => {
    const all = sum(requests);
    const routeless = BEFORE_A_ROUTE.reduce((sum, name) => sum + (requests[name] ?? 0), 0);
    const refused = requests.answered_by_filter ?? 0;
    const trapped = requests.filter_trapped ?? 0;
    const allowed = all - routeless - refused - trapped;
    const answered = requests.proxied ?? 0;
    say(by("requests"), count(all));
    say(by("routed"), count(all - routeless));
    say(by("routed-note"), routeless ? `on a route, ${count(routeless)} on none` : `on ${plural(routes.length, "route")}`);
    say(by("allowed"), count(allowed));
    say(by("refused"), count(refused));
    say(by("answered"), count(answered));
    say(by("answered-note"), allowed > answered ? `answered, ${count(allowed - answered)} failed` : "answered");
    say(by("upstream"), upstreams.length > 1 ? plural(upstreams.length, "upstream") : upstreams[0] ?? "the upstream");
    const statuses = Object.entries(refusals).map(([status, n]) => `${status} × ${count(n)}`).join(", ");
    say(by("refusals"), statuses ? `not sent on: ${statuses}` : "nobody refused");
    const most = Object.entries(presented).sort((a, b) => b[1] - a[1]);
    if (most.length > 2) most.splice(1, most.length, [`${most.length - 1} others`, sum(presented) - most[0][1]]);
    for (const place of [1, 2]) {
      const [name, n] = most[place - 1] ?? [place === 1 ? "none presented" : "", null];
      say(by(`identity-${place}`), name.length > 15 ? `${name.slice(0, 14)}…` : name);
      say(by(`identity-${place}-count`), n === null ? "" : count(n));
    }
    const words = `${plural(all, "request")}, ${count(allowed)} allowed, ${count(refused)} refused, ${count(answered)} answered by the upstream.`;
    say(by("picture-words"), words);
    pulse("in", all);
    pulse("allowed", allowed);
    pulse("answered", answered);
    pulse("refused", refused);
    return words;
  };

  // Identities.

  const left = (seconds) => {
    if (seconds < 0) return "ended";
    const [size, unit] = seconds >= 172800 ? [86400, "day"] : seconds >= 7200 ? [3600, "hour"] : [60, "minute"];
    return plural(Math.floor(seconds / size), unit);
  };
  const state = ({ not_after, unusable, refused, seconds_left }) => {
    if (not_after === null) return ["no", "none in force", refused];
    if (unusable) return ["no", "not presented", unusable];
    if (refused) return ["warn", "last good one kept", refused];
    return seconds_left < 7 * 86400 ? ["warn", "ends soon", ""] : ["yes", "in force", ""];
  };
  const identity = (one) => {
    const [kind, word, why] = state(one);
    const cells = [
      make("th", { scope: "row" }, one.name, make("span", { class: "under" }, one.scope)),
      make("td", {}, one.subject ?? "–"),
      make("td", { class: "fixed" }, one.not_after === null ? "–" : left(one.seconds_left)),
      make("td", {}, one.routes.length ? one.routes.join(", ") : "none"),
      make("td", { class: "fixed" }, make("code", {}, one.fingerprint ? `${one.fingerprint.slice(0, 16)}…` : "–")),
      make("td", {}, badge(kind, word)),
    ];
    if (one.not_after) {
      cells[2].append(make("span", { class: "under" }, make("time", { datetime: one.not_after }, one.not_after.slice(0, 10))));
      cells[4].firstChild.title = one.fingerprint;
    }
    if (why) cells[5].append(make("span", { class: "under" }, why));
    return make("tr", { "data-name": one.name }, ...cells);
  };
  let identitiesShown = "";
  const identities = (all) => {
    // Seconds pass, and nobody is to be disturbed by that.
    const known = JSON.stringify(all.map((one) => ({ ...one, seconds_left: left(one.seconds_left), state: state(one) })));
    if (known === identitiesShown) return;
    identitiesShown = known;
    const none = make("tr", { class: "nothing" }, make("td", { colspan: "6" }, "The config names no client certificate."));
    by("identities").replaceChildren(...(all.length ? all.map(identity) : [none]));
  };

  // Decisions.

  const outcome = ({ outcome, status }) => {
    if (outcome === "proxied") return status < 500 ? ["yes", `passed, ${status}`] : ["warn", `passed, ${status}`];
    return outcome === "answered_by_filter" ? ["no", `refused, ${status}`] : ["warn", `${outcome.replaceAll("_", " ")}, ${status}`];
  };
  const decision = (one) => {
    const [kind, word] = outcome(one);
    const ask = make("button", { type: "button", class: "ask", "aria-label": `Explain ${one.method} ${one.path}` }, "Explain");
    ask.addEventListener("click", () => askAbout(one));
    const request = make("td", { class: "path" }, `${one.method} ${one.path}`);
    if (one.route) request.append(make("span", { class: "under" }, one.route));
    return make("tr", { "data-number": one.number, class: "new" },
      make("td", {}, clock(one.at)),
      request,
      make("td", {}, one.consumer || "–"),
      make("td", {}, badge(kind, word)),
      make("td", { class: "reason" }, one.reason || "–"),
      make("td", {}, one.certificate || "–"),
      make("td", {}, ask));
  };
  let lastDecision = 0;
  const decisions = (all) => {
    const body = by("decisions");
    const newest = all[0]?.number ?? 0;
    if (newest === lastDecision) return;
    // The gateway came up anew.
    if (newest < lastDecision || lastDecision === 0) body.replaceChildren();
    const known = newest < lastDecision ? 0 : lastDecision;
    body.prepend(...all.filter((one) => one.number > known).map(decision));
    while (body.childElementCount > 100) body.lastElementChild.remove();
    lastDecision = newest;
  };

  // Rotation.

  const KINDS = {
    taken: ["yes", "taken over"], kept: ["warn", "last good kept"], out: ["no", "nothing in force"], ending: ["warn", "ends soon"],
  };
  const event = ({ at, kind, what, why }) => {
    const [colour, word] = KINDS[kind];
    const item = make("li", {}, clock(at), badge(colour, word));
    if (what) item.append(make("strong", {}, what));
    item.append(make("span", { class: "under" }, why.replace(/fingerprint ([0-9a-f]{16})[0-9a-f]+/, "fingerprint $1…")));
    return item;
  };
  let lastEvent = 0;
  const events = (all) => {
    const newest = all[0]?.number ?? 0;
    if (newest === lastEvent) return "";
    const news = lastEvent ? all.filter((one) => one.number > lastEvent) : [];
    lastEvent = newest;
    by("events").replaceChildren(...all.map(event));
    return news.map(({ kind, what, why }) => `${what} ${KINDS[kind][1]}: ${why}`).join("; ");
  };

  // Asking.

  const form = by("explain");
  const answered = (kind, word, text) => {
    by("answer").replaceChildren(make("p", {}, badge(kind, word)), make("pre", {}, text));
  };
  form.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const asked = Object.fromEntries(new FormData(form));
    form.elements.key.value = "";
    try {
      const response = await fetch("/page/explain", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked),
      });
      const told = await response.json();
      if (!response.ok) answered("warn", "could not be asked", told.message);
      else answered(told.allowed ? "yes" : "no", told.allowed ? "allowed" : "refused", told.text);
    } catch {
      answered("warn", "could not be asked", "The gateway does not answer.");
    }
  });
  const askAbout = ({ method, path, consumer }) => {
    Object.entries({ method, path, consumer, route: "", key: "" }).forEach(([name, value]) => { form.elements[name].value = value; });
    form.requestSubmit();
    form.elements.path.focus();
  };
  const config = ({ config, routes }) => {
    say(by("config"), config ? `In force: ${config}.` : "");
    const names = routes.map(({ name }) => name);
    if (by("routes").dataset.names !== names.join("\n")) {
      by("routes").dataset.names = names.join("\n");
      by("routes").replaceChildren(...names.map((name) => make("option", { value: name })));
    }
  };

  // Looking.

  let saidLast = 0;
  let saidWords = "";
  const announce = (words, news) => {
    const now = Date.now();
    if (news) say(by("news"), news);
    else if (words !== saidWords && now - saidLast > 10 * EVERY) say(by("news"), words);
    else return;
    [saidLast, saidWords] = [now, words];
  };
  const live = (state, text) => {
    by("live").dataset.state = state;
    say(by("live-text"), text);
  };
  const look = async () => {
    try {
      const response = await fetch("/page/state", { signal: AbortSignal.timeout(LOST) });
      if (!response.ok) throw new Error();
      const told = await response.json();
      const words = picture(told);
      identities(told.identities);
      decisions(told.decisions);
      const news = events(told.events);
      config(told);
      announce(words, news);
      live("live", "live");
    } catch {
      live("lost", "the gateway does not answer");
    }
  };
  let next;
  const again = async () => {
    clearTimeout(next);
    await look();
    clearTimeout(next);
    if (!document.hidden) next = setTimeout(again, EVERY);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) again(); });

  const narrow = matchMedia("(max-width: 46rem)");
  const fit = () => {
    by("picture").setAttribute("viewBox", narrow.matches ? "0 0 280 790" : "0 0 1120 212");
    for (const edge of document.querySelectorAll(".edge:not(.back)")) edge.setAttribute("d", narrow.matches ? "M0 0h26" : "M0 0h58");
  };
  narrow.addEventListener("change", fit);
  fit();
  again();
})();
