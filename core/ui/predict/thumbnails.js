// Images as buttons; a click names the one that was chosen. See thumbnails.py.

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".thumbnails");
  place.setAttribute("aria-label", data.label);
  const shown = JSON.stringify([data.images, data.sharp]); // with the pixels: datasets share numbers
  if (place.shown !== shown) {
    place.shown = shown;
    place.replaceChildren(...data.images.map((image) => button(image, data.sharp)));
  }
  for (const one of place.children) {
    one.setAttribute("aria-pressed", String(one.dataset.id === String(data.chosen)));
    one.onclick = () => setTriggerValue("picked", Number(one.dataset.id));
  }
}

function button({ id, source, name }, sharp) {
  const element = document.createElement("button");
  element.type = "button";
  element.dataset.id = id;
  element.title = name;
  element.setAttribute("aria-label", name);
  const image = document.createElement("img");
  image.src = source;
  image.alt = "";
  image.classList.toggle("sharp", sharp);
  element.append(image);
  return element;
}
