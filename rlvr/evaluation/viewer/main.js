// Starts the page: unpacks the runs, shows the parts, listens to the keyboard.

const PARTS = ["summary", "rollouts", "compare"];

async function start() {
  const data = await unpack("about");
  const runs = data.runs.map((about, number) => new Run(number, about));
  document.title = runs.map((run) => run.about.name).join(" · ") + " · rlvr view";
  byId("runs").append(inline(runs.map((run) => named(run, runs)).join(" · ")));
  drawSummary(byId("summary"), runs);
  await Promise.all(runs.map((run) => run.load()));
  const app = new App(runs, data.compared, data.show);
  app.visit();
  document.documentElement.dataset.ready = "rows";
  await app.indexTexts();
  document.documentElement.dataset.ready = "texts";
}

class App {
  constructor(runs, compared, show) {
    this.runs = runs;
    this.first = show ? "rollouts" : "summary";
    this.pane = new RolloutPane(byId("pane"), runs, {
      closed: () => this.closed(),
      query: () => this.list.wanted.query,
    });
    const open = (run, i, focus) => this.pane.open(run, i, focus);
    this.list = new RolloutList(byId("rollouts"), runs, open, show ?? "all");
    this.tables = { rollouts: this.list.table };
    if (compared) {
      byId("to-compare").hidden = false;
      this.comparison = new Comparison(byId("compare"), runs, compared, open);
      this.tables.compare = this.comparison.table;
    }
    addEventListener("hashchange", () => this.visit());
    addEventListener("keydown", (event) => this.key(event));
    byId("keys").onclick = () => byId("help").showModal();
  }

  /** Shows what the address names: a part, or a rollout. Without a name, what the file was written for. */
  visit() {
    const [, run, i] = /^#rollout-(\d+)-(\d+)$/.exec(location.hash) ?? [];
    if (this.runs[run] && i < this.runs[run].size) {
      this.show("rollouts");
      this.pane.open(this.runs[run], Number(i));
      return;
    }
    const part = location.hash.slice(1);
    if (this.pane.isOpen) this.pane.close();
    this.show(PARTS.includes(part) && (part !== "compare" || this.tables.compare) ? part : this.first);
  }

  show(part) {
    this.part = part;
    for (const name of PARTS) byId(name).hidden = name !== part;
    document.body.dataset.part = part;
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === "#" + part) link.ariaCurrent = "page";
      else link.removeAttribute("aria-current");
    }
    this.tables[part]?.draw();
  }

  closed() {
    history.replaceState(null, "", "#" + this.part);
    const table = this.tables[this.part];
    table?.table.focus({ preventScroll: true });
    table?.draw();
  }

  async indexTexts() {
    if (document.readyState === "loading") {
      await new Promise((resolve) => addEventListener("DOMContentLoaded", resolve, { once: true }));
    }
    let told = 0;
    const progress = () => {
      if (performance.now() - told < 300) return;
      told = performance.now();
      this.list.indexed();
    };
    for (const run of this.runs) await run.indexTexts(progress);
    this.list.indexed();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape") this.escape(typing, event);
    else if (typing) this.typed(event);
    else this.command(event);
  }

  /** In the search field, Enter and the arrow down lead to what was found. */
  typed(event) {
    if (event.target !== this.list.query || !["Enter", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    this.list.table.table.focus();
    this.list.table.select(0);
  }

  escape(typing, event) {
    if (this.pane.isOpen) this.pane.close();
    else {
      if (this.list.query.value) this.list.clear();
      if (typing) event.target.blur();
    }
  }

  command(event) {
    const table = this.tables[this.part];
    const onTable = event.target === table?.table || event.target === document.body;
    const keys = {
      j: () => this.move(1),
      k: () => this.move(-1),
      "[": () => this.pane.sample(-1),
      "]": () => this.pane.sample(1),
      "/": () => this.search(),
      "?": () => byId("help").showModal(),
      "<": () => this.turn(-1),
      ">": () => this.turn(1),
      t: () => byId("theme").click(),
    };
    PARTS.forEach((part, at) => {
      if (part !== "compare" || this.comparison) keys[at + 1] = () => this.go(part);
    });
    const scrolled = this.pane.isOpen ? this.pane.host : byId("summary");
    const free = [document.body, this.pane.host].includes(event.target); // a button has its own Space
    if (free && (this.pane.isOpen || this.part === "summary")) {
      keys[" "] = () => scrolled.scrollBy({ top: scrolled.clientHeight * (event.shiftKey ? -0.9 : 0.9) });
    }
    if (onTable && table) {
      keys.ArrowDown = keys.j;
      keys.ArrowUp = keys.k;
      keys.Home = () => table.select(0);
      keys.End = () => table.select(table.items.length - 1);
      keys.PageDown = () => table.select(table.selected + 20);
      keys.PageUp = () => table.select(table.selected - 20);
      keys.Enter = () => {
        table.choose(Math.max(0, table.selected), true);
      };
    }
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** The next row; the open rollout follows. */
  move(by) {
    if (!this.tables[this.part]) location.hash = "#rollouts";
    const table = this.tables[this.part] ?? this.list.table;
    if (!table.items.length) return;
    if (this.pane.isOpen) table.choose(table.selected + by);
    else table.select(table.selected + by);
  }

  /** Another part; an open rollout is closed. */
  go(part) {
    if (this.pane.isOpen) this.pane.close();
    location.hash = "#" + part;
  }

  /** The next or the previous run, in the part that shows one at a time. */
  turn(by) {
    if (this.part === "rollouts") this.list.turn(by);
    else if (this.part === "compare") this.comparison.turn(by);
  }

  search() {
    if (this.part !== "rollouts") this.show("rollouts");
    this.list.query.focus();
    this.list.query.select();
  }
}

byId("theme").onclick = () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
};

start().catch((error) => {
  const text = `This page couldn't be unpacked (${error.message}). It needs a browser of 2023 or later.`;
  byId("summary").replaceChildren(el("p.notice", {}, text));
  throw error;
});
