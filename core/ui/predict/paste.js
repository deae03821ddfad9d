// Gives images that are pasted anywhere on the page to its uploader, so that its limits hold. See paste.py.

export default function ({ parentElement }) {
  const place = parentElement.querySelector(".paste");
  const [button] = place.getElementsByTagName("button");
  const [said] = place.getElementsByTagName("span");
  const say = (text) => (said.textContent = text);
  button.onclick = () => fromClipboard().then((files) => upload(files, say), () => say(REFUSED));
  if (place.end) return place.end;
  const paste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    upload(files, say);
  };
  document.addEventListener("paste", paste);
  place.end = () => document.removeEventListener("paste", paste);
  return place.end;
}

const REFUSED = "The browser does not let this page read the clipboard: press Ctrl+V instead.";

// The images on the clipboard; the browser asks the visitor once.
async function fromClipboard() {
  const items = await navigator.clipboard.read();
  const found = [];
  for (const item of items) {
    const type = item.types.find((one) => one.startsWith("image/"));
    if (type) found.push(new File([await item.getType(type)], `pasted.${type.slice(6)}`, { type }));
  }
  return found;
}

// Streamlit's uploader takes what its input is given, as if it had been chosen there.
function upload(files, say) {
  const input = document.querySelector('[data-testid="stFileUploader"] input[type="file"]');
  if (!files.length || !input) {
    say("There is no image on the clipboard.");
    return;
  }
  say("");
  const chosen = new DataTransfer();
  for (const file of files) chosen.items.add(file);
  input.files = chosen.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}
