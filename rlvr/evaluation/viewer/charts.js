// Small charts as SVG: bars, and lines with their intervals. Each says in words what it shows.

const WIDTH = 400;
const HEIGHT = 190;
const LEFT = 44;
const BOTTOM = 30;
const TOP = 10;
const RIGHT = 12;

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Round numbers from about `low` to about `high`. */
function ticks(low, high, most = 5) {
  const rough = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(+(i * step).toPrecision(12));
  }
  return found;
}

/** The frame: grid, ticks and labels; `x` and `y` map values to places. */
function frame(label, yDomain, yLabel, xLabel) {
  const y = (v) =>
    HEIGHT - BOTTOM - ((v - yDomain[0]) / (yDomain[1] - yDomain[0] || 1)) * (HEIGHT - BOTTOM - TOP);
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const tick of ticks(...yDomain, 4)) {
    const at = y(tick);
    chart.append(svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }));
    chart.append(svg("text", { x: LEFT - 6, y: at + 4, class: "end" }, yLabel(tick)));
  }
  chart.append(
    svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 2, class: "middle quiet" }, xLabel),
  );
  return { chart, y };
}

const abbreviated = (v) =>
  Math.abs(v) >= 1000 ? `${+(v / 1000).toFixed(1)}k` : String(+v.toPrecision(3));

/** Bars: `groups` is [{label, bars: [{value, title, kind}]}], side by side in each group. */
function barChart(label, groups, xLabel, yLabel = abbreviated) {
  const bars = groups.flatMap((group) => group.bars);
  const most = Math.max(...bars.map((bar) => bar.value)) || 1;
  const { chart, y } = frame(label, [0, most], yLabel, xLabel);
  const room = (WIDTH - LEFT - RIGHT) / groups.length;
  const every = Math.ceil(groups.length / 9);
  groups.forEach((group, i) => {
    const middle = LEFT + room * (i + 0.5);
    const wide = Math.min((room * 0.86) / group.bars.length, 60);
    group.bars.forEach((bar, n) => {
      const x = middle + wide * (n - group.bars.length / 2);
      const high = bar.value ? Math.max(y(0) - y(bar.value), 1) : 0;
      const place = { x, y: y(0) - high, width: wide, height: high };
      chart.append(svg("rect", { class: "filled " + bar.kind, ...place }, svg("title", {}, bar.title)));
    });
    if (i % every === 0 || i === groups.length - 1) {
      chart.append(svg("text", { x: middle, y: HEIGHT - BOTTOM + 14, class: "middle" }, group.label));
    }
  });
  return chart;
}

/** Lines: `series` is [{kind, points: [{x, y, low, high, title}]}]; `share` fixes y to 0…1. */
function lineChart(label, series, xLabel, { share = false, dots = true, xs = null } = {}) {
  const points = series.flatMap((one) => one.points);
  const reach = points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]);
  let [low, high] = share ? [0, 1] : [Math.min(...reach), Math.max(...reach)];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const { chart, y } = frame(label, [low, high], abbreviated, xLabel);
  const first = Math.min(...points.map((p) => p.x));
  const last = Math.max(...points.map((p) => p.x));
  const x = (v) =>
    LEFT + 8 + (last === first ? 0.5 : (v - first) / (last - first)) * (WIDTH - LEFT - RIGHT - 16);
  for (const tick of xs ?? ticks(first, last, 6)) {
    if (tick < first || tick > last) continue;
    chart.append(
      svg("text", { x: x(tick), y: HEIGHT - BOTTOM + 14, class: "middle" }, abbreviated(tick)),
    );
  }
  for (const { kind, points: own } of series) {
    const known = own.filter((p) => p.low !== undefined && p.low !== null);
    if (known.length > 1) {
      const edge = (name, list) => list.map((p) => `${x(p.x)},${y(p[name])}`);
      const around = [...edge("low", known), ...edge("high", [...known].reverse())];
      chart.append(svg("polygon", { class: "band filled " + kind, points: around.join(" ") }));
    }
    const path = own.map((p) => `${x(p.x)},${y(p.y)}`).join(" ");
    chart.append(svg("polyline", { class: "line-of " + kind, points: path }));
    if (!dots && own.length > 1) continue;
    for (const p of own) {
      const dot = { class: "filled " + kind, cx: x(p.x), cy: y(p.y), r: 3 };
      chart.append(svg("circle", dot, svg("title", {}, p.title)));
    }
  }
  return chart;
}
