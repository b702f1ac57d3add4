// Problems with their cures, and the plan with its figures.
import { html, store, Empty, Figure, number, rate } from "./base.js";

export function Problems() {
  const { problems } = store;
  if (!problems) return html`<${Empty} title="Connecting">The gateway has not answered yet.</${Empty}>`;
  if (!problems.length) return html`<${Empty} title="No problems">All devices and cameras do what they should.</${Empty}>`;
  return html`<ul class="problems">${problems.map((problem) => html`<li class="card" key=${problem.what}>
    <h2>${problem.what}</h2>${problem.cure ? html`<p class="cure">${problem.cure}</p>` : null}</li>`)}</ul>`;
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

const PARTS = [
  ["camera_ms", "from the camera"], ["preparing_ms", "fitting the picture"], ["waiting_ms", "waiting for a device"],
  ["computing_ms", "computing"], ["transfers_ms", "on the way between devices"], ["finishing_ms", "the gateway's part"],
];

function Bars({ rows }) {
  const most = Math.max(...rows.map(([, value]) => value || 0), 0.001);
  return html`<div class="bars">${rows.map(([label, value, kind]) => html`<div class="bar"><span>${label}</span>
    <div class="rail"><i class=${kind || ""} style=${{ width: `${(100 * (value || 0)) / most}%` }}></i></div><b>${rate(value)}</b></div>`)}</div>`;
}

const ms = (seconds) => (seconds === null ? "–" : `${number(seconds * 1e3)} ms`);

function Considered({ plans }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Plans that were considered"><table><thead><tr><th scope="col">Plan</th><th scope="col">Devices</th>
    <th scope="col" class="right">Predicted</th><th scope="col" class="right">Measured</th><th scope="col" class="right">Frames/s</th><th scope="col">Limited by</th></tr></thead>
    <tbody>${plans.map((each) => html`<tr class=${each.used ? "used" : ""}><td>${each.plan}${each.used ? html` <span class="tag">offered</span>` : null}${each.refused ? html`<br /><span class="soft">${each.refused}</span>` : null}</td>
      <td>${each.devices.join(", ")}</td><td class="right">${ms(each.latency_s)}</td><td class="right">${ms(each.measured_s)}</td><td class="right">${rate(each.frames_per_s)}</td><td>${each.limit}</td></tr>`)}</tbody></table></div>
    <p class="soft">Predicted is a frame alone on idle devices; measured are the latest frames, which share the devices with others.</p>`;
}

export function Plan() {
  const { plan } = store;
  if (!plan || !plan.method) return html`<${Empty} title="No plan yet">The gateway has not published one.</${Empty}>`;
  const time = plan.frame_time;
  return html`<section class="card">
      <div class="figures"><${Figure} label="Network" value=${plan.model} /><${Figure} label="Method" value=${plan.method} />
        <${Figure} label="Grid" value=${plan.grid} /><${Figure} label="Tiles a frame" value=${number(plan.tiles)} />
        <${Figure} label="Work of a frame" value=${`${number(plan.work, 2)}×`} /></div>
      <p>${sentence(plan.why)}</p>
      ${plan.cut.length && plan.tiles > 1 ? html`<p class="soft">Cut behind ${plan.cut.slice(0, 4).join(", ")}${plan.cut.length > 4 ? " …" : ""}.</p>` : null}</section>
    <section class="card"><h2>Frames a second</h2>
      <${Bars} rows=${[["measured, last minute", plan.measured_per_s, "measured"], ["all devices could", plan.predicted_per_s],
        [plan.best_alone ? `${plan.best_alone} alone could` : "the best device alone could", plan.best_alone_per_s]]} />
      <p>${sentence(plan.gain_in_words)}</p>
      <p class="soft">Measured is what the cameras ask for; it is lower than predicted while the cluster has time to spare.</p></section>
    ${plan.considered.length ? html`<section class="card"><h2>Plans that were considered</h2><${Considered} plans=${plan.considered} /></section>` : null}
    <section class="card"><h2>Where the time of a frame goes</h2>
      ${time ? html`<div class="stack" role="img" aria-label=${plan.frame_time_in_words}>${PARTS.map(([key, label], index) =>
        time[key] > 0 ? html`<i class=${`part p${index}`} style=${{ flexGrow: time[key] }} title=${`${label}: ${number(time[key])} ms`}></i>` : null)}</div>
        <ul class="legend">${PARTS.map(([key, label], index) => html`<li><i class=${`swatch part p${index}`}></i>${label} <b>${number(time[key])} ms</b></li>`)}</ul>` : null}
      <p>${sentence(plan.frame_time_in_words) || "Not known yet: it takes some frames."}</p></section>`;
}
