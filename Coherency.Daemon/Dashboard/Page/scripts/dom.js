// Small helpers for elements that are updated in place, so that focus and selection survive an update.

const svgNamespace = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

/** Makes an element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(svgNamespace, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    node.setAttribute(name, value);
  }

  node.append(...children);
  return node;
}

/** Changes a text only if it differs. */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/** Makes the children of `parent` those of `items`, in their order, and keeps the child of a key that stays. */
export function reconcile(parent, items, keyOf, make, update) {
  const wanted = new Map(items.map((item) => [keyOf(item), item]));
  const present = new Map();
  for (const child of [...parent.children]) {
    if (wanted.has(child.dataset.key)) {
      present.set(child.dataset.key, child);
    } else {
      child.remove();
    }
  }

  let place = parent.firstElementChild;
  for (const [key, item] of wanted) {
    const child = present.get(key) ?? make(item);
    child.dataset.key = key;
    if (child === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(child, place);
    }

    update(child, item);
  }
}

/** A row of a table that stacks on narrow screens: a header cell, then cells with the labels of their columns. */
export function stackingRow(labels) {
  const header = element("th", { role: "rowheader", scope: "row" });
  const cells = labels.map(([label, kind]) => element("td", { role: "cell", "data-label": label, class: kind ?? "" }));
  return element("tr", { role: "row" }, header, ...cells);
}

/** Makes the options of a select those of `values`; an option that was there before them stays. */
export function setOptions(select, values, fixed = 0) {
  const present = [...select.options].slice(fixed).map((option) => option.value);
  if (present.length === values.length && present.every((value, index) => value === values[index])) {
    return;
  }

  const chosen = select.value;
  select.replaceChildren(...[...select.options].slice(0, fixed), ...values.map((value) => new Option(value, value)));
  if (chosen === "" || values.includes(chosen)) {
    select.value = chosen || select.options[0]?.value || "";
  }
}
