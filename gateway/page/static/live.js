// Live cameras: a picture, and over it boxes, tracks, zones, and the tiles in the colours of their devices.
import { html, Component, createRef, store, update, colourOf, setSetting, switchArea, chooseProfile, request, ask, copy, notify, Swatch, Dot, Empty, Toggle, number, rate } from "./base.js";

const LAYERS = { boxes: "Boxes", tracks: "Tracks", zones: "Zones", tiles: "Tiles" };
const ZONE_COLOURS = ["#50dc50", "#ffaa3c", "#3cbeff", "#e66ee6", "#e6e646"];
const TRACK_POINTS = 40;
// A browser opens six connections to one host: one is the stream of events, and one stays free for the rest.
const MAX_WAITING = 4;

const layers = Object.assign({ boxes: true, tracks: true, zones: true, tiles: true }, read("layers"));

function read(key) {
  try { return JSON.parse(localStorage.getItem(key)) || {}; } catch { return {}; }
}

function switchLayer(name) {
  layers[name] = !layers[name];
  try { localStorage.setItem("layers", JSON.stringify(layers)); } catch { /* private mode */ }
  update({});
}

let waiting = 0;
const queue = [];
async function inTurn(job) {
  if (waiting >= MAX_WAITING) await new Promise((go) => queue.push(go));
  waiting += 1;
  try { return await job(); } finally {
    waiting -= 1;
    if (queue.length) queue.shift()();
  }
}

const decoder = new TextDecoder();

async function nextFrame(camera, after, signal) {
  const answer = await fetch(`/api/cameras/${camera}/frame?after=${encodeURIComponent(after)}`, { signal });
  if (answer.status !== 200) return null;
  const buffer = await answer.arrayBuffer();
  const length = new DataView(buffer).getUint32(0);
  const view = JSON.parse(decoder.decode(new Uint8Array(buffer, 4, length)));
  return { view, picture: new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) };
}

// Follows the frames of one camera while it is on the screen; children(view, image, tracks) draws them.
export class Frames extends Component {
  constructor() {
    super();
    this.state = { view: null, url: null, waited: false };
    this.tracks = new Map();
    this.visible = true;
    this.root = createRef();
  }

  componentDidMount() {
    this.stopped = new AbortController();
    this.observer = new IntersectionObserver((entries) => { this.visible = entries[entries.length - 1].isIntersecting; });
    this.observer.observe(this.root.current);
    this.follow();
  }

  componentWillUnmount() {
    this.stopped.abort();
    this.observer.disconnect();
    if (this.state.url) URL.revokeObjectURL(this.state.url);
  }

  async follow() {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      if (document.hidden || !this.visible || this.props.paused || !store.connected) { await pause(400); continue; }
      try {
        const found = await inTurn(() => nextFrame(this.props.camera, this.state.view ? this.state.view.frame : "", signal));
        if (found) await this.show(found);
        else { this.setState({ waited: true }); await pause(200); }
      } catch (error) {
        if (!signal.aborted) await pause(1500);
      }
    }
  }

  async show({ view, picture }) {
    const url = URL.createObjectURL(picture);
    const image = new Image();
    image.src = url;
    await image.decode();
    if (this.stopped.signal.aborted) { URL.revokeObjectURL(url); return; }
    const before = this.state.url;
    this.remember(view);
    this.setState({ view, url, waited: false });
    if (before) setTimeout(() => URL.revokeObjectURL(before), 1000);
  }

  remember(view) {
    const seen = new Map();
    for (const found of view.objects) {
      if (!found.id) continue;
      const path = this.tracks.get(found.id) || [];
      path.push([(found.box[0] + found.box[2]) / 2, found.box[3]]);
      seen.set(found.id, path.slice(-TRACK_POINTS));
    }
    this.tracks = seen;
  }

  render({ children }, { view, url, waited }) {
    // pixels of the picture per pixel of the screen, so that letters and lines have the same size on all screens
    const scale = view && this.root.current ? view.size[0] / (this.root.current.clientWidth || view.size[0]) : 1;
    return html`<div class="frames" ref=${this.root}>${children(view, url, this.tracks, waited, scale)}</div>`;
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export function zoneColour(areas, index) {
  if (!areas[index].zone) return "#ff4646";
  return ZONE_COLOURS[areas.slice(0, index).filter((area) => area.zone).length % ZONE_COLOURS.length];
}

const points = (corners, width, height) => corners.map(([x, y]) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(" ");

function Tiles({ view, width, height }) {
  return html`<g class="tiles">${view.tiles.map((tile) => {
    const [left, top, right, bottom] = tile.box;
    const colour = colourOf(tile.node);
    return html`<rect class="tile" data-node=${tile.node} x=${left * width + 1.5} y=${top * height + 1.5}
      width=${Math.max(0, (right - left) * width - 3)} height=${Math.max(0, (bottom - top) * height - 3)} rx="4"
      fill=${colour} fill-opacity="0.16" stroke=${colour} stroke-opacity="0.9" stroke-width="2"><title>${tile.node}</title></rect>`;
  })}</g>`;
}

function Zones({ areas, width, height, scale }) {
  return html`<g class="zones">${areas.map((area, index) => {
    const colour = zoneColour(areas, index);
    if (!area.on) return null;
    const [x, y] = area.corners.reduce((best, corner) => (corner[1] < best[1] ? corner : best));
    return html`<g><polygon points=${points(area.corners, width, height)} fill=${colour} fill-opacity=${area.zone ? 0.1 : 0.22}
      stroke=${colour} stroke-width="2" stroke-dasharray=${area.zone ? "none" : "6 4"} />
      <text class="onpicture" style=${{ fontSize: `${13 * scale}px` }} x=${Math.min(x * width + 4 * scale, width - 60 * scale)} y=${Math.max(y * height + 16 * scale, 14 * scale)} fill=${colour}>${area.zone ? area.name : `mask: ${area.name}`}</text></g>`;
  })}</g>`;
}

// Places each label above its box, else below, else inside, where no earlier label is; it has none if all are taken.
function placeLabels(objects, width, height, size) {
  const placed = new Map();
  const taken = [];
  for (const found of objects) {
    const [left, top, , bottom] = found.box;
    const length = (found.label.length + 3) * size * 0.6;
    const x = Math.max(0, Math.min(left * width + 2, width - length));
    const rows = [top * height - size * 0.4, bottom * height + size, top * height + size];
    const y = rows.find((row) => row > size && row < height && !taken.some(([x2, y2, length2]) =>
      Math.abs(row - y2) < size && x < x2 + length2 && x2 < x + length));
    if (y === undefined) continue;
    taken.push([x, y, length]);
    placed.set(found, [x, y]);
  }
  return placed;
}

function Boxes({ view, width, height, scale }) {
  const drawn = [...view.objects].sort((one, other) => one.counts - other.counts || one.score - other.score);
  const size = (innerWidth < 600 ? 11 : 13) * scale;
  const labels = placeLabels(drawn.filter((found) => found.counts).reverse(), width, height, size);
  return html`<g class="boxes">${drawn.map((found) => {
    const [left, top, right, bottom] = found.box;
    const text = `${found.label} ${Math.round(found.score * 100)}`;
    const label = labels.get(found);
    return html`<g class=${found.counts ? "object counts" : "object"} data-label=${found.label}>
      <rect x=${left * width} y=${top * height} width=${(right - left) * width} height=${(bottom - top) * height} rx="2" />
      ${label ? html`<text class="onpicture" style=${{ fontSize: `${size}px` }} x=${label[0]} y=${label[1]}>${text}</text>` : null}</g>`;
  })}</g>`;
}

function Tracks({ tracks, width, height }) {
  return html`<g class="tracks">${[...tracks.values()].filter((path) => path.length > 1).map((path) =>
    html`<polyline points=${points(path, width, height)} />`)}</g>`;
}

function Overlay({ view, camera, tracks, scale }) {
  const [width, height] = view.size;
  return html`<svg class="overlay" viewBox=${`0 0 ${width} ${height}`} data-frame=${view.frame} aria-hidden="true">
    ${layers.tiles ? html`<${Tiles} view=${view} width=${width} height=${height} />` : null}
    ${layers.zones ? html`<${Zones} areas=${camera.areas} width=${width} height=${height} scale=${scale} />` : null}
    ${layers.tracks ? html`<${Tracks} tracks=${tracks} width=${width} height=${height} />` : null}
    ${layers.boxes ? html`<${Boxes} view=${view} width=${width} height=${height} scale=${scale} />` : null}
  </svg>`;
}

function Shares({ view }) {
  const counts = {};
  for (const tile of view.tiles) counts[tile.node] = (counts[tile.node] || 0) + 1;
  const names = Object.keys(counts).sort();
  if (!names.length) return null;
  const whole = view.tiles.length === 1;
  return html`<ul class="shares" aria-label="Who computed this frame">${names.map((name) =>
    html`<li><${Swatch} name=${name} /> <span class="soft">${whole ? "the whole frame" : `${counts[name]} of ${view.tiles.length} tiles`}${name === view.owner ? ", its camera's edge" : ""}</span></li>`)}</ul>`;
}

function Reasons({ view }) {
  if (!view.objects.length) return html`<p class="soft">Nothing is detected in this frame.</p>`;
  const sorted = [...view.objects].sort((one, other) => other.counts - one.counts || other.score - one.score);
  return html`<ul class="reasons">${sorted.slice(0, 12).map((found) => html`<li class=${found.counts ? "counts" : ""}>
    <b>${found.label}</b> <span class="soft">${found.score.toFixed(2)}</span>
    <span>${found.counts ? (found.id ? "counts" : "detected") : `does not count: ${found.why}`}</span>
    ${Object.entries(found.zones).filter(([, why]) => !why.startsWith("outside")).map(([zone, why]) =>
      html`<span class="soft">${zone}: ${why}</span>`)}
  </li>`)}</ul>`;
}

function Settings({ camera }) {
  const { name, settings } = camera;
  const change = (setting, done) => (event) => setSetting(name, setting, event.target.value, done);
  return html`<details class="settings"><summary>Settings</summary>
    <div class="row">
      <label class="check"><input type="checkbox" checked=${settings.enabled}
        onChange=${(event) => setSetting(name, "enabled", event.target.checked ? "ON" : "OFF")} /> Read this camera</label>
      <label class="check"><input type="checkbox" checked=${settings.detect}
        onChange=${(event) => setSetting(name, "detect", event.target.checked ? "ON" : "OFF")} /> Detect objects</label>
      <label>Threshold <input type="number" min="0" max="1" step="0.05" placeholder="0.7" value=${settings.threshold}
        onChange=${change("threshold", "The threshold is set.")} /></label>
      <label>Frames a second, at most <input type="number" min="0.1" max="240" step="0.5" placeholder="all" value=${settings.fps}
        onChange=${change("fps", "The rate is set.")} /></label>
      <label class="wide">Labels <input type="text" placeholder=${camera.track.join(", ")} value=${(settings.labels || []).join(", ")}
        onChange=${change("labels", "The labels are set.")} /></label>
    </div>
    ${camera.switches.length ? html`<fieldset class="row"><legend class="soft">Zones and masks</legend>${camera.switches.map((area) =>
      html`<label class="check"><input type="checkbox" checked=${area.on}
        onChange=${(event) => switchArea(name, area, event.target.checked)} /> ${area.zone ? area.title : `mask: ${area.title}`}</label>`)}</fieldset>` : null}
    <p class="soft">As by MQTT: kept over restarts, and before the configuration. An empty field is as configured.</p>
    <div class="row">
      ${camera.configured ? html`<button type="button" onClick=${() => request("restart_camera", { camera: name }, `${name} is restarted.`)}>Restart the camera</button>` : null}
      <button type="button" onClick=${() => request("snapshot", { camera: name }, "The next frame is published as a snapshot.")}>Publish a snapshot</button>
      <a class="button" href=${`#zones/${name}`}>Draw zones</a>
    </div>
  </details>`;
}

// Shows the address of the camera's pictures for Home Assistant and others; the address contains a token.
class Stream extends Component {
  constructor() {
    super();
    this.state = { address: null };
  }

  async load() {
    if (this.state.address) return;
    try {
      const { path } = await ask(`/api/cameras/${this.props.camera.name}/stream_path`);
      this.setState({ address: location.origin + path });
    } catch (error) {
      notify(error.message, true);
    }
  }

  render({ camera }, { address }) {
    return html`<details class="settings" onToggle=${(event) => event.target.open && this.load()}>
      <summary>In Home Assistant</summary>
      <p class="soft">Add the integration <b>MJPEG IP Camera</b> with this address. ${store.session.user
        ? `Whoever has it sees ${camera.title}, and nothing else, until ${store.session.user} gets a new password.`
        : "It works on the gateway's machine only, as long as the gateway has no keys."}</p>
      ${address ? html`<pre class="wrap">${address}</pre>
        <button type="button" onClick=${() => copy(address)}>Copy</button>` : null}
    </details>`;
  }
}

function Camera({ camera }) {
  const problem = camera.reason || (camera.state === "online" ? "" : "no edge reports it yet");
  const aspect = camera.width && camera.height ? `${camera.width} / ${camera.height}` : "16 / 9";
  return html`<article class="card camera" aria-label=${`Camera ${camera.title}`}>
    <h2><${Dot} state=${camera.state === "online" ? (camera.reason ? "warn" : "ok") : "off"} />${camera.title}
      <span class="soft">${camera.state === "online" ? `${rate(camera.frames_per_s)} frames/s` : camera.state}</span></h2>
    <${Frames} camera=${camera.name} paused=${camera.state === "offline"}>${(view, url, tracks, waited, scale) => html`
      <div class=${view ? "picture" : "picture empty-picture"} style=${{ aspectRatio: view ? `${view.size[0]} / ${view.size[1]}` : aspect }}>
        ${url ? html`<img src=${url} alt=${`The last picture of ${camera.title}`} />` : null}
        ${view ? html`<${Overlay} view=${view} camera=${camera} tracks=${tracks} scale=${scale} />` : null}
        ${camera.state === "offline" || !view ? html`<p class="veil">${camera.state === "online"
          ? (waited ? "Waiting for a frame: a still scene sends one twice a minute" : "Waiting for a frame") : problem}</p>` : null}
      </div>
      ${view ? html`<div class="below"><${Shares} view=${view} /><span class="soft latency">${number(view.latency_ms)} ms</span></div>
        <details class="why"><summary>${view.objects.length ? `Why ${view.objects.filter((each) => each.counts).length} of ${view.objects.length} count` : "Nothing detected"}</summary>
          <${Reasons} view=${view} /></details>` : null}`}
    </${Frames}>
    ${problem && camera.state === "online" ? html`<p class="remark">${problem}</p>` : null}
    ${store.session.may_change ? html`<${Settings} camera=${camera} />` : null}
    <${Stream} camera=${camera} />
  </article>`;
}

function Profiles() {
  const { profiles } = store;
  if (!profiles || !profiles.chosen) return null;
  return html`<div class="toolbar" role="group" aria-label="Profile"><span class="soft">Profile</span>${Object.entries(profiles.names).map(([name, title]) =>
    html`<button type="button" class="toggle" aria-pressed=${name === profiles.chosen ? "true" : "false"} disabled=${!store.session.may_change}
      onClick=${() => chooseProfile(name, title)}>${title}</button>`)}</div>`;
}

export function Live() {
  const { cameras } = store;
  if (!cameras) return html`<${Empty} title="Connecting">The gateway has not answered yet.</${Empty}>`;
  if (!cameras.length) {
    return html`<${Empty} title="No camera yet">Write one at cameras: in the configuration, or start one on any device:
      <code>deepthings camera --source rtsp://… --name door --edge HOST:7701</code></${Empty}>`;
  }
  return html`<${Profiles} /><div class="toolbar" role="group" aria-label="Layers">${Object.entries(LAYERS).map(([name, title]) =>
    html`<${Toggle} on=${layers[name]} onClick=${() => switchLayer(name)}>${title}</${Toggle}>`)}</div>
    <div class=${cameras.length === 1 ? "cameras one" : "cameras"}>${cameras.map((camera) => html`<${Camera} key=${camera.name} camera=${camera} />`)}</div>`;
}
