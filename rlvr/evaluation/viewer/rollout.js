// One rollout opened: verdict and reasons, answer and gold, each turn, everything else. With several runs,
// the others' rollouts of the same task are beside it.

const LONG = 60_000; // characters of a message before one has to ask for the rest

class RolloutPane {
  constructor(host, runs, { closed, query }) {
    Object.assign(this, { host, runs, closed, query });
    this.asked = 0;
    this.current = null; // {run, i}
  }

  get isOpen() {
    return !this.host.hidden;
  }

  close() {
    this.current = null;
    this.asked++;
    this.host.hidden = true;
    document.body.classList.remove("opened");
    this.closed();
  }

  async open(run, i, focus = false) {
    const asked = ++this.asked;
    this.current = { run, i };
    const pairs = this.runs.map((one) => [one, one === run ? i : this.counterpart(run, i, one)]);
    const there = pairs.filter(([, at]) => at !== undefined);
    const texts = await Promise.all(there.map(([one, at]) => one.texts(at)));
    if (asked !== this.asked) return;
    const articles = there.map(([one, at], n) => this.article(one, at, texts[n]));
    const button = el("button.close", { type: "button", onclick: () => this.close() }, "Close");
    const title = el("h2", {}, inline(run.columns.task[i] || "(no task id)"));
    this.host.replaceChildren(
      el("div.pane-head", {}, title, button),
      el("div.articles", {}, ...articles),
    );
    this.host.classList.toggle("two", articles.length > 1);
    this.host.hidden = false;
    this.host.scrollTop = 0;
    document.body.classList.add("opened");
    if (focus) this.host.focus();
    history.replaceState(null, "", `#rollout-${run.number}-${i}`);
  }

  /** The other run's sample of the same number, or any sample, of the same task. */
  counterpart(run, i, other) {
    const { env, part, task, sample } = run.columns;
    const found = other.find(env[i], part[i], task[i]);
    return found.find((at) => other.columns.sample[at] === sample[i]) ?? found[0];
  }

  /** Moves to the next (or previous) sample of the open task. */
  sample(by) {
    if (!this.current) return;
    const { run, i } = this.current;
    const samples = run.samples[i];
    const next = samples[samples.indexOf(i) + by];
    if (next !== undefined) this.open(run, next);
  }

  article(run, i, texts) {
    const { status, cause, reward, env, part, step, length } = run.columns;
    const where = [
      this.runs.length > 1 ? named(run, this.runs) : "",
      env[i],
      part[i],
      step[i] === null ? "" : `step ${step[i]}`,
      `${count(length[i])} ${run.about.unit}`,
      texts.stop === "length" ? "cut off at the token limit" : texts.stop && `stop: ${texts.stop}`,
    ];
    const earned = reward[i] === null ? "no reward" : `reward ${figure(reward[i])}`;
    return el(
      "article." + kindOf(run),
      {},
      el("p.quiet", {}, shown(where.filter(Boolean).join(" · "))),
      this.samples(run, i),
      el(
        "section.verdict." + badgeKind(status[i]),
        { "aria-label": "Verdict" },
        el("p.earned", {}, badge(status[i], cause[i]), el("b", {}, earned)),
        texts.feedback ? el("p.feedback", { dir: "auto" }, this.shown(texts.feedback)) : null,
        this.answers(texts),
        this.parts(texts.parts),
        this.components(texts.components),
      ),
      ...texts.messages.map(([role, text]) => this.message(role, text)),
      ...this.notes(texts.notes),
    );
  }

  shown(text) {
    return shown(text, this.query());
  }

  /** Every sample of the task, by its number and how it was judged. */
  samples(run, i) {
    const all = run.samples[i];
    if (all.length < 2) return null;
    const buttons = all.map((at, n) => {
      const { sample, status, reward } = run.columns;
      const title = `Sample ${sample[at] ?? n}: ${status[at]}, reward ${figure(reward[at])}`;
      const button = el(
        "button.sample." + badgeKind(status[at]),
        { type: "button", title, onclick: () => this.open(run, at) },
        String(sample[at] ?? n),
      );
      button.ariaLabel = title;
      if (at === i) button.ariaCurrent = "true";
      return button;
    });
    return el("div.samples", { role: "group", "aria-label": "Samples" }, "Samples ", ...buttons);
  }

  answers(texts) {
    const rows = [
      ["Answer", texts.answer],
      ["Gold", texts.reference],
    ].filter(([, text]) => text !== "");
    const parts = rows.flatMap(([name, text]) => [
      el("dt", {}, name),
      el("dd", { dir: "auto" }, this.limited(text)),
    ]);
    return el("dl.answers", {}, ...parts);
  }

  /** Each part of the verdict: what it earned, its votes (a judge's) and why. */
  parts(parts) {
    if (!parts.length) return null;
    const voted = parts.some(({ votes }) => votes.length);
    const heads = ["Part", "Verdict", "Reward", ...(voted ? ["Votes"] : []), "Reason"];
    const rows = parts.map((part) => {
      const more = part.more ? el("small", {}, this.shown(part.more)) : null;
      return el(
        "tr",
        {},
        el("th", { scope: "row" }, inline(part.name)),
        el("td", {}, badge(part.status, part.cause)),
        el("td.number", {}, figure(part.reward)),
        voted ? el("td.votes", {}, shown(part.votes.join(" "))) : null,
        el("td.reason", { dir: "auto" }, this.shown(part.says), more),
      );
    });
    const head = el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)));
    return el(
      "div.wide",
      { tabIndex: 0, role: "region", ariaLabel: "Parts" },
      el("table.judged", {}, el("thead", {}, head), el("tbody", {}, ...rows)),
    );
  }

  components(components) {
    if (!components.length) return null;
    const rows = components.map(([name, value]) => {
      const meter = el("meter", { min: 0, max: 1, value });
      meter.ariaHidden = "true";
      const range = value >= 0 && value <= 1 ? meter : null; // another scale has no bar
      const head = el("th", { scope: "row" }, inline(name));
      return el("tr", {}, head, el("td.number", {}, figure(value)), el("td", {}, range));
    });
    return el("table.components", { "aria-label": "Components" }, el("tbody", {}, ...rows));
  }

  message(role, text) {
    const head = el("h3", {}, shown(role), el("small", {}, `${count(text.length)} characters`));
    const body = el("div.text", { dir: "auto" }, text ? this.limited(text) : "(nothing)");
    return el("section.message", { "aria-label": role }, head, body);
  }

  /** A text, of which only the first part is drawn until one asks for the rest. */
  limited(text) {
    if (text.length <= LONG) return this.shown(text);
    // Not between the two halves of a character.
    const cut = /[\ud800-\udbff]/.test(text[LONG - 1]) ? LONG + 1 : LONG;
    const more = el("button", { type: "button" }, `Show the other ${count(text.length - cut)} characters`);
    const nodes = document.createDocumentFragment();
    nodes.append(this.shown(text.slice(0, cut)), more);
    more.onclick = () => more.replaceWith(this.shown(text.slice(cut)));
    return nodes;
  }

  notes(notes) {
    if (!notes.length) return [];
    const rows = notes.map(([name, text]) =>
      el("tr", {}, el("th", { scope: "row" }, shown(name)), el("td", {}, el("div.text", {}, this.limited(text)))),
    );
    const body = el("table.asked", {}, el("tbody", {}, ...rows));
    return [el("section.message", { "aria-label": "More" }, el("h3", {}, "more"), body)];
  }
}

const badgeKind = (status) => badge(status).className.split(" ")[1];
