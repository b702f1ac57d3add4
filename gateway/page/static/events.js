// Objects that counted, with their pictures; objects that did not, with the reason; events of the cluster.
import { html, Component, store, ask, Empty, clock, duration } from "./base.js";

const HAPPENINGS = {
  node_joined: "joined", node_lost: "was lost", node_barred: "gets no work", node_trusted: "gets work again",
  camera_lost: "was lost", camera_back: "is back", replanned: "the plan has changed", configuration_reloaded: "the configuration was read again",
};
const ENDS = {
  gone: "gone", camera_lost: "ended, as the camera was lost", camera_ended: "ended with its source", camera_removed: "ended, as the camera was removed",
  detection_off: "ended, as detection was switched off", not_followed: "ended, as it is not followed any more", gateway_away: "ended while the gateway was away",
};

function Seen({ found }) {
  const end = found.end_time;
  const lasted = duration((end || Date.now() / 1000) - found.start_time);
  const zones = found.entered_zones.length ? `in ${found.entered_zones.join(", ")}` : "in no zone";
  return html`<li class="card event" data-id=${found.id}>
    ${found.picture ? html`<img src=${`/api/events/${found.id}.jpg?${found.type}`} alt=${`${found.label} at ${found.camera}`} loading="lazy" width="128" height="96" />` : html`<span class="nopicture soft">no picture</span>`}
    <div><h2>${found.label} <span class="soft">${found.camera}</span></h2>
      <p>${clock(found.start_time)} · ${found.type === "end" ? `${lasted}, ${ENDS[found.reason] || "ended"}` : `here for ${lasted}${found.stationary ? ", at rest" : ""}`}</p>
      <p class="soft">counts: its best median score is ${found.top_score.toFixed(2)}; ${zones}</p></div></li>`;
}

class Uncounted extends Component {
  componentDidMount() {
    this.load();
    this.timer = setInterval(() => { if (!document.hidden) this.load(); }, 5000);
  }

  componentWillUnmount() { clearInterval(this.timer); }

  async load() {
    const names = (store.cameras || []).map((camera) => camera.name);
    try {
      const found = await Promise.all(names.map((name) => ask(`/api/cameras/${name}/uncounted`)));
      const all = found.flatMap((list, index) => list.map((each) => ({ ...each, camera: names[index] })));
      this.setState({ all: all.sort((one, other) => other.until - one.until).slice(0, 30) });
    } catch { /* the next time */ }
  }

  render(_, { all }) {
    if (!all || !all.length) return html`<p class="soft">None since the gateway started. What is in the picture now is explained in Live.</p>`;
    return html`<div class="scroll" tabindex="0" role="group" aria-label="Objects that did not count"><table><thead><tr><th scope="col">When</th><th scope="col">Camera</th><th scope="col">Label</th><th scope="col">Why it did not count</th></tr></thead>
      <tbody>${all.map((each) => html`<tr><td class="when">${clock(each.until)}</td><td>${each.camera}</td><td>${each.label}</td><td>${each.why}</td></tr>`)}</tbody></table></div>`;
  }
}

export function Events() {
  const { events } = store;
  if (!events) return html`<${Empty} title="Connecting">The gateway has not answered yet.</${Empty}>`;
  return html`<div class="columns"><section><h2 class="head">Objects that counted</h2>
      ${events.objects.length ? html`<ul class="events">${[...events.objects].sort((one, other) => other.start_time - one.start_time).map((found) => html`<${Seen} key=${found.id} found=${found} />`)}</ul>`
        : html`<${Empty} title="None yet">Every object appears here from the moment it counts.</${Empty}>`}</section>
    <section><h2 class="head">Objects that did not count</h2><div class="card"><${Uncounted} /></div>
      <h2 class="head">The cluster</h2><div class="card">${events.cluster.length ? html`<ul class="plain">${events.cluster.map((each) =>
        html`<li><span class="soft">${clock(each.at)}</span> ${each.name} ${HAPPENINGS[each.type] || each.type}${each.reason ? `: ${each.reason}` : ""}</li>`)}</ul>`
        : html`<p class="soft">Nothing has happened since the gateway started.</p>`}</div></section></div>`;
}
