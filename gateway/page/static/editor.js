// Draws zones and masks on a live picture, and writes the YAML for them.
import { html, Component, createRef, store, Empty, Toggle, notify, request } from "./base.js";
import { Frames, zoneColour } from "./live.js";

const STEP = 0.01;
const chosenCamera = () => location.hash.split("/")[1];
const round = (value) => Math.round(Math.min(1, Math.max(0, value)) * 1000) / 1000;

const coordinates = (area) => area.corners.map(([x, y]) => `${round(x)},${round(y)}`).join(",");

function yamlOf(camera, areas) {
  const zones = areas.filter((area) => area.zone && area.corners.length > 2);
  const masks = areas.filter((area) => !area.zone && area.name === "objects" && area.corners.length > 2);
  const lines = ["cameras:", `  ${camera.name}:`];
  if (zones.length) {
    lines.push("    zones:");
    for (const zone of zones) lines.push(`      ${zone.name}:`, `        coordinates: "${coordinates(zone)}"`);
  }
  if (masks.length) {
    lines.push("    objects:", `      track: [${camera.track.join(", ")}]`, "      mask:");
    for (const mask of masks) lines.push(`        - "${coordinates(mask)}"`);
  }
  return lines.length > 2 ? lines.join("\n") : "# draw a zone first";
}

const copyOf = (camera) => camera.areas.map((area) => ({ ...area, corners: area.corners.map((corner) => [...corner]) }));

export class Editor extends Component {
  constructor() {
    super();
    this.root = createRef();
    this.state = { camera: null, areas: [], chosen: -1, still: false };
  }

  current() {
    const cameras = store.cameras || [];
    return cameras.find((camera) => camera.name === (this.state.camera || chosenCamera())) || cameras[0];
  }

  componentDidMount() { this.start(this.current()); }

  start(camera) {
    if (camera) this.setState({ camera: camera.name, areas: copyOf(camera), chosen: -1 });
  }

  change(index, patch) {
    this.setState(({ areas }) => ({ areas: areas.map((area, at) => (at === index ? { ...area, ...patch } : area)) }));
  }

  begin(zone) {
    const taken = this.state.areas.filter((area) => area.zone).length;
    const area = { name: zone ? `zone_${taken + 1}` : "objects", zone, corners: [[0.35, 0.55], [0.65, 0.55], [0.65, 0.85], [0.35, 0.85]] };
    this.setState(({ areas }) => ({ areas: [...areas, area], chosen: areas.length, still: true }));
  }

  add(event) {
    const area = this.state.areas[this.state.chosen];
    if (!area || event.target.tagName === "circle") return;
    const place = this.place(event);
    const corners = [...area.corners];
    corners.splice(nearestSide(corners, place) + 1, 0, place);
    this.change(this.state.chosen, { corners });
  }

  place(event) {
    const box = this.root.current.querySelector(".drawing").getBoundingClientRect();
    return [round((event.clientX - box.left) / box.width), round((event.clientY - box.top) / box.height)];
  }

  move(index, corner, place) {
    const area = this.state.areas[index];
    this.change(index, { corners: area.corners.map((each, at) => (at === corner ? place : each)) });
  }

  drag(index, corner, event) {
    event.preventDefault();
    event.target.focus();
    event.target.setPointerCapture(event.pointerId);
    const moving = (moved) => this.move(index, corner, this.place(moved));
    const target = event.target;
    target.addEventListener("pointermove", moving);
    target.addEventListener("pointerup", () => target.removeEventListener("pointermove", moving), { once: true });
  }

  press(index, corner, event) {
    const area = this.state.areas[index];
    const [x, y] = area.corners[corner];
    const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key in steps) {
      event.preventDefault();
      this.move(index, corner, [round(x + steps[event.key][0]), round(y + steps[event.key][1])]);
    } else if ((event.key === "Delete" || event.key === "Backspace") && area.corners.length > 3) {
      event.preventDefault();
      this.change(index, { corners: area.corners.filter((_, at) => at !== corner) });
    }
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      notify("Copied. Put it into the configuration, then read that again.");
    } catch { notify("The browser does not allow copying: select the text", true); }
  }

  async tryOut(camera) {
    const { areas } = this.state;
    const zones = Object.fromEntries(areas.filter((area) => area.zone).map((area) => [area.name, { coordinates: coordinates(area) }]));
    const mask = areas.filter((area) => !area.zone && area.name === "objects").map(coordinates);
    await request("try_areas", { camera: camera.name, zones, mask }, "Tried: it holds until the gateway restarts or reads its configuration.");
  }

  render(_, { areas, chosen, still }) {
    const camera = this.current();
    if (!camera) return html`<${Empty} title="No camera yet">Zones are drawn on a camera's picture.</${Empty}>`;
    if (this.state.camera !== camera.name) { this.start(camera); return html`<p></p>`; }
    const yaml = yamlOf(camera, areas);
    return html`<div class="editor" ref=${this.root}><section class="card">
        <div class="row"><label>Camera <select value=${camera.name} onChange=${(event) => { location.hash = `zones/${event.target.value}`; this.start(store.cameras.find((each) => each.name === event.target.value)); }}>
            ${store.cameras.map((each) => html`<option value=${each.name}>${each.title}</option>`)}</select></label>
          <button type="button" onClick=${() => this.begin(true)}>New zone</button>
          <button type="button" onClick=${() => this.begin(false)}>New mask</button>
          <${Toggle} on=${still} onClick=${() => this.setState({ still: !still })}>Hold the picture</${Toggle}></div>
        <${Frames} key=${camera.name} camera=${camera.name} paused=${still && this.shown}>${(view, url, tracks, waited, scale) => {
          this.shown = Boolean(view);
          const [width, height] = view ? view.size : [camera.width || 640, camera.height || 360];
          return html`<div class="picture" style=${{ aspectRatio: `${width} / ${height}` }}>
            ${url ? html`<img src=${url} alt=${`The last picture of ${camera.title}`} />` : html`<p class="veil">Waiting for a frame</p>`}
            <svg class="overlay drawing" viewBox=${`0 0 ${width} ${height}`} onClick=${(event) => this.add(event)}>
              ${areas.map((area, index) => html`<${Shape} area=${area} colour=${zoneColour(areas, index)} width=${width} height=${height} chosen=${index === chosen} scale=${scale}
                onChoose=${() => this.setState({ chosen: index })} onDrag=${(corner, event) => this.drag(index, corner, event)} onPress=${(corner, event) => this.press(index, corner, event)} />`)}
            </svg></div>`;
        }}</${Frames}>
        <p class="soft">Choose an area, then click to add a corner, drag a corner to move it. By keyboard: Tab to a corner, arrow keys move it, Delete removes it.</p>
      </section>
      <section class="card"><h2>Areas</h2>${areas.length ? html`<ul class="areas">${areas.map((area, index) => html`<li class=${index === chosen ? "chosen" : ""}>
          <button type="button" class="plain" onClick=${() => this.setState({ chosen: index, still: true })} aria-pressed=${index === chosen ? "true" : "false"}><i class="swatch" style=${{ background: zoneColour(areas, index) }}></i>${area.zone ? area.name : `mask: ${area.name}`}</button>
          ${area.zone && index === chosen ? html`<label>Name <input type="text" value=${area.name} pattern="[a-z0-9_\\-]+" onInput=${(event) => this.change(index, { name: event.target.value.toLowerCase().replace(/[^a-z0-9_-]/g, "_") })} /></label>` : null}
          <button type="button" onClick=${() => this.setState({ areas: areas.filter((_, at) => at !== index), chosen: -1 })}>Remove<span class="hidden"> ${area.name}</span></button></li>`)}</ul>` : html`<p class="soft">None yet.</p>`}
        <h2>For the configuration</h2><pre tabindex="0" aria-label="YAML for the configuration">${yaml}</pre>
        <div class="row"><button type="button" class="primary" onClick=${() => this.copy(yaml)}>Copy</button>
          <button type="button" onClick=${() => this.tryOut(camera)}>Try it now</button>
          <button type="button" onClick=${() => this.start(camera)}>Start again</button></div>
        <p class="soft">A trial holds until the gateway restarts or reads its configuration again. Live shows what counts, and in which zone.</p>
      </section></div>`;
  }
}

function Shape({ area, colour, width, height, chosen, scale, onChoose, onDrag, onPress }) {
  const corners = area.corners.map(([x, y]) => [x * width, y * height]);
  return html`<g><polygon points=${corners.map((corner) => corner.join(",")).join(" ")} fill=${colour} fill-opacity=${chosen ? 0.3 : 0.15}
      stroke=${colour} stroke-width=${chosen ? 3 : 2} onClick=${(event) => { if (!chosen) { event.stopPropagation(); onChoose(); } }} />
    ${chosen ? corners.map(([x, y], index) => html`<circle cx=${x} cy=${y} r=${8 * scale} fill=${colour} stroke="#fff" stroke-width="2" tabindex="0" role="button"
      aria-label=${`Corner ${index + 1} of ${area.name}, at ${round(area.corners[index][0])}, ${round(area.corners[index][1])}`}
      onPointerDown=${(event) => onDrag(index, event)} onKeyDown=${(event) => onPress(index, event)} />`) : null}</g>`;
}

function nearestSide(corners, [x, y]) {
  let best = corners.length - 1;
  let least = Infinity;
  corners.forEach(([x1, y1], index) => {
    const [x2, y2] = corners[(index + 1) % corners.length];
    const [dx, dy] = [x2 - x1, y2 - y1];
    const along = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    const distance = Math.hypot(x1 + along * dx - x, y1 + along * dy - y);
    if (distance < least) { least = distance; best = index; }
  });
  return best;
}
