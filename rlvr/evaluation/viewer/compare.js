// Two runs on the same tasks: the paired difference, and the tasks that changed.

const FLIPS = [
  { name: "lost", label: "Lower in B", has: ({ a, b }) => b < a },
  { name: "won", label: "Higher in B", has: ({ a, b }) => b > a },
  { name: "changed", label: "Any change of reward", has: () => true },
];

class Comparison {
  constructor(host, runs, compared, open) {
    Object.assign(this, { runs, compared, open });
    this.changed = compared.flatMap(({ env, part, rows }) =>
      rows.map(([task, a, b]) => ({ env, part, task, a, b })),
    );
    this.show = this.changed.some(FLIPS[0].has) || !this.changed.length ? "lost" : "won";
    const letter = (side) => (row) => figure(row[side]);
    const change = (row) => row.b - row.a;
    const column = (name, label, cell) => ({ name, label, className: "c-" + name, cell });
    const several = new Set(this.changed.map(({ env, part }) => env + "\n" + part)).size > 1;
    this.table = new VirtualTable({
      label: "Tasks that changed",
      columns: [
        column("task", "Task", (row) => inline(row.task)),
        several && column("env", "Env", (row) => inline([row.env, row.part].filter(Boolean).join(" · "))),
        column("a", "Reward in A", letter("a")),
        column("b", "Reward in B", letter("b")),
        column("change", "Change", (row) => signed(change(row))),
      ].filter(Boolean),
      open: (row, focus) => this.choose(row, focus),
    });
    this.chips = FLIPS.map(({ name, label, has }) => {
      const number = el("span.n", {}, count(this.changed.filter(has).length));
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
    const heads = ["Environment", "Tasks", "Reward, A", "Reward, B", "Difference, B − A", "Higher", "Lower", "Equal", "p"];
    const rows = this.compared.map((part) => {
      const name = part.slice === null ? partName(part) : part.slice + (part.few ? " *" : "");
      const p = part.p_holm === null ? figure(part.p) : `${figure(part.p)}, Holm’s ${figure(part.p_holm)}`;
      const cells = [
        el("span.figure", {}, count(part.tasks), el("small", {}, this.left(part))),
        figure(part.means[0]),
        figure(part.means[1]),
        interval(part.difference, signed),
        count(part.higher),
        count(part.lower),
        count(part.ties),
        p,
      ];
      return el(
        "tr." + (part.slice === null ? "whole" : "sliced"),
        {},
        el("th", { scope: "row" }, inline(name)),
        ...cells.map((cell) => el("td.number", {}, cell)),
      );
    });
    const methods = [...new Set(this.compared.filter((part) => part.slice === null).map(({ method }) => method))];
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

  left({ left_out: [a, b], changed, reworded }) {
    const parts = [a && `without ${count(a)} of A`, b && `${count(b)} of B`];
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
