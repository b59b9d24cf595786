// Paints the grid of cells and finds the cell under a point.

const gap = 1;

export class HeatCanvas {
  #canvas;
  #columns = 1;
  #cell = 1;
  #colours = [];

  constructor(canvas) {
    this.#canvas = canvas;
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(document.documentElement);
    this.#colours = ["--heat-never", "--heat-earlier", "--heat-1", "--heat-2", "--heat-3", "--heat-4", "--heat-5", "--text"].map((name) => style.getPropertyValue(name));
  }

  get columns() {
    return this.#columns;
  }

  /** @param levelOf Gives the colour of a cell. @param chosen A cell with a frame, or null. */
  paint(cells, levelOf, chosen) {
    const width = this.#canvas.clientWidth;
    this.#arrange(width, cells);
    const rows = Math.ceil(cells / this.#columns);
    const scale = devicePixelRatio;
    const height = rows * this.#cell;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    for (let index = 0; index < cells; index++) {
      context.fillStyle = this.#colours[levelOf(index)];
      context.fillRect(...this.#corner(index), this.#cell - gap, this.#cell - gap);
    }

    if (chosen !== null) {
      const [x, y] = this.#corner(chosen);
      context.strokeStyle = this.#colours.at(-1);
      context.lineWidth = 2;
      context.strokeRect(x - 1, y - 1, this.#cell + 1, this.#cell + 1);
    }
  }

  /** The cell under a pointer; null beside the grid. */
  cellAt(event, cells) {
    const box = this.#canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.#cell);
    const index = Math.floor((event.clientY - box.top) / this.#cell) * this.#columns + column;
    return column >= 0 && column < this.#columns && index >= 0 && index < cells ? index : null;
  }

  /** A power of two of columns, about twice as many as rows where there is room. */
  #arrange(width, cells) {
    const wanted = Math.sqrt(cells * (width < 480 ? 1 : 2));
    this.#columns = 2 ** Math.round(Math.log2(wanted));
    this.#cell = width / this.#columns;
  }

  #corner(index) {
    return [(index % this.#columns) * this.#cell, Math.floor(index / this.#columns) * this.#cell];
  }
}
