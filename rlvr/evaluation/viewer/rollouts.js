// The table of rollouts with what narrows it: filters, environment, part, step, slice, search.

class RolloutList {
  constructor(host, runs, open, show) {
    this.runs = runs;
    this.wanted = { show, env: null, part: null, step: null, slice: null, query: "" };
    this.run = runs[0];
    this.order = null; // {name, down}: a column's head was used
    this.asked = 0;
    this.columns = this.makeColumns();
    this.table = new VirtualTable({
      label: "Rollouts",
      columns: this.columns,
      open: (i, focus) => open(this.run, i, focus),
      sorted: (column) => this.sort(column.name),
    });
    this.tell = el("p.quiet.count", { role: "status" });
    host.replaceChildren(this.makeTools(), this.table.host);
    this.refresh();
  }

  makeColumns() {
    const get = (name) => (i) => this.run.columns[name][i];
    const several = (name) =>
      this.runs.some((run) => run.columns[name]?.some((value) => value !== run.columns[name][0]));
    const text = (name) => (i) => inline(get(name)(i));
    const column = (name, label, cell, sort = get(name)) => ({
      name,
      label,
      className: "c-" + name,
      cell,
      sort,
    });
    const number = (name) => (i) => (get(name)(i) === null ? "–" : count(get(name)(i)));
    const has = (name) => this.runs.some((run) => run.columns[name]?.some(Boolean));
    return [
      column("task", "Task", text("task")),
      several("step") && column("step", "Step", number("step")),
      several("sample") && column("sample", "Sample", number("sample")),
      several("env") && column("env", "Env", text("env")),
      several("slice") && column("slice", "Slice", text("slice")),
      column("status", "Verdict", (i) => badge(get("status")(i), get("cause")(i))),
      column("reward", "Reward", (i) => figure(get("reward")(i))),
      column("length", this.runs[0].about.unit === "tokens" ? "Tokens" : "Chars", number("length")),
      has("answer") && column("answer", "Answer", text("answer")),
      column("gold", "Gold", text("gold")),
      column("excerpt", "Ends with", (row) => el("span.tail", {}, el("span", {}, text("excerpt")(row))), null),
    ].filter(Boolean);
  }

  makeTools() {
    this.query = el("input", {
      type: "search",
      id: "query",
      placeholder: "Search all texts",
      "aria-label": "Search all texts",
      autocomplete: "off",
      spellcheck: false,
    });
    let waiting;
    this.query.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.want({ query: this.query.value.trim().toLowerCase() }), 60);
    });
    this.chips = SHOW.map(({ name, label, hint = "" }) => {
      const number = el("span.n");
      const properties = { type: "button", title: hint, onclick: () => this.show(name) };
      const chip = el("button.chip", properties, label, number);
      chip.dataset.show = name;
      return chip;
    });
    this.selects = ["env", "part", "step", "slice"].map((name) => this.makeSelect(name));
    return el(
      "div.tools",
      {},
      el("div.line", {}, this.query, this.runSelect(), ...this.selects, this.tell),
      el("div.line", { role: "group", "aria-label": "Show" }, ...this.chips),
    );
  }

  runSelect() {
    if (this.runs.length < 2) return null;
    const options = this.runs.map((run) => el("option", { value: run.number }, named(run, this.runs)));
    const choose = () => {
      this.run = this.runs[this.chosenRun.value];
      this.table.selected = -1;
      this.refresh();
    };
    this.chosenRun = el("select", { id: "run", "aria-label": "Run", onchange: choose }, ...options);
    return this.chosenRun;
  }

  /** The next run, or the one before. */
  turn(by) {
    if (this.runs.length < 2) return;
    this.chosenRun.value = (this.run.number + by + this.runs.length) % this.runs.length;
    this.chosenRun.onchange();
  }

  /** A choice of the values that there are; nothing where there's one alone. */
  makeSelect(name) {
    const values = [...new Set(this.runs.flatMap((run) => run.columns[name] ?? []))];
    if (values.length < 2) return null;
    values.sort((a, b) => (typeof a === "number" ? a - b : String(a).localeCompare(String(b))));
    const label = { env: "environments", part: "parts", step: "steps", slice: "slices" }[name];
    const options = values.map((value, at) => {
      const title = value === "" || value === null ? "(none)" : value;
      return el("option", { value: at }, name === "step" ? `step ${title}` : String(title));
    });
    const choose = (event) => {
      this.want({ [name]: event.target.value === "" ? null : values[event.target.value] });
    };
    return el(
      "select",
      { id: name, "aria-label": label, onchange: choose },
      el("option", { value: "" }, `all ${label}`),
      ...options,
    );
  }

  show(name) {
    this.order = null;
    this.want({ show: name });
  }

  sort(name) {
    const down = this.order?.name === name ? !this.order.down : false;
    this.order = this.order?.name === name && this.order.down ? null : { name, down };
    this.refresh();
  }

  want(change) {
    Object.assign(this.wanted, change);
    this.refresh();
  }

  async refresh() {
    const asked = ++this.asked;
    const { run, wanted } = this;
    const inside = within(run, wanted);
    const show = SHOW.find(({ name }) => name === wanted.show);
    for (const [at, { name, has, uncounted }] of SHOW.entries()) {
      const number = inside.reduce((sum, i) => sum + (has(run, i) ? 1 : 0), 0);
      const chip = this.chips[at];
      chip.ariaPressed = String(name === wanted.show);
      chip.lastChild.textContent = uncounted ? "" : count(number);
      chip.disabled = !number && name !== wanted.show;
    }
    let items = inside.filter((i) => show.has(run, i));
    if (wanted.query) {
      items = await searched(run, items, wanted.query, () => asked !== this.asked);
      if (items === null || asked !== this.asked) return;
    }
    const column = this.order && this.columns.find(({ name }) => name === this.order.name);
    if (column) items = sorted(items, column.sort, this.order.down);
    else if (show.sort) items = sorted(items, (i) => show.sort(run, i), true);
    this.table.mark(this.order?.name, this.order?.down);
    this.table.set(items);
    const indexing = wanted.query && run.indexed < run.size;
    const part = indexing ? ` (${Math.round((100 * run.indexed) / run.size)}% searched so far)` : "";
    this.tell.textContent = `${count(items.length)} of ${count(run.size)} rollouts${part}`;
  }

  /** More texts are there to be searched. */
  indexed() {
    if (this.wanted.query) this.refresh();
  }

  clear() {
    this.query.value = "";
    this.want({ query: "" });
  }
}
