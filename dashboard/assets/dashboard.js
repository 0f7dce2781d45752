// What runs in the browser: the state in the address, the period in view, the reload once there is something to show.
window.dsgo = {
  // Writes the controls of a page into its address, without a new entry in the history.
  keepInUrl: (path, names, values) => {
    const bare = (text) => text.replace(/\/+$/, "");
    if (bare(window.location.pathname) !== bare(path)) return window.dash_clientside.no_update;
    const query = new URLSearchParams();
    const tab = values[names.indexOf("tab")];
    names.forEach((full, i) => {
      const value = values[i];
      const [of, name] = full.includes(".") ? full.split(".") : [tab, full];
      if (of !== tab) return;
      if (value && !Array.isArray(value) && typeof value === "object") {
        for (const [key, part] of Object.entries(value)) query.set(key, part);
      } else if (value !== null && value !== undefined && value !== "" && value.length !== 0) {
        query.set(name, value);
      }
    });
    const search = query.toString() ? `?${query}` : "";
    if (search !== window.location.search) window.history.replaceState(window.history.state, "", path + search);
    return search;
  },

  // The period in view, {from, to} in UTC: from the calendar, the buttons, or a zoom or pan of the chart.
  period: (picked, zoomed, clicks, view, bounds) => {
    const { no_update, callback_context } = window.dash_clientside;
    if (!view) return [no_update, no_update]; // there is no data yet
    const hour = 3600e3, day = 24 * hour;
    const parse = (text) => Date.parse(String(text).replace(" ", "T").slice(0, 19) + "Z");
    const first = Date.parse(bounds.from + "Z"), last = Date.parse(bounds.to + "Z");
    const trigger = callback_context.triggered[0];
    if (!trigger) return [no_update, no_update];
    let from = Date.parse(view.from + "Z"), to = Date.parse(view.to + "Z");
    if (trigger.prop_id.includes("picked")) {
      if (!picked || !picked[0] || !picked[1]) return [no_update, no_update];
      from = Date.parse(picked[0].slice(0, 10) + "T00:00Z");
      to = Date.parse(picked[1].slice(0, 10) + "T00:00Z") + day;
    } else if (trigger.prop_id.includes("relayoutData")) {
      const key = Object.keys(zoomed || {}).find((name) => name.startsWith("xaxis"));
      if (!key) return [no_update, no_update];
      if (key.includes("autorange")) [from, to] = [first, last];
      else {
        const range = zoomed["xaxis.range"] || [zoomed["xaxis.range[0]"], zoomed["xaxis.range[1]"]];
        [from, to] = range.map(parse);
      }
    } else {
      const what = JSON.parse(trigger.prop_id.slice(0, trigger.prop_id.lastIndexOf("."))).step;
      if (!trigger.value) return [no_update, no_update];
      const span = to - from;
      if (what === "all") [from, to] = [first, last];
      else if (what === "back") [from, to] = [from - span, from];
      else if (what === "on") [from, to] = [to, to + span];
      else from = to - Number(what) * hour;
    }
    // Whole hours within the data, at least three of them.
    from = Math.floor(from / hour) * hour;
    to = Math.max(Math.ceil(to / hour) * hour, from + 3 * hour);
    if (to > last) [from, to] = [Math.max(from - (to - last), first), last];
    if (from < first) [from, to] = [first, Math.min(to + (first - from), last)];
    const text = (time) => new Date(time).toISOString().slice(0, 16);
    if (text(from) === view.from && text(to) === view.to) return [no_update, no_update];
    const days = [text(from).slice(0, 10), text(to - hour).slice(0, 10)];
    return [{ from: text(from), to: text(to) }, days];
  },

  // A page that waits for data or a model comes by itself.
  reloadWhenReady: (live) => {
    if (live && live.ready && document.getElementById("waiting")) window.location.reload();
    if (live && live.ahead && document.getElementById("no-forecast")) window.location.reload();
    return window.dash_clientside.no_update;
  },
};

// Whether the dashboard still answers: asked by the page itself, for Dash is silent when its server is gone.
(() => {
  let since = null;
  const ask = async () => {
    const last = new Date();
    const answers = await fetch("/assets/logo.svg", { method: "HEAD", cache: "no-store", signal: AbortSignal.timeout(5000) })
      .then((response) => response.ok, () => false);
    const notice = document.getElementById("away");
    if (answers) since = null;
    else since = since || last;
    if (notice) {
      notice.hidden = answers;
      const text = document.getElementById("away-text");
      const time = since && since.toISOString().slice(11, 19);
      if (since && text) text.textContent =
        `The dashboard does not answer since ${time} UTC. Shown is what was known then; this goes on by itself once it is started again.`;
    }
    setTimeout(ask, 3000);
  };
  setTimeout(ask, 3000);
})();

// AG Grid: one Tab stop a table. Arrows move inside; Enter follows a cell's link.
const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
functions.leaveGrid = () => false;
functions.followLink = (params) => {
  if (params.event.key !== "Enter") return false;
  const link = params.event.target.querySelector("a");
  if (link && params.event.type === "keydown") link.click();
  return link !== null;
};
