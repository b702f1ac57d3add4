// The timeline of one frame: every step in its trace, in the rows of the device that did it.
import { html, Component, ask, colourOf, Swatch, Empty, number } from "./base.js";

const PARTS = [
  "capture", "wait for the edge", "transfer", "prepare", "wait for a device", "fetch", "wait for strips", "compute",
  "send", "merge", "wait for the tail", "tail", "decode", "publish", "track", "publish states", "between",
];
const HUES = {
  capture: 0, transfer: 0, prepare: 1, compute: 3, fetch: 4, send: 4, merge: 5, tail: 5, decode: 5, publish: 5, track: 5,
  "publish states": 5,
};
const classOf = (part) => (part in HUES ? `p${HUES[part]}` : "p2");

function lanes(spans) {
  const rows = [];
  const nodes = [...new Set(spans.map((span) => span.node))];
  for (const node of nodes) {
    const own = [];
    for (const span of spans.filter((each) => each.node === node)) {
      let lane = own.find((each) => each.until <= span.begin_ms + 0.001);
      if (!lane) { lane = { node, until: 0, spans: [] }; own.push(lane); }
      lane.until = span.end_ms;
      lane.spans.push(span);
    }
    rows.push(...own);
  }
  return rows;
}

function Gantt({ frame }) {
  const rows = lanes(frame.spans);
  const end = Math.max(...frame.spans.map((span) => span.end_ms), 1);
  const percent = (ms) => `${(100 * ms) / end}%`;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => share * end);
  return html`<div class="gantt" role="img" aria-label=${`The way of frame ${frame.frame}: ${number(frame.latency_ms)} milliseconds; the table below has its parts`}>
    ${rows.map((row, index) => html`<div class="lane">
      <span class="who">${index === 0 || rows[index - 1].node !== row.node ? html`<${Swatch} name=${row.node} />` : null}</span>
      <div class="rail" style=${{ borderColor: colourOf(row.node) }}>${row.spans.map((span) => html`<i class=${`part ${classOf(span.part)}`}
        style=${{ left: percent(span.begin_ms), width: `max(2px, ${percent(span.end_ms - span.begin_ms)})` }}
        title=${`${span.part}${span.tile === null ? "" : `, tile ${span.tile + 1}`}: ${number(span.end_ms - span.begin_ms, 1)} ms`}></i>`)}</div>
    </div>`)}
    <div class="lane ticks"><span class="who"></span><div>${ticks.map((ms, index) => html`<span style=${{ left: percent(ms) }} class=${index === 4 ? "last" : ""}>${number(ms)}${index === 4 ? " ms" : ""}</span>`)}</div></div>
  </div>`;
}

function Parts({ frame }) {
  const parts = PARTS.filter((part) => frame.parts[part]).map((part) => [part, frame.parts[part]]);
  return html`<table><caption>Where its ${number(frame.latency_ms)} ms went: of each moment counts what then happened to the last tile</caption>
    <thead><tr><th scope="col">Part</th><th scope="col" class="right">ms</th></tr></thead>
    <tbody>${parts.map(([part, ms]) => html`<tr><td><i class=${`swatch part ${part === "between" ? "p6" : classOf(part)}`}></i>${part}</td><td class="right">${number(ms, 1)}</td></tr>`)}</tbody></table>`;
}

export class Timeline extends Component {
  componentDidMount() { this.load(); }

  async load() {
    this.setState({ loading: true });
    try {
      const data = await ask("/api/timelines");
      this.setState({ data, loading: false, error: null, chosen: data.frames.length ? data.frames[0].frame : null });
    } catch (error) { this.setState({ error: error.message, loading: false }); }
  }

  render(_, { data, error, loading, chosen }) {
    const again = html`<button type="button" disabled=${loading} onClick=${() => this.load()}>${loading ? "Asking every device …" : "Look at the last 10 seconds"}</button>`;
    if (!data) return html`<${Empty} title=${error || "Asking every device"}>${error ? again : "Each sends what it recorded of the last 10 seconds."}</${Empty}>`;
    if (!data.frames.length) return html`<${Empty} title="No frame in the last 10 seconds">${again}</${Empty}>`;
    const frame = data.frames.find((each) => each.frame === chosen) || data.frames[0];
    const missing = Object.entries(data.missing);
    return html`<section class="card"><div class="row">${again}
        <label>Frame <select value=${frame.frame} onChange=${(event) => this.setState({ chosen: event.target.value })}>${data.frames.map((each) =>
          html`<option value=${each.frame}>${each.camera}, ${number(each.latency_ms)} ms${each.frame === data.slowest ? ", the slowest" : ""}</option>`)}</select></label></div>
        ${missing.map(([node, why]) => html`<p class="remark">${node}: ${why}</p>`)}
        <${Gantt} frame=${frame} /></section>
      <section class="card"><${Parts} frame=${frame} /></section>`;
  }
}
