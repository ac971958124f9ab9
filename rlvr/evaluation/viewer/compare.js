// Two runs on the same tasks: the paired difference, and the tasks that changed.

const FLIPS = [
  { name: "lost", label: "Right → wrong", has: ({ flip: [a, b] }) => a && !b },
  { name: "won", label: "Wrong → right", has: ({ flip: [a, b] }) => !a && b },
  { name: "changed", label: "Any change of reward", has: () => true },
];

class Comparison {
  constructor(host, runs, compared, open) {
    Object.assign(this, { runs, compared, open });
    this.show = compared.lost || !compared.won ? "lost" : "won";
    const letter = (side) => (row) => figure(row[side]);
    const change = (row) => row.b - row.a;
    const column = (name, label, cell) => ({ name, label, className: "c-" + name, cell });
    const several = new Set(compared.changed.map(({ env, part }) => env + "\n" + part)).size > 1;
    this.table = new VirtualTable({
      label: "Tasks that changed",
      columns: [
        column("task", "Task", (row) => inline(row.task)),
        several && column("env", "Env", (row) => inline([row.env, row.part].filter(Boolean).join(" · "))),
        column("a", "Reward in A", letter("a")),
        column("b", "Reward in B", letter("b")),
        column("change", "Change", (row) => signed(change(row))),
        column("flip", "Flip", (row) => flipText(row.flip)),
      ].filter(Boolean),
      open: (row, focus) => this.choose(row, focus),
    });
    this.chips = FLIPS.map(({ name, label, has }) => {
      const number = el("span.n", {}, count(compared.changed.filter(has).length));
      const chip = el("button.chip", { type: "button", onclick: () => this.refresh(name) }, label, number);
      chip.dataset.show = name;
      return chip;
    });
    host.replaceChildren(
      this.figures(),
      el("div.tools", {}, el("div.line", { role: "group", "aria-label": "Show" }, ...this.chips)),
      this.table.host,
    );
    this.refresh(this.show);
  }

  figures() {
    const { tasks, reward, correct, lost, won, p } = this.compared;
    if (!tasks) return el("p.notice", {}, "No task was scored in both runs: nothing to compare.");
    const parts = [
      ["Mean reward, B − A", interval(reward, signed)],
      ["Correct, B − A", interval(correct, signedPercent)],
      ["Right → wrong", count(lost)],
      ["Wrong → right", count(won)],
      ["McNemar’s exact p", figure(p)],
      ["Tasks compared", el("span.figure", {}, count(tasks), el("small", {}, this.left()))],
    ];
    const cells = parts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
    const note =
      "Paired by task; ranges are 95% intervals over tasks. A task is right where more than half of " +
      "its scored samples are.";
    return el("div", {}, el("dl.tiles", {}, ...cells), el("p.quiet", {}, note), this.key());
  }

  left() {
    const { unscored, only_a: a, only_b: b } = this.compared;
    const parts = [unscored && `${count(unscored)} unscored in one`, a && `${count(a)} only in A`];
    parts.push(b && `${count(b)} only in B`);
    return parts.filter(Boolean).join(", ");
  }

  key() {
    const entries = this.runs.map((run) => el("span.key." + kindOf(run), {}, inline(named(run, this.runs))));
    return el("p.legend", {}, ...entries);
  }

  refresh(show) {
    this.show = show;
    for (const chip of this.chips) chip.ariaPressed = String(chip.dataset.show === show);
    const { has } = FLIPS.find(({ name }) => name === show);
    const rows = this.compared.changed.filter(has);
    rows.sort((x, y) => Math.abs(y.b - y.a) - Math.abs(x.b - x.a));
    this.table.set(rows);
  }

  choose({ env, part, task }, focus) {
    const [i] = this.runs[0].find(env, part, task);
    this.open(this.runs[0], i, focus);
  }
}

const signed = (number) => (number > 0 ? "+" : "") + figure(number).replace("-", "−");

const signedPercent = (share) => (share > 0 ? "+" : "") + percent(share).replace("-", "−");

const flipText = ([a, b]) => (a === b ? "–" : a ? "right → wrong" : "wrong → right");
