// The first part: figures, charts, and what was asked.

function drawSummary(host, runs) {
  host.replaceChildren(
    ...runs.flatMap((run) => run.about.warnings.map((text) => notice(run, text, runs))),
    ...runs.map((run) => el("p.says", {}, inline(said(run, runs)))),
    figureTable(runs),
    el("p.quiet", {}, explained(runs)),
    el("div.charts", {}, ...summaryCharts(runs)),
    ...trainingCharts(runs),
    ...runs.map((run) => asked(run, runs)),
  );
}

const named = (run, runs) => (runs.length > 1 ? `${run.letter} · ${run.about.name}` : run.about.name);

const said = (run, runs) => (runs.length > 1 ? `${run.letter}: ` : "") + run.about.says;

function notice(run, text, runs) {
  return el("p.notice", {}, shown(runs.length > 1 ? `${run.letter}: ${text}` : text));
}

function explained(runs) {
  const steps = runs.flatMap((run) =>
    run.about.parts
      .filter(({ step }) => step !== null)
      .map((part) => `${runs.length > 1 ? run.letter + ": " : ""}${partName(part)} at step ${part.step}`),
  );
  return [
    "Ranges are 95% intervals by a bootstrap over tasks, as in rlvr eval and rlvr compare.",
    "Unscored rollouts are in no mean; “of all asked” counts them, and those that left no line, as 0 and as 1.",
    ...(steps.length ? [`Figures are of the last training step of each part (${steps.join("; ")}).`] : []),
    ...(runs.some((run) => run.about.slices.some(({ few }) => few)) ? ["* Fewer than 20 tasks: too few to rank by."] : []),
  ].join(" ");
}

const partName = ({ env, part }) => [env, part].filter(Boolean).join(" · ");

function figureTable(runs) {
  const heads = ["Run", "Tasks", "Rollouts", "Unscored", "Mean reward", "Correct", "pass@k"];
  heads.push("Unparsable", "Truncated");
  const rows = runs.flatMap((run) =>
    run.about.slices.map((slice, n) => figureRow(run, slice, runs, n === 0)),
  );
  return el(
    "div.wide",
    { tabIndex: 0, role: "region", ariaLabel: "Figures" },
    el(
      "table.figures",
      {},
      el("caption", {}, "Figures"),
      el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows),
    ),
  );
}

function figureRow(run, slice, runs, first) {
  const where = slice.slice === null ? partName(slice) : slice.slice + (slice.few ? " *" : "");
  const name = [
    first ? el("b", {}, inline(named(run, runs)), " ") : null,
    el(slice.slice === null ? "span" : "span.part", {}, inline(where)),
  ];
  const most = slice.pass_at.at(-1);
  const causes = slice.causes.map(([cause, n]) => `${cause} ${n}`);
  if (slice.missing) causes.push(`${count(slice.missing)} left no line`);
  const examples = slice.causes.map(([cause, , task, text]) => `${cause}, such as ${task}: ${text}`);
  const unscored = el(
    "span.figure",
    { title: examples.join("\n") },
    count(slice.unscored),
    causes.length ? el("small", {}, shown(causes.join(", "))) : null,
  );
  const cells = [
    count(slice.tasks),
    count(slice.rollouts),
    unscored,
    interval(slice.reward, figure, "", allAsked(slice, "mean", figure)),
    interval(slice.correct, percent, "", allAsked(slice, "correct", percent)),
    most && most.k > 1
      ? interval(most, percent, `k = ${most.k}`, allAsked(slice, `pass@${most.k}`, percent))
      : "–",
    percent(slice.unparsable),
    percent(slice.truncated),
  ];
  return el(
    "tr." + (slice.slice === null ? "whole" : "sliced"),
    {},
    el("th", { scope: "row" }, ...name),
    ...cells.map((cell) => el("td.number", {}, cell)),
  );
}

/** The figure's bounds if something that was asked for has no reward. */
function allAsked(slice, name, show) {
  const bounds = slice.bounds[name];
  if (!bounds || (!slice.unscored && !slice.missing)) return "";
  return `of all asked ${show(bounds[0])} to ${show(bounds[1])}`;
}

function card(title, note, ...charts) {
  return el("figure.card", {}, el("figcaption", {}, el("h2", {}, title), el("p", {}, note)), ...charts);
}

/** The colour of a run; from the ninth on they come again. */
const kindOf = (run) => "abcdefgh"[run.number % 8];

/** Charts of each part apart: a mean over training and held-out rollouts would be of neither. */
function summaryCharts(runs) {
  const parts = new Map();
  for (const run of runs) {
    for (const part of run.about.parts) {
      const name = partName(part);
      if (!parts.has(name)) parts.set(name, []);
      parts.get(name).push({ run, part });
    }
  }
  return [...parts].flatMap(([name, members]) =>
    partCharts(parts.size > 1 ? ` · ${name}` : "", members, runs),
  );
}

function partCharts(suffix, members, runs) {
  const cards = [];
  const keys = legend(members.map(({ run }) => run), runs);
  const rewarded = members.filter(({ part }) => part.rewards.length);
  if (rewarded.length) {
    const note = rewarded.length > 1 ? "Which share of each run's scored rollouts" : "How many scored rollouts";
    cards.push(card("Rewards" + suffix, note + " earned what", rewardChart(rewarded, runs), keys));
  }
  const curves = members.map(({ run, part }) => ({ kind: kindOf(run), points: passPoints(run, part) }));
  if (curves.some(({ points }) => points.length > 1)) {
    const known = curves.filter(({ points }) => points.length);
    const xs = [...new Set(known.flatMap(({ points }) => points.map((p) => p.x)))];
    const label = "pass@k: " + known[0].points.map((p) => p.title).join("; ");
    const chart = lineChart(label, known, "k", { share: true, xs: xs.length > 9 ? null : xs });
    cards.push(card("pass@k" + suffix, "Share of tasks solved in k samples, unbiased", chart, keys?.cloneNode(true)));
  }
  const lengths = members.map(({ run, part }) => ({ kind: kindOf(run), points: lengthPoints(part) }));
  const known = lengths.filter(({ points }) => points.length > 1);
  if (known.length) {
    const units = new Set(members.map(({ part }) => part.unit));
    const unit = units.size === 1 ? [...units][0] : "tokens or characters";
    const label = "Reward against length: " + known[0].points.map((p) => p.title).join("; ");
    const chart = lineChart(label, known, `${unit} of the response`);
    const note = "Mean reward of the shortest tenth, the next, …";
    cards.push(card("Reward against length" + suffix, note, chart, keys?.cloneNode(true)));
  }
  return cards;
}

/** One chart for all runs, on one scale: of several, shares, because they may differ in their number of rollouts. */
function rewardChart(members, runs) {
  const alone = members.length === 1;
  const places = new Map();
  for (const { part } of members) {
    for (const { low, high } of part.rewards) places.set(low + " " + high, { low, high });
  }
  const groups = [...places].map(([key, { low, high }]) => ({
    at: low + high,
    label: low === high ? figure(low) : low + high === 0 ? "0" : figure(low),
    bars: members.map(({ run, part }) => {
      const n = part.rewards.find((bar) => bar.low + " " + bar.high === key)?.count ?? 0;
      const share = n / part.rewards.reduce((sum, bar) => sum + bar.count, 0);
      const where = low === high ? figure(low) : `${figure(low)} – ${figure(high)}`;
      const title = `${where}: ${count(n)}` + (alone ? "" : ` (${percent(share)})`);
      return { value: alone ? n : share, title, kind: kindOf(run), name: named(run, runs) };
    }),
  }));
  groups.sort((a, b) => a.at - b.at);
  const titles = members.map((_, i) => {
    const bars = groups.map((group) => group.bars[i]);
    return `Rewards of ${bars[0].name}: ${bars.map((bar) => bar.title).join("; ")}`;
  });
  return barChart(titles.join(". "), groups, "reward", alone ? abbreviated : percent);
}

const passPoints = (run, { env, part }) =>
  run.about.slices.find((row) => row.env === env && row.part === part).pass_at.map(({ k, value, low, high, tasks }) => ({
    x: k,
    y: value,
    low,
    high,
    title: `k = ${k}: ${percent(value)} of ${count(tasks)} tasks`,
  }));

const lengthPoints = (part) =>
  part.lengths.map(({ low, middle, high, count: n, reward }) => ({
    x: middle,
    y: reward.value,
    low: reward.low,
    high: reward.high,
    title: `${figure(low)} – ${figure(high)}: ${figure(reward.value)} (${count(n)} rollouts)`,
  }));

function legend(members, runs) {
  if (runs.length < 2) return null;
  const entries = members.map((run) => el("span.key." + kindOf(run), {}, inline(named(run, runs))));
  return el("p.legend", {}, ...entries);
}

function trainingCharts(runs) {
  const names = [...new Set(runs.flatMap((run) => run.about.curves.map(({ name }) => name)))];
  if (!names.length) return [];
  const charts = names.map((name) => {
    const series = runs.flatMap((run) =>
      run.about.curves
        .filter((curve) => curve.name === name)
        .map(({ points }) => ({
          kind: kindOf(run),
          points: points.map(([x, y]) => ({ x, y, title: `step ${x}: ${figure(y)}` })),
        })),
    );
    const ends = series.map(({ points }) => `${figure(points[0].y)} → ${figure(points.at(-1).y)}`);
    const chart = lineChart(`${name}: ${ends.join(", ")}`, series, "step", {
      dots: series.every(({ points }) => points.length < 30),
    });
    return card(shown(name), ends.join(", "), chart, legend(runs, runs));
  });
  const parts = [el("h2.part-title", {}, "Training"), el("div.charts", {}, ...charts.slice(0, 6))];
  if (charts.length > 6) {
    const rest = el("div.charts", {}, ...charts.slice(6));
    parts.push(el("details", {}, el("summary", {}, `${charts.length - 6} more metrics`), rest));
  }
  return parts;
}

function asked(run, runs) {
  const rows = run.about.asked.map(([name, text]) =>
    el("tr", {}, el("th", { scope: "row" }, shown(name)), el("td", {}, inline(text))),
  );
  const title = runs.length > 1 ? `What was asked of ${run.letter}` : "What was asked";
  return el(
    "details",
    {},
    el("summary", {}, title),
    el("p.quiet", {}, shown(run.about.path)),
    el("table.asked", {}, el("tbody", {}, ...rows)),
  );
}
