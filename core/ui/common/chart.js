// One chart: draws the figure it is given, and the next one into the same plot. See chart.py.

const AXIS = 52; // px below the plot that ticks and title of the x axis take
const ROW = 19; // px of one row of the legend
const ENTRY = 45; // px of an entry besides its text: the line, and the gap to the next entry
const HEIGHT = 340; // px of a figure that has none of its own
const ROWS = 12; // rows of the legend that are shown at once; it scrolls beyond
const FONT = 12;
const TOUCH = window.matchMedia("(hover: none)").matches; // there the toolbar would always cover the title
const ACROSS = 90; // px that an axis of parallel coordinates needs at least: a narrow page scrolls sideways

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".chart");
  place.figure = data.figure;
  place.clicked = data.clickable ? (point) => setTriggerValue("clicked", point) : null;
  // Room until plotly.js is there: what stands below would jump.
  if (!place.drawn) place.style.minHeight = `${JSON.parse(data.figure).layout.height ?? HEIGHT}px`;
  loaded(data.library).then(
    () => draw(place),
    (error) => (place.textContent = error.message),
  );
  if (place.watching) return place.end;

  const resized = new ResizeObserver(() => draw(place));
  resized.observe(place);
  const themed = new MutationObserver(() => draw(place));
  themed.observe(parentElement, { attributes: true, subtree: false });
  place.watching = true;
  place.end = () => {
    resized.disconnect();
    themed.disconnect();
  };
  return place.end;
}

// plotly.js, loaded once per page of the browser.
function loaded(address) {
  window.plotlyLoaded ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => {
      delete window.plotlyLoaded;
      reject(new Error("The chart cannot be drawn: plotly.js could not be loaded."));
    };
    document.head.append(script);
  });
  return window.plotlyLoaded;
}

function draw(place) {
  if (!window.Plotly || !place.isConnected || !place.clientWidth) return;
  const colours = theme(place);
  const full = document.fullscreenElement === place;
  const state = [place.figure, place.clientWidth, full && place.clientHeight, ...Object.values(colours)].join();
  if (state === place.drawn) return;
  place.drawn = state;
  const figure = JSON.parse(place.figure);
  const width = Math.max(place.clientWidth, widest(figure));
  place.style.overflowX = width > place.clientWidth ? "auto" : "";
  arrange(figure, width, full ? place.clientHeight - 32 : null, colours);
  place.setAttribute("role", "figure");
  place.setAttribute("aria-label", figure.layout.title?.text ?? "chart");
  window.Plotly.react(place, figure.data, figure.layout, {
    displaylogo: false,
    displayModeBar: TOUCH ? false : "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"],
    modeBarButtonsToAdd: [FULLSCREEN],
  });
  place.style.minHeight = "";
  place.classList.toggle("clickable", place.clicked !== null);
  if (place.listening) return;
  place.listening = true;
  place.on("plotly_click", ({ points: [point] }) => {
    place.clicked?.({ trace: point.curveNumber, at: point.pointIndex });
  });
}

// The width in px below which a figure cannot be read.
function widest({ data, layout }) {
  const axes = data.find((trace) => trace.type === "parcoords")?.dimensions.length ?? 0;
  return axes ? (axes - 1) * ACROSS + layout.margin.l + layout.margin.r : 0;
}

const FULLSCREEN = {
  name: "Fullscreen",
  title: "Fullscreen",
  icon: { width: 24, height: 24, path: "M5 14H3v7h7v-2H5zM3 10h2V5h5V3H3zm16 9h-5v2h7v-7h-2zM14 3v2h5v5h2V3z" },
  click: (place) => (document.fullscreenElement ? document.exitFullscreen() : place.requestFullscreen()),
};

function theme(place) {
  const style = getComputedStyle(place);
  const of = (name, otherwise) => style.getPropertyValue(`--st-${name}`).trim() || otherwise;
  return {
    text: of("text-color", "#31333F"),
    page: of("background-color", "#ffffff"),
    lines: of("border-color", "#d5d6d9"),
    font: of("font", "sans-serif"),
  };
}

// Gives a figure its size, its legend room of its own, and all of it the theme's colours. The plot keeps its
// height: the legend is added below the title of the x axis, or above the plot where long names of classes
// may stand below.
function arrange({ data, layout }, width, fullHeight, colours) {
  const margin = { l: 60, r: 20, t: 48, b: 48, ...layout.margin };
  const legend = legendOf(data, layout, width - margin.l - margin.r, colours.font);
  const height = legend ? legend.maxheight : 0;
  const above = layout.xaxis?.type === "category";
  const plot = fullHeight ? fullHeight - margin.t - AXIS - height : (layout.height ?? HEIGHT) - margin.t - margin.b;
  layout.width = width;
  layout.height = margin.t + plot + AXIS + height;
  layout.margin = { ...margin, t: margin.t + (above ? height : 0), b: AXIS + (above ? 0 : height) };
  layout.showlegend = legend !== null;
  if (legend) layout.legend = { ...layout.legend, ...legend, y: above ? 1 + height / plot : -AXIS / plot };

  layout.font = { color: colours.text, family: colours.font, size: FONT };
  layout.title = { ...layout.title, x: 0, xref: "paper", xanchor: "left", yref: "container", y: 1, pad: { t: 16 }, yanchor: "top" };
  layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
  layout.hoverlabel = { bgcolor: colours.page, bordercolor: colours.lines, font: { color: colours.text }, namelength: -1 };
  for (const [name, axis] of Object.entries(layout)) {
    if (!/^[xy]axis\d*$/.test(name)) continue;
    Object.assign(axis, { automargin: true, gridcolor: colours.lines, linecolor: colours.lines, zerolinecolor: colours.lines });
    if (axis.title) axis.title.standoff = 8;
  }
}

// The legend's layout, in rows as the width allows; null where there is none.
function legendOf(data, layout, room, font) {
  const named = data.filter((trace) => trace.name && trace.showlegend !== false);
  if (!named.length || !(layout.showlegend ?? named.length > 1)) return null;
  const entry = Math.min(Math.max(...named.map((trace) => measured(trace.name, font))), room - ENTRY);
  for (const trace of named) trace.name = shortened(trace.name, entry, font);
  const rows = Math.ceil(named.length / Math.max(1, Math.floor(room / (entry + ENTRY))));
  return {
    orientation: "h",
    x: 0,
    xanchor: "left",
    yanchor: "top",
    entrywidth: entry,
    font: { size: FONT },
    maxheight: Math.min(rows, ROWS) * ROW + 10,
  };
}

// Width in px of a text; names come escaped, as Plotly reads them.
function measured(name, font) {
  const pen = (measured.pen ??= document.createElement("canvas").getContext("2d"));
  pen.font = `${FONT}px ${font}`;
  return Math.ceil(pen.measureText(decoded(name)).width);
}

function shortened(name, width, font) {
  if (measured(name, font) <= width) return name;
  let text = decoded(name);
  while (text && measured(`${text}…`, font) > width) text = text.slice(0, -1);
  return `${encoded(text)}…`;
}

const decoded = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const encoded = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
