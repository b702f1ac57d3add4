// Latency and throughput of the last day.
import { html, Component, createRef, ask, Empty, Figure, number, rate } from "./base.js";

let loading = null;
function loadPlots() {
  loading = loading || new Promise((done, failed) => {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = "/static/vendor/uPlot.min.css";
    const script = document.createElement("script");
    script.src = "/static/vendor/uPlot.iife.min.js";
    script.onload = () => done(globalThis.uPlot);
    script.onerror = failed;
    document.head.append(style, script);
  });
  return loading;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Plot extends Component {
  constructor() {
    super();
    this.root = createRef();
  }

  async componentDidMount() {
    const uPlot = await loadPlots();
    const root = this.root.current;
    if (!root) return;
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    const options = {
      width: root.clientWidth, height: 220, cursor: { points: { size: 6 } }, legend: { live: true },
      axes: [{ ...axis }, { ...axis, size: 52, label: this.props.unit, labelSize: 18, labelFont: "12px system-ui", font: "12px system-ui" }],
      scales: { x: { range: (_, low, high) => [Math.min(low, high - 3600), high] }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, this.props.least || 1)] } },
      series: [{ value: "{HH}:{mm}" }, ...this.props.series.map(([label, colour]) => ({
        label, stroke: css(colour), width: 1.6, spanGaps: false, value: (_, value) => number(value, 1),
      }))],
    };
    this.plot = new uPlot(options, this.props.data, root);
    this.resized = new ResizeObserver(() => this.plot.setSize({ width: root.clientWidth, height: 220 }));
    this.resized.observe(root);
  }

  componentDidUpdate() { if (this.plot) this.plot.setData(this.props.data); }

  componentWillUnmount() {
    if (this.resized) this.resized.disconnect();
    if (this.plot) this.plot.destroy();
  }

  render({ label }) { return html`<div class="plot" ref=${this.root} role="img" aria-label=${label}></div>`; }
}

const mean = (values) => {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
};

export class History extends Component {
  componentDidMount() {
    this.load();
    this.timer = setInterval(() => { if (!document.hidden) this.load(); }, 30000);
  }

  componentWillUnmount() { clearInterval(this.timer); }

  async load() {
    try { this.setState({ data: await ask("/api/history"), error: null }); } catch (error) { this.setState({ error: error.message }); }
  }

  render(_, { data, error }) {
    if (!data) return html`<${Empty} title=${error ? "Not known" : "Loading"}>${error || "The figures of the last day."}</${Empty}>`;
    if (!data.at.length) return html`<${Empty} title="Nothing yet">The first minute has not ended. The gateway keeps a day, until it stops.</${Empty}>`;
    const hour = (column) => column.slice(-60);
    const figures = [
      ["Median", mean(hour(data.median_ms)), "ms"], ["95 of 100 within", mean(hour(data.slow_ms)), "ms"],
      ["Frames", mean(hour(data.frames_per_s)), "/s"], ["Lost", hour(data.lost_per_min).reduce((sum, value) => sum + value, 0), "in all"],
    ];
    return html`<section class="card"><h2>The last hour</h2><div class="figures">${figures.map(([label, value, unit]) =>
        html`<${Figure} label=${label} value=${rate(value)} unit=${unit} />`)}</div></section>
      <section class="card"><h2>Latency, from capture to publication</h2>
        <${Plot} unit="ms" label="Latency of the last day; the figures of the last hour are above" data=${[data.at, data.median_ms, data.slow_ms]}
          series=${[["median", "--accent"], ["95 of 100", "--warm"]]} /></section>
      <section class="card"><h2>Frames a second, and frames lost in a minute</h2>
        <${Plot} unit="frames" label="Frames a second of the last day" data=${[data.at, data.frames_per_s, data.lost_per_min]}
          series=${[["frames a second", "--good"], ["lost in a minute", "--bad"]]} /></section>`;
  }
}
