// Rules of WCAG 2.2 AA that a program can see. Returns one sentence for each breach.
() => {
  const breaches = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true }) && node.getClientRects().length > 0;
  const describe = (node) => `<${node.tagName.toLowerCase()}${node.id ? ` id=${node.id}` : ""}> "${node.textContent.trim().slice(0, 30)}"`;
  const breach = (rule, node) => breaches.push(`${rule}: ${describe(node)}`);

  const textOf = (ids) => ids.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
  function nameOf(node) {
    const labels = node.labels ? [...node.labels].map((label) => label.textContent).join(" ").trim() : "";
    const labelled = node.getAttribute("aria-labelledby");
    return (labelled ? textOf(labelled) : "") || node.getAttribute("aria-label") || labels || (node.matches("select, input") ? "" : node.textContent.trim());
  }

  // Landmarks, headings, language.
  for (const landmark of ["body > header", "body > footer", "main", "h1"]) {
    if (all(landmark).length !== 1) breaches.push(`there is one ${landmark}: ${all(landmark).length}`);
  }
  all("nav").filter((nav) => !nameOf(nav)).forEach((nav) => breach("a navigation has a name", nav));
  all("section").filter((section) => !section.hasAttribute("aria-labelledby")).forEach((section) => breach("a section has a heading", section));
  const headings = all("h1, h2, h3, h4").map((heading) => Number(heading.tagName[1]));
  headings.forEach((level, index) => { if (index > 0 && level > headings[index - 1] + 1) breaches.push(`headings skip no level: h${level}`); });
  if (!document.documentElement.lang) breaches.push("the page has a language");
  if (all("[aria-live=assertive], [role=alert]").length) breaches.push("nothing interrupts a screen reader");

  // Ids and references to them.
  const ids = all("[id]").map((node) => node.id);
  ids.filter((id, index) => ids.indexOf(id) !== index).forEach((id) => breaches.push(`ids are unique: ${id}`));
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    all(`[${attribute}]`).filter((node) => !textOf(node.getAttribute(attribute)) && attribute !== "aria-describedby").forEach((node) => breach(`${attribute} leads to a text`, node));
    all(`[${attribute}]`).filter((node) => node.getAttribute(attribute).split(" ").some((id) => !document.getElementById(id))).forEach((node) => breach(`${attribute} leads somewhere`, node));
  }

  // Controls.
  const controls = all("a[href], button, select, input, summary, [tabindex='0'], [role=slider]").filter(shown);
  controls.filter((node) => !nameOf(node)).forEach((node) => breach("a control has a name", node));
  controls.filter((node) => node.tabIndex < 0).forEach((node) => breach("a control is reached by keyboard", node));
  controls.filter((node) => node.tabIndex > 0).forEach((node) => breach("the order of the page is that of the keyboard", node));
  all("[role=slider]").filter((node) => !["aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-valuetext"].every((name) => node.hasAttribute(name))).forEach((node) => breach("a slider tells its value", node));
  all("button, select, nav a").filter(shown).filter((node) => Math.min(node.getBoundingClientRect().width, node.getBoundingClientRect().height) < 24).forEach((node) => breach("a target has 24 pixels", node));

  // Pictures and tables.
  all("svg, canvas, img").filter((node) => node.getAttribute("aria-hidden") !== "true" && !nameOf(node)).forEach((node) => breach("a picture has a name or is hidden", node));
  for (const table of all("table")) {
    if (!table.caption?.textContent.trim()) breach("a table has a caption", table);
    [...table.querySelectorAll("th")].filter((header) => !header.scope).forEach((header) => breach("a header cell says what of", header));
    [...table.tBodies[0].rows].filter((row) => row.cells[0].tagName !== "TH").forEach((row) => breach("a row has a header", row));
  }

  // Contrast, from the computed styles.
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [red, green, blue] = [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  };
  const groundOf = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const node = text.parentElement;
    if (!text.data.trim() || !shown(node) || node.closest(":disabled, option, noscript, script")) continue;
    const style = getComputedStyle(node);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = contrast(channels(node.closest("svg") ? style.fill : style.color), groundOf(node));
    if (ratio < (large ? 3 : 4.5)) breach(`text has contrast, not ${ratio.toFixed(2)}`, node);
  }
  for (const node of all("button:not(:disabled):not(.row-button), select, .swatch").filter(shown)) {
    const ratio = contrast(channels(getComputedStyle(node).borderTopColor), groundOf(node.parentElement));
    if (ratio < 3) breach(`the edge of a control has contrast, not ${ratio.toFixed(2)}`, node);
  }
  for (const line of all(".line, .series line").filter(shown)) {
    const ratio = contrast(channels(getComputedStyle(line).stroke), groundOf(line.closest(".card")));
    if (ratio < 3) breach(`a line has contrast, not ${ratio.toFixed(2)}`, line);
  }

  return breaches;
}
