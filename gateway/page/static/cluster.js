// The cluster as a picture: the gateway, its devices with their load, and who computes for whom now.
import { html, store, colourOf, request, copy, Swatch, Dot, Empty, number, rate, bytes, duration, plural } from "./base.js";

const stateOf = (device) => (device.state !== "online" ? "off" : device.remark || device.drained ? "warn" : "ok");

function place(devices, width, height) {
  const places = new Map();
  const across = width / 2 - 62;
  const down = height / 2 - (width < 500 ? 30 : 66);
  devices.forEach((device, index) => {
    const angle = -Math.PI / 2 + (2 * Math.PI * (index + (devices.length % 2 ? 0 : 0.5))) / devices.length;
    places.set(device.name, [width / 2 + across * Math.cos(angle), height / 2 - 8 + down * Math.sin(angle)]);
  });
  const all = [...places.values()];
  const middle = (Math.min(...all.map(([, y]) => y)) + Math.max(...all.map(([, y]) => y))) / 2;
  for (const [name, [x, y]] of places) places.set(name, [x, y + height / 2 - 20 - middle]);
  return places;
}

function arc(x, y, radius, share) {
  const end = 2 * Math.PI * Math.min(0.9999, Math.max(0, share));
  return `M ${x} ${y - radius} A ${radius} ${radius} 0 ${end > Math.PI ? 1 : 0} 1 ${x + radius * Math.sin(end)} ${y - radius * Math.cos(end)}`;
}

const SLOW = 0.8;

// A node's speed now, divided by the speed that it measured when it joined; null if unknown.
const speedOf = (device) =>
  (device.state === "online" && device.computable_per_s !== null && device.profile_per_s ? device.computable_per_s / device.profile_per_s : null);

// A speed above the measured one is within the noise of the measurement, and shown as 100 %.
const inPercent = (speed) => `${Math.min(100, Math.round(speed * 100))} %`;

// One number describes both directions of a link: the rate of the slower one.
function linkBetween(links, one, other) {
  const rates = links.filter((link) => (link.from === one && link.to === other) || (link.from === other && link.to === one));
  return rates.length ? Math.min(...rates.map((link) => link.mbit_per_s)) : null;
}

const mbits = (value) => (value >= 1000 ? `${number(value / 1000, 1)} Gbit/s` : `${number(value, value < 10 ? 1 : 0)} Mbit/s`);

function Device({ device, at: [x, y] }) {
  const online = device.state === "online";
  const colour = colourOf(device.name);
  const speed = speedOf(device);
  const busy = device.load === null ? "" : `${number(device.load * 100)} %`;
  return html`<g class=${online ? "node" : "node away"} data-node=${device.name} data-state=${device.state}>
    <circle cx=${x} cy=${y} r="30" class="disc" />
    <circle cx=${x} cy=${y} r="30" class="track" stroke=${colour} />
    ${online && device.load !== null ? html`<path d=${arc(x, y, 30, device.load)} stroke=${colour} class="load" />` : null}
    <text x=${x} y=${y + 5} class="middle strong">${online ? busy || "on" : "off"}</text>
    <text x=${x} y=${y + 50} class="middle name halo">${device.name}</text>
    <text x=${x} y=${y + 66} class="middle small halo">${online ? `${rate(device.tiles_per_s)} tiles/s` : device.state}</text>
    ${speed === null ? null : html`<text x=${x} y=${y + 81} class=${speed < SLOW ? "middle small halo slow" : "middle small halo"} data-speed=${device.name}>speed ${inPercent(speed)}</text>`}
    <title>${device.name}: ${device.state}, ${busy || "load not known"}${speed === null ? "" : `, speed ${inPercent(speed)} of what it measured when it joined`}</title>
  </g>`;
}

function Flow({ flow, places, most, links, centre }) {
  const from = places.get(flow.owner);
  const to = places.get(flow.worker);
  if (!from || !to || flow.owner === flow.worker) return null;
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  // opposite arrows pass each other, each on its right
  const [sx, sy] = [-uy * 10, ux * 10];
  const [x1, y1] = [from[0] + ux * 40 + sx, from[1] + uy * 40 + sy];
  const [x2, y2] = [to[0] - ux * 44 + sx, to[1] - uy * 44 + sy];
  const width = 1.5 + 4.5 * (flow.tiles_per_s / most);
  const colour = colourOf(flow.worker);
  // beside the arrow, away from the gateway in the middle; on it if it is nearly level
  const [mx, my] = [x1 + (x2 - x1) * 0.6, y1 + (y2 - y1) * 0.6];
  const side = Math.abs(ux) > 0.9 || Math.abs(mx - centre) < 20 ? 0 : Math.sign(mx - centre);
  const label = { x: mx + side * 10, class: "small halo", "text-anchor": ["end", "middle", "start"][side + 1] };
  const link = linkBetween(links, flow.owner, flow.worker);
  return html`<g class="flow" data-owner=${flow.owner} data-worker=${flow.worker}>
    <line x1=${x1} y1=${y1} x2=${x2} y2=${y2} stroke=${colour} stroke-width=${width} />
    <path d=${`M ${x2 + ux * 9} ${y2 + uy * 9} L ${x2 - uy * 6} ${y2 + ux * 6} L ${x2 + uy * 6} ${y2 - ux * 6} Z`} fill=${colour} />
    <text ...${label} y=${my - 2}>${rate(flow.tiles_per_s)}/s</text>
    ${link === null ? null : html`<text ...${label} data-link=${`${flow.owner}-${flow.worker}`} y=${my + 12}>${mbits(link)}</text>`}
    <title>${flow.worker} computes ${rate(flow.tiles_per_s)} tiles a second for ${flow.owner}</title>
  </g>`;
}

function Picture({ cluster }) {
  const narrow = innerWidth < 640;
  const [width, height] = narrow ? [340, 370] : [760, 360];
  const { devices, flows, links } = cluster;
  const places = place(devices, width, height);
  const helping = flows.filter((flow) => flow.owner !== flow.worker);
  const most = Math.max(0.1, ...helping.map((flow) => flow.tiles_per_s));
  // the gateway is in the middle of the devices, and below if there is only one
  const [x, y] = [width / 2, devices.length === 1 ? height - 60 : height / 2 - (devices.length === 3 ? -14 : 14)];
  return html`<svg class="net" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${inWords(cluster)}>
    ${devices.map((device) => {
      const [dx, dy] = places.get(device.name);
      const link = linkBetween(links, device.name, "gateway");
      return html`<line class=${device.state === "online" ? "link" : "link away"} x1=${x} y1=${y} x2=${dx} y2=${dy} />
        ${link === null ? null : html`<text class="middle small halo" data-link=${`${device.name}-gateway`} x=${(x + dx) / 2} y=${(y + dy) / 2 + 4}>${mbits(link)}</text>`}`;
    })}
    <rect class="gateway" x=${x - 40} y=${y - 22} width="80" height="44" rx="10" />
    <text x=${x} y=${y + 5} class="middle strong">gateway</text>
    ${helping.map((flow) => html`<${Flow} key=${`${flow.owner}-${flow.worker}`} flow=${flow} places=${places} most=${most} links=${links} centre=${x} />`)}
    ${devices.map((device) => html`<${Device} key=${device.name} device=${device} at=${places.get(device.name)} />`)}
  </svg>`;
}

function inWords({ devices, flows }) {
  const helping = flows.filter((flow) => flow.owner !== flow.worker);
  const online = devices.filter((device) => device.state === "online").length;
  const help = helping.map((flow) => `${flow.worker} helps ${flow.owner} with ${rate(flow.tiles_per_s)} tiles a second`);
  return `${plural(online, "device")} online. ${help.length ? help.join("; ") : "Nobody needs help now"}.`;
}

function Card({ device, release, links }) {
  const online = device.state === "online";
  const others = new Set(links.flatMap((link) => (link.from === device.name ? [link.to] : link.to === device.name ? [link.from] : [])));
  const linked = [...others].map((other) => [other, linkBetween(links, device.name, other)]);
  const facts = [
    ["Speed", device.computable_per_s === null ? "not measured" : `${rate(device.computable_per_s)} whole frames/s${
      speedOf(device) === null ? "" : ` (${rate(device.profile_per_s)} when it joined)`}`],
    ["Links", linked.length ? linked.map(([other, link]) => `${other} ${mbits(link)}`).join(", ") : "not measured"],
    ["Cores", device.cores === null ? "–" : `${number(device.cores_busy, 1)} of ${device.cores} busy${device.usable_cores && device.usable_cores < device.cores ? `, may use ${number(device.usable_cores, 1)}` : ""}`],
    ["Memory for plans", device.memory_bytes === null ? "–" : `${number(device.memory_bytes / 2 ** 20)} MiB`],
    ["Computes", `${number(device.lanes)} side by side, ${plural(device.threads || 0, "thread")}`],
    ["Temperature", device.temperature === null ? "–" : `${number(device.temperature)} °C`],
    ["Tiles", `${number(device.tiles.own)} own, ${number(device.tiles.stolen)} for others`],
    ["Received, sent", bytes(device.received)],
    ["Cameras", device.cameras.length ? device.cameras.join(", ") : "none"],
    ["Address", device.address || "–"],
    ["Release", device.same_release ? device.release : `${device.release || "unknown"}, the gateway has ${release}`],
  ];
  return html`<article class=${online ? "card device-card" : "card device-card away"} aria-label=${`Device ${device.name}`}>
    <h2><${Swatch} name=${device.name} /><span class="state"><${Dot} state=${stateOf(device)} />${device.state}${device.drained ? ", drained" : ""}</span></h2>
    ${device.remark ? html`<p class="remark">${device.remark}</p>` : null}
    <dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${online && store.session.may_change ? html`<button type="button" onClick=${() => request(device.drained ? "resume_node" : "drain_node", { node: device.name },
      device.drained ? `${device.name} gets work again.` : `${device.name} gets no new work, until it is resumed.`)}>${device.drained ? "Give it work again" : "Take it out of work"}</button>` : null}
  </article>`;
}

function Waiting({ nodes }) {
  if (!nodes.length) return null;
  return html`<section class="card waiting"><h2>Not taking part</h2><ul>${nodes.map((node) => html`<li data-waiting=${node.name}>
    <p><b>${node.name}</b> <span class="tag">${node.state}</span> <span class="soft">${node.why}</span></p>
    ${node.command ? html`<p class="cure">On ${node.where}: <code>${node.command}</code>
      <button type="button" class="plain link" onClick=${() => copy(node.command)}>Copy<span class="hidden"> the command for ${node.name}</span></button></p>` : null}</li>`)}</ul></section>`;
}

export function ClusterView() {
  const { cluster } = store;
  if (!cluster) return html`<${Empty} title="Connecting">The gateway has not answered yet.</${Empty}>`;
  const { gateway, devices } = cluster;
  if (!devices.length) {
    return html`<${Waiting} nodes=${cluster.waiting} /><${Empty} title="No device yet">${cluster.keys
      ? html`For each device that should compute, type on the gateway <code>deepthings invite NAME</code> and on the device the command that it prints.`
      : html`Start one on each device that should compute: <code>deepthings edge --gateway HOST</code>`}</${Empty}>`;
  }
  return html`<section class="card"><${Picture} cluster=${cluster} />
      <p class="soft centred">A ring is the load of a device. An arrow points to the one that helps, in its colour; the numbers are tiles a second, and what the link carried last. Speed is that of now, in parts of what a device measured when it joined.</p></section>
    <${Waiting} nodes=${cluster.waiting} />
    <section class="devices">${devices.map((device) => html`<${Card} key=${device.name} device=${device} release=${gateway.release} links=${cluster.links} />`)}</section>
    <section class="card row between"><p>Gateway <b>${gateway.release}</b> on ${gateway.device}${gateway.since ? `, up for ${duration(Date.now() / 1000 - gateway.since)}` : ""}</p>
      ${store.session.may_change ? html`<button type="button" onClick=${() => request("reload", {}, "The configuration was read again.")}>Read the configuration again</button>` : null}</section>`;
}
