// The first part: figures, charts, and what was asked.

function drawSummary(host, runs) {
  host.replaceChildren(
    ...runs.flatMap((run) => run.about.warnings.map((text) => notice(run, text, runs))),
    figureTable(runs),
    el("p.quiet", {}, explained(runs)),
    el("div.charts", {}, ...summaryCharts(runs)),
    ...trainingCharts(runs),
    ...runs.map((run) => asked(run, runs)),
  );
}

const named = (run, runs) => (runs.length > 1 ? `${run.letter} · ${run.about.name}` : run.about.name);

function notice(run, text, runs) {
  return el("p.notice", {}, shown(runs.length > 1 ? `${run.letter}: ${text}` : text));
}

function explained(runs) {
  const last = runs.filter((run) => run.about.step !== null);
  const steps = last.map((run) => `${named(run, runs)}: step ${run.about.step}, the last`);
  return [
    "Ranges are 95% intervals, clustered by task (normal approximation).",
    ...(runs.some((run) => run.about.bootstrapped)
      ? ["Mean reward and correct are report.json’s, by bootstrap over tasks."]
      : []),
    "Unscored rollouts are in no mean.",
    ...(steps.length ? [`Figures are of one training step (${steps.join("; ")}).`] : []),
  ].join(" ");
}

function figureTable(runs) {
  const heads = ["Run", "Tasks", "Rollouts", "Unscored", "Mean reward", "Correct", "pass@k"];
  heads.push("Unparsable", "Truncated");
  const rows = runs.flatMap((run) => run.about.slices.map((slice) => figureRow(run, slice, runs)));
  return el(
    "div.wide",
    {},
    el(
      "table.figures",
      {},
      el("caption", {}, "Figures"),
      el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows),
    ),
  );
}

function figureRow(run, slice, runs) {
  const whole = slice.env === "" && slice.part === "";
  const where = [slice.env, slice.part].filter(Boolean).join(" · ");
  const name = whole
    ? [el("b", {}, inline(named(run, runs))), el("small", {}, inline(about(run)))]
    : [el("span.part", {}, inline(where))];
  const most = slice.pass_at.at(-1);
  const causes = whole ? run.about.causes.map(([cause, n]) => `${cause} ${n}`).join(", ") : "";
  const cells = [
    count(slice.tasks),
    count(slice.rollouts),
    el("span.figure", {}, count(slice.unscored), causes ? el("small", {}, shown(causes)) : null),
    interval(slice.reward),
    interval(slice.correct, percent),
    most && most.k > 1 ? interval(most, (share) => percent(share), `k = ${most.k}`) : "–",
    interval(slice.unparsable, percent),
    interval(slice.truncated, percent),
  ];
  const kind = whole ? "whole" : "sliced";
  return el(
    "tr." + kind,
    {},
    el("th", { scope: "row" }, ...name),
    ...cells.map((cell) => el("td.number", {}, cell)),
  );
}

const about = (run) => [run.about.env, run.about.policy].filter(Boolean).join(" · ");

function card(title, note, ...charts) {
  return el("figure.card", {}, el("figcaption", {}, el("h2", {}, title), el("p", {}, note)), ...charts);
}

const kindOf = (run) => run.letter.toLowerCase();

function summaryCharts(runs) {
  const cards = [];
  const rewarded = runs.filter((run) => run.about.rewards.length);
  if (rewarded.length) {
    const charts = rewarded.map((run) => rewardChart(run, runs));
    cards.push(card("Rewards", "How many scored rollouts earned what", ...charts, legend(runs)));
  }
  const curves = runs.map((run) => ({ kind: kindOf(run), points: passPoints(run) }));
  if (curves.some(({ points }) => points.length > 1)) {
    const known = curves.filter(({ points }) => points.length);
    const xs = [...new Set(known.flatMap(({ points }) => points.map((p) => p.x)))];
    const label = "pass@k: " + known[0].points.map((p) => p.title).join("; ");
    const chart = lineChart(label, known, "k", { share: true, xs: xs.length > 9 ? null : xs });
    cards.push(card("pass@k", "Share of tasks solved in k samples, unbiased", chart, legend(runs)));
  }
  const lengths = runs.map((run) => ({ kind: kindOf(run), points: lengthPoints(run) }));
  const known = lengths.filter(({ points }) => points.length);
  if (known.length) {
    const units = new Set(runs.map((run) => run.about.unit));
    const unit = units.size === 1 ? [...units][0] : "tokens or characters";
    const label = "Reward against length: " + known[0].points.map((p) => p.title).join("; ");
    const chart = lineChart(label, known, `${unit} of the response`);
    const note = "Mean reward of the shortest tenth, the next, …";
    cards.push(card("Reward against length", note, chart, legend(runs)));
  }
  return cards;
}

function rewardChart(run, runs) {
  const bars = run.about.rewards.map(({ low, high, count: n }) => ({
    label: low === high ? figure(low) : (low + high) / 2 === 0 ? "0" : figure(low),
    value: n,
    title: `${low === high ? figure(low) : `${figure(low)} – ${figure(high)}`}: ${count(n)}`,
    kind: kindOf(run),
  }));
  const label = `Rewards of ${named(run, runs)}: ${bars.map((bar) => bar.title).join("; ")}`;
  return barChart(label, bars, "reward");
}

const passPoints = (run) =>
  run.about.slices[0].pass_at.map(({ k, value, low, high, tasks }) => ({
    x: k,
    y: value,
    low,
    high,
    title: `k = ${k}: ${percent(value)} of ${count(tasks)} tasks`,
  }));

const lengthPoints = (run) =>
  run.about.lengths.map(({ low, middle, high, count: n, reward }) => ({
    x: middle,
    y: reward.value,
    low: reward.low,
    high: reward.high,
    title: `${figure(low)} – ${figure(high)}: ${figure(reward.value)} (${count(n)} rollouts)`,
  }));

function legend(runs) {
  if (runs.length < 2) return null;
  const entries = runs.map((run) => el("span.key." + kindOf(run), {}, inline(named(run, runs))));
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
    return card(shown(name), ends.join(", "), chart, legend(runs));
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
  const report = run.about.report;
  const title = runs.length > 1 ? `What was asked of ${run.letter}` : "What was asked";
  return el(
    "details",
    {},
    el("summary", {}, title),
    el("p.quiet", {}, shown(run.about.path)),
    el("table.asked", {}, el("tbody", {}, ...rows)),
    ...(report ? [el("h3", {}, "report.json"), el("pre.text", {}, shown(report))] : []),
  );
}
