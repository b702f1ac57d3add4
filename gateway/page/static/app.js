// The frame of the page: header, navigation, and the view that is chosen.
import { html, render, store, update, onChange, connect, Dot, number, rate } from "./base.js";
import { Live } from "./live.js";
import { ClusterView } from "./cluster.js";
import { Problems, Plan } from "./plan.js";
import { History } from "./history.js";
import { Timeline } from "./timeline.js";
import { Events } from "./events.js";
import { Editor } from "./editor.js";

const VIEWS = {
  live: ["Live", Live], cluster: ["Cluster", ClusterView], problems: ["Problems", Problems], events: ["Events", Events],
  history: ["History", History], timeline: ["Timeline", Timeline], plan: ["Plan", Plan], zones: ["Zones", Editor],
};

const chosen = () => (location.hash.slice(1).split("/")[0] in VIEWS ? location.hash.slice(1).split("/")[0] : "live");

function Header() {
  const { cluster, problems, connected, everConnected } = store;
  const online = cluster ? cluster.devices.filter((each) => each.state === "online").length : 0;
  const state = connected ? (problems && problems.length ? "warn" : "ok") : "off";
  const words = connected
    ? html`${number(online)} of ${cluster ? cluster.devices.length : 0} devices · ${rate(cluster && cluster.gateway.frames_per_s)} frames/s`
    : everConnected ? "not connected; trying again" : "connecting";
  return html`<header>
    <a class="brand" href="#live"><img src="/static/icon.svg" alt="" width="24" height="24" />DeepThings</a>
    <span class="status" role="status"><${Dot} state=${state} />${words}</span>
    <nav aria-label="Views">${Object.entries(VIEWS).map(([name, [title]]) => html`<a id=${name} href=${`#${name}`}
      aria-current=${store.view === name ? "page" : undefined}>${title}${name === "problems" && problems && problems.length
        ? html`<span class="badge">${problems.length}<span class="hidden"> open</span></span>` : null}</a>`)}</nav>
  </header>`;
}

function Page() {
  const [title, View] = VIEWS[store.view];
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to content</a>
    <${Header} />
    <main id="main" tabindex="-1" class=${store.connected || !store.everConnected ? "" : "stale"}>
      <h1 class="hidden">${title}</h1>
      <${View} key=${store.view} />
    </main>
    <div class="notices" aria-live="polite">${store.notice ? html`<p class=${store.notice.bad ? "notice bad" : "notice"}>${store.notice.text}</p>` : null}</div>`;
}

function follow() {
  update({ view: chosen() });
  document.title = `${VIEWS[chosen()][0]} · DeepThings`;
  requestAnimationFrame(() => requestAnimationFrame(() => {
    scrollTo(0, 0);
    const link = document.querySelector("nav a[aria-current]");
    if (link) link.parentElement.scrollTo({ left: link.offsetLeft - (innerWidth - link.offsetWidth) / 2 });
  }));
}

onChange(() => render(html`<${Page} />`, document.getElementById("page")));
addEventListener("hashchange", follow);
follow();
connect();
