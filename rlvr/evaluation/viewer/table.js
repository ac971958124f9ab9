// A table of any number of rows, of which only those in sight are elements.

const ROW = 30; // pixels; the style has the same

class VirtualTable {
  /**
   * `columns`: [{name, label, className, cell(item), sort?(item)}]; `open(item)` when a row is
   * chosen; `title(item)` names a row for a screen reader.
   */
  constructor({ label, columns, open, sorted = () => {} }) {
    this.columns = columns;
    this.open = open;
    this.items = [];
    this.selected = -1;
    this.id = "table-" + VirtualTable.made++;
    const heads = columns.map((column) => this.head(column, sorted));
    this.body = el("tbody");
    this.table = el(
      "table.virtual",
      { role: "grid", "aria-label": label, tabIndex: 0 },
      el("thead", {}, el("tr", { "aria-rowindex": 1 }, ...heads)),
      this.body,
    );
    this.host = el("div.scroll", {}, this.table);
    this.host.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(this.host);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-at]");
      if (row) this.choose(Number(row.dataset.at));
    });
  }

  head(column, sorted) {
    const cell = el("th." + column.className, { scope: "col" });
    if (!column.sort) cell.append(column.label);
    else cell.append(el("button", { type: "button", onclick: () => sorted(column) }, column.label));
    column.headCell = cell;
    return cell;
  }

  /** Shows by the columns' heads what the rows are sorted by. */
  mark(name, down) {
    for (const column of this.columns) {
      if (column.name === name) column.headCell.ariaSort = down ? "descending" : "ascending";
      else column.headCell.removeAttribute("aria-sort");
    }
  }

  /** New rows. The selected item stays selected where it's still there. */
  set(items) {
    const item = this.items[this.selected];
    this.items = items;
    this.selected = item === undefined ? -1 : items.indexOf(item);
    this.table.ariaRowCount = items.length + 1;
    if (this.selected < 0) this.host.scrollTop = 0;
    else this.reveal();
    this.draw();
  }

  soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    const sight = Math.ceil((this.host.clientHeight || 600) / ROW);
    const first = Math.max(0, Math.floor(this.host.scrollTop / ROW) - 10);
    const last = Math.min(this.items.length, first + sight + 20);
    const rows = [this.space(first)];
    for (let at = first; at < last; at++) rows.push(this.row(at));
    rows.push(this.space(this.items.length - last));
    this.body.replaceChildren(...rows);
    const active = this.selected >= first && this.selected < last;
    if (active) this.table.setAttribute("aria-activedescendant", `${this.id}-${this.selected}`);
    else this.table.removeAttribute("aria-activedescendant");
  }

  space(rows) {
    const row = el("tr", { ariaHidden: "true" });
    row.style.height = rows * ROW + "px";
    return row;
  }

  row(at) {
    const item = this.items[at];
    const cells = this.columns.map((column) => el("td." + column.className, {}, column.cell(item)));
    const row = el("tr", { id: `${this.id}-${at}` }, ...cells);
    row.dataset.at = at;
    row.setAttribute("aria-rowindex", at + 2);
    row.ariaSelected = String(at === this.selected);
    return row;
  }

  /** Selects a row and opens it; with `focus`, what was opened gets that. */
  choose(at, focus = false) {
    this.select(at);
    if (this.items.length) this.open(this.items[this.selected], focus);
  }

  select(at) {
    this.selected = Math.max(0, Math.min(at, this.items.length - 1));
    this.reveal();
    this.draw();
  }

  /** Scrolls so that the selected row is in sight. */
  reveal() {
    const head = this.table.tHead.offsetHeight;
    const top = this.selected * ROW;
    const sight = this.host.clientHeight - head;
    if (top < this.host.scrollTop) this.host.scrollTop = top;
    else if (top + ROW > this.host.scrollTop + sight) this.host.scrollTop = top + ROW - sight;
  }
}
VirtualTable.made = 0;
