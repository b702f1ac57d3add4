// The state of the page, its connection with the gateway, and small parts that all views use.
import { h, render, Component, createRef } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";

export const html = htm.bind(h);
export { render, Component, createRef };

// Okabe and Ito's colours, which colour-blind people can distinguish, a little darker where white paper needs it.
const PALETTE = ["#3f8fe0", "#e69f00", "#1aa67e", "#c77aa8", "#d8642c", "#8f7ae0", "#a8a02a", "#4fb5d6"];

export const store = {
  connected: false, everConnected: false, view: "live", notice: null, session: { user: null, may_change: true },
  cluster: null, cameras: null, profiles: null, problems: null, plan: null, events: null,
};

let draw = () => {};
let drawing = false;

export function onChange(function_) { draw = function_; }

export function update(patch) {
  Object.assign(store, patch);
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => { drawing = false; draw(); });
}

export function colourOf(name) {
  const device = store.cluster && store.cluster.devices.find((each) => each.name === name);
  return device ? PALETTE[device.colour % PALETTE.length] : "#8a8f98";
}

// the connection

export async function askSession() {
  try {
    const answer = await fetch("/api/session");
    if (answer.status === 401 || answer.redirected) location.assign("/login");
    else if (answer.ok) update({ session: await answer.json() });
  } catch { /* the gateway does not answer now; it is asked again */ }
}

export function connect() {
  askSession();
  const source = new EventSource("/api/stream");
  source.onopen = () => update({ connected: true, everConnected: true });
  source.onerror = () => {
    update({ connected: false });
    askSession();
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
  for (const section of ["cluster", "cameras", "profiles", "problems", "plan", "events"]) {
    source.addEventListener(section, (event) => update({ [section]: JSON.parse(event.data) }));
  }
}

export async function ask(path) {
  const answer = await fetch(path);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error || answer.statusText);
  return data;
}

export async function send(path, body, done) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "X-DeepThings": "page" }, body });
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error || answer.statusText);
    if (done) notify(done);
    return data.data || {};
  } catch (error) {
    notify(error.message, true);
    return null;
  }
}

export const setSetting = (camera, setting, value, done) =>
  send(`/api/cameras/${camera}/set/${setting}`, value, done);
export const switchArea = (camera, area, on) =>
  send(`/api/cameras/${camera}/${area.zone ? `zones/${area.name}/set` : `set/${area.name}`}`, on ? "ON" : "OFF");
export const chooseProfile = (name, title) => send("/api/profile", name, `Profile ${title} applies.`);
export const request = (command, values, done) =>
  send(`/api/request/${command}`, JSON.stringify(values), done);

let noticeTimer = 0;
export function notify(text, bad = false) {
  clearTimeout(noticeTimer);
  update({ notice: { text, bad } });
  noticeTimer = setTimeout(() => update({ notice: null }), bad ? 12000 : 5000);
}

export async function copy(text, done = "Copied.") {
  try {
    await navigator.clipboard.writeText(text);
    notify(done);
  } catch { notify("The browser does not allow copying: select the text", true); }
}

// words and numbers

export const number = (value, digits = 0) =>
  value === null || value === undefined ? "–" : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 });

export const rate = (value) => (value === null || value === undefined ? "–" : number(value, value < 10 ? 1 : 0));

export const bytes = (value) => {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (value >= 1000 && step < units.length - 1) { value /= 1000; step += 1; }
  return `${number(value, value < 10 && step ? 1 : 0)} ${units[step]}`;
};

export function duration(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

// small parts

export const Swatch = ({ name }) => html`<span class="device"><i class="swatch" style=${{ background: colourOf(name) }}></i>${name}</span>`;

export const Dot = ({ state }) => html`<i class=${`dot ${state}`} aria-hidden="true"></i>`;

export const Empty = ({ title, children }) => html`<div class="empty"><strong>${title}</strong><p>${children}</p></div>`;

export const Toggle = ({ on, onClick, children }) =>
  html`<button type="button" class="toggle" aria-pressed=${on ? "true" : "false"} onClick=${onClick}>${children}</button>`;

export const Figure = ({ label, value, unit }) =>
  html`<div class="figure"><span>${label}</span><b>${value}${unit ? html` <small>${unit}</small>` : null}</b></div>`;
