// Runs on the same tasks, each against the first: the paired differences, and the tasks that changed.

const FLIPS = [
  { name: "lost", label: "Lower", has: ({ a, b }) => b < a },
  { name: "won", label: "Higher", has: ({ a, b }) => b > a },
  { name: "changed", label: "Any change of reward", has: () => true },
];

class Comparison {
  /** `compared`: for each run behind the first, its comparisons by environment and slice. */
  constructor(host, runs, compared, open) {
    Object.assign(this, { runs, compared, open });
    this.other = runs[1];
    const reward = (side) => (row) => figure(row[side]);
    const column = (name, label, cell) => ({ name, label, className: "c-" + name, cell });
    const several = new Set(compared.flat().map(({ env, part }) => env + "\n" + part)).size > 1;
    this.table = new VirtualTable({
      label: "Tasks that changed",
      columns: [
        column("task", "Task", (row) => inline(row.task)),
        several && column("env", "Env", (row) => inline([row.env, row.part].filter(Boolean).join(" · "))),
        column("a", "Reward in A", reward("a")),
        column("b", "Reward in B", reward("b")),
        column("change", "Change", (row) => signed(row.b - row.a)),
      ].filter(Boolean),
      open: (row, focus) => this.choose(row, focus),
    });
    this.chips = FLIPS.map(({ name, label }) => {
      const chip = el("button.chip", { type: "button", onclick: () => this.refresh(name) }, label, el("span.n"));
      chip.dataset.show = name;
      return chip;
    });
    host.replaceChildren(
      el("div.above", {}, this.figures()),
      el(
        "div.tools",
        {},
        el("div.line", { role: "group", "aria-label": "Show" }, this.select(), ...this.chips),
      ),
      this.table.host,
    );
    this.against(this.other);
  }

  /** Which run the tasks below are of; nothing where there's one alone. */
  select() {
    if (this.runs.length < 3) return null;
    const options = this.runs
      .slice(1)
      .map((run) => el("option", { value: run.number }, `${this.runs[0].letter} and ${named(run, this.runs)}`));
    const choose = () => this.against(this.runs[this.chosen.value]);
    this.chosen = el("select", { id: "other", "aria-label": "Compared runs", onchange: choose }, ...options);
    return this.chosen;
  }

  turn(by) {
    if (this.runs.length < 3) return;
    const others = this.runs.length - 1;
    this.chosen.value = 1 + ((this.other.number - 1 + by + others) % others);
    this.chosen.onchange();
  }

  /** Shows the tasks whose reward differs between the first run and this one. */
  against(run) {
    this.other = run;
    this.changed = this.compared[run.number - 1].flatMap(({ env, part, rows }) =>
      rows.map(([task, a, b]) => ({ env, part, task, a, b })),
    );
    for (const [at, { label, has }] of FLIPS.entries()) {
      const [text, number] = this.chips[at].childNodes;
      text.textContent = at < 2 ? `${label} in ${run.letter}` : label;
      number.textContent = count(this.changed.filter(has).length);
    }
    const head = this.table.columns.find(({ name }) => name === "b").headCell;
    head.textContent = `Reward in ${run.letter}`;
    const lost = this.changed.some(FLIPS[0].has) || !this.changed.length;
    this.refresh(lost ? "lost" : "won");
  }

  figures() {
    const many = this.runs.length > 2;
    const second = many ? "other" : "B";
    const heads = ["Environment", "Tasks", "Reward, A", `Reward, ${second}`, `Difference, ${second} − A`];
    heads.push("Higher", "Lower", "Equal", "p");
    const rows = this.compared.flatMap((parts, at) =>
      parts.map((part) => this.row(part, many ? this.runs[at + 1] : null)),
    );
    const flat = this.compared.flat();
    const methods = [...new Set(flat.filter((part) => part.slice === null).map(({ method }) => method))];
    const table = el(
      "table.figures",
      {},
      el("caption", {}, "Paired differences"),
      el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows),
    );
    return el(
      "div",
      {},
      el("div.wide", { tabIndex: 0, role: "region", ariaLabel: "Paired differences" }, table),
      el("p.quiet", {}, "Compared: " + methods.join("; ") + ". The same figures as rlvr compare’s."),
      this.key(),
    );
  }

  row(part, run) {
    const name = part.slice === null ? partName(part) : part.slice + (part.few ? " *" : "");
    const p = part.p_holm === null ? figure(part.p) : `${figure(part.p)}, Holm’s ${figure(part.p_holm)}`;
    const cells = [
      el("span.figure", {}, count(part.tasks), el("small", {}, this.left(part, run ?? this.runs[1]))),
      figure(part.means[0]),
      figure(part.means[1]),
      interval(part.difference, signed),
      count(part.higher),
      count(part.lower),
      count(part.ties),
      p,
    ];
    const key = run && part.slice === null ? el("span.key." + kindOf(run), {}, run.letter + " ") : null;
    return el(
      "tr." + (part.slice === null ? "whole" : "sliced"),
      {},
      el("th", { scope: "row" }, key, inline(name)),
      ...cells.map((cell) => el("td.number", {}, cell)),
    );
  }

  left({ left_out: [a, b], changed, reworded }, run) {
    const parts = [a && `without ${count(a)} of A`, b && `${count(b)} of ${run.letter}`];
    parts.push(changed && `${count(changed)} of one id are other tasks`);
    parts.push(reworded && `${count(reworded)} with another prompt`);
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
    const rows = this.changed.filter(has);
    rows.sort((x, y) => Math.abs(y.b - y.a) - Math.abs(x.b - x.a));
    this.table.set(rows);
  }

  choose({ env, part, task }, focus) {
    const [i] = this.runs[0].find(env, part, task);
    this.open(this.runs[0], i, focus);
  }
}

const signed = (number) => (number > 0 ? "+" : "") + figure(number).replace("-", "−");
