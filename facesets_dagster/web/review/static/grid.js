// @ts-check
/**
 * A grid of any number of tiles of one size, of which only those near the screen are in the document. Rows that leave
 * the screen are used again for those that come; the row with the focus stays.
 *
 * Follows the ARIA grid pattern: one tile can be reached by Tab, arrows move from one to the next.
 */

const BUFFER = 3; // rows above and below the screen

/**
 * @typedef {object} Options
 * @property {string} label what the grid is called
 * @property {number} width least width of a tile, px
 * @property {number} height of a tile, px
 * @property {() => HTMLElement} make an empty tile's content
 * @property {(content: HTMLElement, index: number, cell: HTMLElement) => void} draw fills the tile
 * @property {(index: number) => void} open Enter, or a double click
 * @property {"click" | "mark"} [selects] several tiles can be selected: by a click, or by one on their `.mark`
 * @property {() => void} [selected] the selection is another one
 */

export class Grid {
  /** @param {HTMLElement} host @param {Options} options */
  constructor(host, options) {
    this.host = host;
    this.options = options;
    this.count = 0;
    this.columns = 1;
    this.active = 0;
    this.anchor = 0;
    /** @type {Set<number>} */
    this.chosen = new Set();
    /** @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    /** @type {HTMLElement[]} */
    this.spare = [];
    this.frame = 0;
    host.classList.add("grid");
    host.setAttribute("role", "grid");
    host.setAttribute("aria-label", options.label);
    if (options.selects) host.setAttribute("aria-multiselectable", "true");
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("click", (event) => this.click(event));
    host.addEventListener("dblclick", (event) => this.doubleClick(event));
    host.addEventListener("focusin", (event) => this.focused(event));
    addEventListener("scroll", () => this.later(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(/** @type {HTMLElement} */ (host.parentElement));
  }

  /** Shows so many tiles anew, none of them selected. @param {number} count */
  setCount(count) {
    this.count = count;
    this.chosen.clear();
    this.active = Math.max(0, Math.min(this.active, count - 1));
    this.host.hidden = count === 0;
    this.host.setAttribute("aria-rowcount", String(Math.ceil(count / this.columns)));
    this.layout(true);
    this.options.selected?.();
  }

  /** Draws the tiles that are in the document again. */
  redraw() {
    for (const [row, element] of this.rows) this.fill(element, row);
  }

  layout(again = false) {
    const columns = Math.max(1, Math.floor(this.host.clientWidth / this.options.width));
    if (columns !== this.columns || again) {
      this.columns = columns;
      for (const element of this.rows.values()) this.recycle(element);
      this.rows.clear();
    }
    const rows = Math.ceil(this.count / this.columns);
    this.host.style.height = `${rows * this.options.height}px`;
    this.host.setAttribute("aria-rowcount", String(rows));
    this.host.setAttribute("aria-colcount", String(this.columns));
    this.draw();
  }

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const top = -this.host.getBoundingClientRect().top;
    const last = Math.ceil(this.count / this.columns) - 1;
    const from = Math.max(0, Math.floor(top / this.options.height) - BUFFER);
    const to = Math.min(last, Math.ceil((top + innerHeight) / this.options.height) + BUFFER);
    const kept = Math.floor(this.active / this.columns);
    for (const [row, element] of this.rows) {
      if ((row < from || row > to) && (row !== kept || row > last)) {
        this.recycle(element);
        this.rows.delete(row);
      }
    }
    for (let row = from; row <= to; row++) if (!this.rows.has(row)) this.add(row);
    if (kept <= last && this.count && !this.rows.has(kept)) this.add(kept);
    while (this.spare.length > 2 * BUFFER) this.spare.pop()?.remove();
  }

  /** @param {HTMLElement} element */
  recycle(element) {
    element.hidden = true;
    this.spare.push(element);
  }

  /** @param {number} row */
  add(row) {
    const element = this.spare.pop() ?? this.host.appendChild(document.createElement("div"));
    element.hidden = false;
    element.className = "grid-row";
    element.setAttribute("role", "row");
    element.setAttribute("aria-rowindex", String(row + 1));
    element.style.transform = `translateY(${row * this.options.height}px)`;
    element.style.height = `${this.options.height}px`;
    element.style.gridTemplateColumns = `repeat(${this.columns}, minmax(0, 1fr))`;
    while (element.children.length > this.columns) element.lastElementChild?.remove();
    while (element.children.length < this.columns) element.append(this.cell());
    this.rows.set(row, element);
    this.fill(element, row);
  }

  cell() {
    const cell = document.createElement("div");
    cell.setAttribute("role", "gridcell");
    cell.className = "tile";
    cell.append(this.options.make());
    return cell;
  }

  /** @param {HTMLElement} element @param {number} row */
  fill(element, row) {
    [...element.children].forEach((child, column) => {
      const cell = /** @type {HTMLElement} */ (child);
      const index = row * this.columns + column;
      cell.hidden = index >= this.count;
      if (cell.hidden) return;
      cell.dataset.index = String(index);
      cell.setAttribute("aria-colindex", String(column + 1));
      cell.tabIndex = index === this.active ? 0 : -1;
      if (this.options.selects) cell.setAttribute("aria-selected", String(this.chosen.has(index)));
      this.options.draw(/** @type {HTMLElement} */ (cell.firstElementChild), index, cell);
    });
  }

  /** @param {number} index @returns {HTMLElement | null} */
  at(index) {
    const row = this.rows.get(Math.floor(index / this.columns));
    return /** @type {HTMLElement | null} */ (row?.children[index % this.columns] ?? null);
  }

  /** Makes a tile the one that Tab reaches. @param {number} index */
  activate(index) {
    const before = this.at(this.active);
    if (before) before.tabIndex = -1;
    this.active = index;
    const now = this.at(index);
    if (now) now.tabIndex = 0;
  }

  /** Moves the focus to a tile, and the screen to it. @param {number} index @param {boolean} [scrolls] */
  focus(index, scrolls = true) {
    if (this.count === 0) return;
    this.activate(Math.max(0, Math.min(index, this.count - 1)));
    this.draw();
    const cell = this.at(this.active);
    cell?.focus({ preventScroll: true });
    if (scrolls) cell?.scrollIntoView({ block: "nearest" });
  }

  /** The selected tiles, or the one with the focus. @returns {number[]} */
  picked() {
    if (this.chosen.size) return [...this.chosen].sort((one, other) => one - other);
    return this.host.contains(document.activeElement) ? [this.active] : [];
  }

  /** @param {Iterable<number>} indexes */
  choose(indexes) {
    this.chosen = new Set(indexes);
    this.redraw();
    this.options.selected?.();
  }

  /** @param {number} from @param {number} to */
  chooseTo(from, to) {
    const [low, high] = [Math.min(from, to), Math.max(from, to)];
    this.choose(Array.from({ length: high - low + 1 }, (_, place) => low + place));
  }

  /** @param {number} index */
  toggle(index) {
    const next = new Set(this.chosen);
    if (!next.delete(index)) next.add(index);
    this.anchor = index;
    this.choose(next);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const page = Math.max(1, Math.floor(innerHeight / this.options.height) - 1) * this.columns;
    /** @type {Record<string, number>} */
    const steps = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: this.columns,
      ArrowUp: -this.columns,
      PageDown: page,
      PageUp: -page,
    };
    const { key } = event;
    if (event.altKey || event.metaKey || event.isComposing) return;
    if (key in steps || key === "Home" || key === "End") {
      const to = key === "Home" ? 0 : key === "End" ? this.count - 1 : this.active + steps[key];
      if (to < 0 || to >= this.count) return event.preventDefault();
      if (this.options.selects && event.shiftKey) this.chooseTo(this.anchor, to);
      else this.anchor = to;
      this.focus(to);
    } else if (key === "Enter") {
      this.options.open(this.active);
    } else if (key === " " && this.options.selects) {
      this.toggle(this.active);
    } else if (key === "a" && event.ctrlKey && this.options.selects) {
      this.chooseTo(0, this.count - 1);
    } else return;
    event.preventDefault();
  }

  /** @param {Event} event @returns {number | null} */
  index(event) {
    const cell = /** @type {HTMLElement} */ (event.target).closest(".tile");
    return cell instanceof HTMLElement && cell.dataset.index ? Number(cell.dataset.index) : null;
  }

  /** @param {MouseEvent} event */
  click(event) {
    const index = this.index(event);
    if (index === null || !this.options.selects) return;
    const marked = /** @type {HTMLElement} */ (event.target).closest(".mark") !== null;
    if (this.options.selects === "mark" && !marked) return;
    event.preventDefault();
    if (event.shiftKey) this.chooseTo(this.anchor, index);
    else this.toggle(index);
    this.focus(index);
  }

  /** @param {MouseEvent} event */
  doubleClick(event) {
    const index = this.index(event);
    if (index !== null && this.options.selects === "click") this.options.open(index);
  }

  /** @param {FocusEvent} event */
  focused(event) {
    const index = this.index(event);
    if (index !== null) this.activate(index);
  }
}
