"""A small page to try the model: python app.py [PORT], then open http://127.0.0.1:8000. Needs Pillow."""

from __future__ import annotations

import io
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from model import FOLDER, Model

MOST_BYTES = 16 << 20  # of an upload
PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Try the model</title>
<style>body{font:18px system-ui;max-width:34rem;margin:2rem auto;padding:0 1rem}
img{max-width:100%;height:12rem;image-rendering:pixelated}td{padding:.2rem 1rem .2rem 0}
.samples img{height:3.5rem;cursor:pointer}</style>
<h1>Try the model</h1><p><input type="file" accept="image/*" id="file"> or click a test image:</p>
<p class="samples"></p><p><img id="shown" hidden></p><table id="answer"></table><p id="said"></p>
<script>
const $ = (id) => document.getElementById(id);
async function ask(blob) {
  $("shown").src = URL.createObjectURL(blob); $("shown").hidden = false;
  const found = await (await fetch("predict", {method: "POST", body: blob})).json();
  $("said").textContent = found.error || {
    "answered": "The answer is " + found.class + ".",
    "not sure": "Not sure: " + (found.among || []).join(" or ") + ".",
    "ask a person": "Ask a person.",
  }[found.decision] || "";
  $("answer").replaceChildren(...(found.likely || []).map(([name, value]) => {
    const row = document.createElement("tr");
    for (const text of [name, (100 * value).toFixed(1) + " %"]) row.insertCell().textContent = text;
    return row;
  }));
}
$("file").onchange = () => ask($("file").files[0]);
fetch("samples").then((r) => r.json()).then((names) => names.forEach((name) => {
  const image = document.createElement("img");
  image.src = "images/" + encodeURIComponent(name); image.alt = name;
  image.onclick = async () => ask(await (await fetch(image.src)).blob());
  document.querySelector(".samples").append(image);
}));
</script>"""


def samples() -> list[str]:
    return sorted(path.name for path in (FOLDER / "images").glob("*.png"))


class Handler(BaseHTTPRequestHandler):
    model: Model

    def do_GET(self) -> None:
        name = self.path.removeprefix("/images/")
        if self.path == "/":
            self._send(200, PAGE.encode(), "text/html; charset=utf-8")
        elif self.path == "/samples":
            self._send(200, json.dumps(samples()).encode(), "application/json")
        elif name in samples():  # a name of the list, so no path can leave the folder
            self._send(200, (FOLDER / "images" / name).read_bytes(), "image/png")
        else:
            self._send(404, b"not found", "text/plain")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/predict" or not 0 < length <= MOST_BYTES:
            self._send(400, b'{"error": "Send one image of at most 16 MB to /predict."}', "application/json")
            return
        try:
            image = self.model.read(io.BytesIO(self.rfile.read(length)))
            found = self.model.answer(self.model.probabilities(image[None])[0])
            self._send(200, json.dumps(found).encode(), "application/json")
        except Exception as error:  # a damaged image raises nearly anything in Pillow
            self._send(
                400, json.dumps({"error": f"The image cannot be read: {error}"}).encode(), "application/json"
            )

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    Handler.model = Model()
    port = int(sys.argv[1]) if sys.argv[1:] else 8000
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
