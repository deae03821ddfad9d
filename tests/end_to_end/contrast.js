// Texts on the page whose contrast is below WCAG AA, by ratio, place and colours; icons and large text need 3:1.
() => {
  const parse = (text) => {
    const canvas = (parse.pen ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true }));
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3])).concat(1);
  const lies = (inner, outer) => {
    const x = (inner.left + inner.right) / 2, y = (inner.top + inner.bottom) / 2;
    return outer.left <= x && x <= outer.right && outer.top <= y && y <= outer.bottom;
  };
  const behind = (element) => {
    const layers = [];
    let shown = element.getBoundingClientRect(); // an ancestor may have it beside itself, as a slider's thumb its value
    for (let one = element; one; one = one.parentElement) {
      const style = getComputedStyle(one), colour = parse(style.backgroundColor), box = one.getBoundingClientRect();
      if (style.overflow !== "visible") shown = box; // what is scrolled is seen in the box that scrolls
      if (colour[3] === 0 || !lies(shown, box)) continue;
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
  };
  const luminance = (c) => c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement, text = node.textContent.trim();
    if (!text || !element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
    if (element.closest("script, style, noscript, [disabled], [aria-disabled=true], [aria-hidden=true], canvas")) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const style = getComputedStyle(element), svg = element.closest("svg");
    let colour = parse(svg ? style.fill : style.color);
    let opacity = 1; for (let one = element; one; one = one.parentElement) opacity *= getComputedStyle(one).opacity;
    colour[3] *= opacity;
    const page = behind(svg ? svg.parentElement : element);
    const [a, b] = [luminance(over(colour, page)), luminance(page)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const icon = element.closest("[data-testid=stIconMaterial]");
    const needed = icon || size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < needed) { const k = [ratio.toFixed(2), element.closest("[data-testid]")?.dataset.testid, element.tagName, style.color, page.map(Math.round).join()].join(" | "); (found[k] ??= []).push(text.slice(0, 40)); }
  }
  return found;
}
