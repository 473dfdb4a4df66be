// Copies what the page takes from the rest of the project into public/, which is served as it is.

import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const project = join(here, "..");

const MODELS = ["face_detector/model.onnx", "lotr_s_68/model.onnx", "lotr_s_68/model.safetensors"];
const EXAMPLES = ["group", "astronaut", "rendered1", "rendered2", "rendered3", "rendered5"];

function copy(from, to) {
  if (!existsSync(from)) {
    console.error(`There is no ${from}.`);
    process.exit(1);
  }
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

for (const file of MODELS) {
  copy(join(project, "presets", file), join(here, "public/models", file.replace("/model", "")));
}
for (const name of EXAMPLES) {
  copy(join(project, "examples", `${name}.jpg`), join(here, "public/examples", `${name}.jpg`));
}
copy(join(project, "LICENSE"), join(here, "public/LICENSE"));
for (const name of ["licenses.md", "README.md"]) { // the README holds a Space's settings
  copy(join(here, name), join(here, "public", name));
}
