// A square to draw on with a mouse, a pen or a finger; the pixels go to Python after each stroke. See draw.py.

const SIDE = 280; // px of the drawing, whatever its size on the page
const WIDTH = 20; // px of a stroke

export default function ({ data, parentElement, setStateValue }) {
  const place = parentElement.querySelector(".drawing");
  const [canvas] = place.getElementsByTagName("canvas");
  place.send = (pixels) => setStateValue("drawn", pixels);
  if (!place.pen) begin(place, canvas);
  if (place.dark !== data.dark) {
    const drawn = place.dark !== undefined;
    place.dark = data.dark;
    clear(place, canvas);
    if (drawn) place.send(""); // else the models would answer for strokes that are gone
  }
}

function begin(place, canvas) {
  canvas.width = canvas.height = SIDE;
  place.pen = canvas.getContext("2d", { willReadFrequently: true });
  let last = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  };
  const line = (event) => {
    for (const one of event.getCoalescedEvents?.() ?? [event]) {
      const here = at(one);
      place.pen.beginPath();
      place.pen.moveTo(...last);
      place.pen.lineTo(...here);
      place.pen.stroke();
      last = here;
    }
  };
  canvas.onpointerdown = (event) => {
    if (!event.isPrimary || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
    line(event);
    event.preventDefault();
  };
  canvas.onpointermove = (event) => {
    if (last && event.isPrimary) line(event);
  };
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (!last || !event.isPrimary) return;
    last = null;
    place.send(pixels(place.pen, place.dark));
  };
  place.querySelector("button").onclick = () => {
    clear(place, canvas);
    place.send("");
  };
}

function clear(place, canvas) {
  place.pen.fillStyle = place.dark ? "black" : "white";
  place.pen.fillRect(0, 0, SIDE, SIDE);
  place.pen.strokeStyle = place.dark ? "white" : "black";
  place.pen.lineWidth = WIDTH;
  place.pen.lineCap = place.pen.lineJoin = "round";
  canvas.classList.toggle("dark", place.dark);
}

// One byte a pixel at half the size, row by row, in base64: the ink, whichever colour it has.
function pixels(pen, dark) {
  const half = document.createElement("canvas");
  half.width = half.height = SIDE / 2;
  const small = half.getContext("2d");
  small.drawImage(pen.canvas, 0, 0, SIDE / 2, SIDE / 2);
  const { data } = small.getImageData(0, 0, SIDE / 2, SIDE / 2);
  let text = "";
  for (let i = 0; i < data.length; i += 4) text += String.fromCharCode(dark ? data[i] : 255 - data[i]);
  return btoa(text);
}
