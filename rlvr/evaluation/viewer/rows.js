// Which rollouts are shown, and in what order.

/** What "Show" offers: who is in, and what the order is unless a column's head decides. */
const SHOW = [
  { name: "all", label: "All", has: () => true },
  {
    name: "wrong",
    label: "Wrong",
    has: (run, i) => run.columns.reward[i] !== null && run.columns.status[i] !== "correct",
  },
  { name: "unparsable", label: "Unparsable", has: (run, i) => run.columns.status[i] === "unparsable" },
  { name: "unscored", label: "Unscored", has: (run, i) => run.columns.reward[i] === null },
  { name: "truncated", label: "Truncated", has: (run, i) => run.columns.truncated[i] },
  {
    name: "disagreed",
    label: "Disagreed",
    hint: "Samples of one task earned different rewards; the furthest apart first",
    has: (run, i) => run.disagreement[i] > 0,
    sort: (run, i) => run.disagreement[i],
  },
  {
    name: "longest",
    label: "Longest",
    hint: "All, the longest responses first",
    has: () => true,
    sort: (run, i) => run.columns.length[i],
    uncounted: true,
  },
];

/** The rollouts of `wanted`'s environment, part, step and slice (null: any). */
function within(run, wanted) {
  const limits = ["env", "part", "step", "slice"].filter((name) => wanted[name] !== null);
  const found = [];
  for (const i of run.order) {
    if (limits.every((name) => run.columns[name][i] === wanted[name])) found.push(i);
  }
  return found;
}

/** Those of `items` that hold `query`, a few milliseconds at a time; null when `stale()` is true. */
async function searched(run, items, query, stale) {
  const found = [];
  let began = performance.now();
  for (let at = 0; at < items.length; at++) {
    if (run.search[items[at]]?.includes(query)) found.push(items[at]);
    if (at % 64 === 63 && performance.now() - began > 12) {
      await rest();
      if (stale()) return null;
      began = performance.now();
    }
  }
  return found;
}

/** In place: by the column's value, samples of a task together where that's equal. */
function sorted(items, value, down) {
  const sign = down ? -1 : 1;
  const keyed = items.map((i) => [i, value(i)]);
  keyed.sort(([i, a], [j, b]) => {
    if (a === b) return i - j;
    if (a === null || a === undefined) return 1; // nothing there stands last either way
    if (b === null || b === undefined) return -1;
    if (typeof a === "string") return sign * a.localeCompare(b, "en", { numeric: true }) || i - j;
    return sign * (a - b) || i - j;
  });
  return keyed.map(([i]) => i);
}
