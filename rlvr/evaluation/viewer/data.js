// The data blocks of the page: what they are is said in page.py and view.py.

/** The JSON in block `id`: base64, zlib. */
async function unpack(id) {
  const text = byId(id).textContent;
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

/** A run: its summary, the columns of its rollouts (arrays of one length), its texts on demand. */
class Run {
  constructor(number, about) {
    this.number = number;
    this.about = about;
    this.letter = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number];
    this.starts = []; // of each block, the number of its first rollout
    this.size = 0;
    this.search = []; // of each rollout, all its texts in lower case; filled by `indexTexts`
    this.indexed = 0;
    this.opened = new Map(); // the blocks last unpacked
  }

  async load() {
    const ids = Array.from({ length: this.about.blocks }, (_, i) => `rows-${this.number}-${i}`);
    const blocks = await Promise.all(ids.map(unpack));
    this.columns = {};
    for (const block of blocks) {
      this.starts.push(this.size);
      this.size += block.task.length;
      for (const [name, values] of Object.entries(block)) (this.columns[name] ??= []).push(values);
    }
    for (const name in this.columns) this.columns[name] = this.columns[name].flat();
    this.columns.length = this.columns[this.about.unit] ?? [];
    this.group();
  }

  /** Which rollouts are samples of one task, and how far apart their rewards are. */
  group() {
    const { env, part, step, task, reward } = this.columns;
    this.groups = new Map();
    for (let i = 0; i < this.size; i++) {
      const key = JSON.stringify([env[i], part[i], step[i], task[i]]);
      const samples = this.groups.get(key);
      if (samples) samples.push(i);
      else this.groups.set(key, [i]);
    }
    this.order = this.naturalOrder();
    this.samples = new Array(this.size);
    this.disagreement = new Float64Array(this.size);
    for (const samples of this.groups.values()) {
      const rewards = samples.map((i) => reward[i]).filter((value) => value !== null);
      const mean = rewards.reduce((sum, value) => sum + value, 0) / rewards.length;
      const spread = rewards.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rewards.length;
      for (const i of samples) {
        this.samples[i] = samples;
        this.disagreement[i] = rewards.length > 1 ? Math.sqrt(spread) : 0;
      }
    }
  }

  /** Environments, parts and steps as they came, and in each the tasks by name: test-2 before test-12. */
  naturalOrder() {
    const places = new Map();
    const groups = [...this.groups].map(([key, samples]) => {
      const [env, part, step, task] = JSON.parse(key);
      const where = JSON.stringify([env, part, step]);
      if (!places.has(where)) places.set(where, places.size);
      return { place: places.get(where), task, samples };
    });
    const { compare } = new Intl.Collator("en", { numeric: true });
    groups.sort((a, b) => a.place - b.place || compare(a.task, b.task));
    const { sample } = this.columns;
    return groups.flatMap(({ samples }) => samples.sort((i, j) => (sample[i] ?? 0) - (sample[j] ?? 0) || i - j));
  }

  /** Rollouts of the part's last step alone: the ones that figures are about. */
  find(env, part, task) {
    const { step } = this.about.parts.find((one) => one.env === env && one.part === part) ?? {};
    return this.groups?.get(JSON.stringify([env, part, step ?? null, task])) ?? [];
  }

  async block(number) {
    let texts = this.opened.get(number);
    if (!texts) {
      texts = await unpack(`texts-${this.number}-${number}`);
      this.opened.set(number, texts);
      if (this.opened.size > 8) this.opened.delete(this.opened.keys().next().value);
    }
    return texts;
  }

  /** Everything written about rollout `i`. */
  async texts(i) {
    let low = 0;
    let high = this.starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle] <= i) low = middle;
      else high = middle;
    }
    return (await this.block(low))[i - this.starts[low]];
  }

  /** What search looks in, a block at a time so that the page stays responsive. */
  async indexTexts(progress) {
    for (let number = 0; number < this.starts.length; number++) {
      const texts = await unpack(`texts-${this.number}-${number}`);
      for (const one of texts) {
        const parts = [this.columns.task[this.indexed], one.reference, one.answer, one.feedback];
        for (const [, text] of one.messages) parts.push(text);
        for (const [label, text] of one.notes) parts.push(label, text);
        this.search.push(parts.join("\n").toLowerCase());
        this.indexed++;
      }
      progress();
      await rest();
    }
  }
}

/** Lets the browser draw and take input. */
const rest = () => new Promise((resolve) => setTimeout(resolve));
