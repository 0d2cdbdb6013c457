/** Build every view, and the page that runs views without Jupyter, into src/residscope/static. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const OUT = "src/residscope/static";
const MOST_BYTES = 72 * 1024;
const MOST_GZIPPED = 28 * 1024;
/** Of what draws any quantity, for all views without a canvas of their own, which load it once. */
const COMMON = { bytes: 90 * 1024, gzipped: 36 * 1024 };

const views = readNames("js/views", ".tsx");
mkdirSync(OUT, { recursive: true });

await build({
  entryPoints: [...views.map((name) => `js/views/${name}.tsx`), "js/host/host.ts"],
  outdir: OUT,
  entryNames: "[name]",
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
});

const built = [...views, "host"];
for (const file of readdirSync(OUT)) {
  if (!built.includes(file.replace(/\.\w+$/, ""))) rmSync(join(OUT, file));
}

let tooLarge = false;
for (const name of built) {
  const files = [`${name}.js`, `${name}.css`].map((file) => join(OUT, file)).filter(existsSync);
  const content = Buffer.concat(files.map((file) => readFileSync(file)));
  const zipped = gzipSync(content, { level: 9 }).length;
  const most = name === "view" ? COMMON : { bytes: MOST_BYTES, gzipped: MOST_GZIPPED };
  const over = name !== "host" && (content.length > most.bytes || zipped > most.gzipped);
  tooLarge ||= over;
  const sizes = `${kb(content.length)} minified, ${kb(zipped)} gzipped`;
  console.log(`${name.padEnd(20)} ${sizes}${over ? "  TOO LARGE" : ""}`);
}
if (tooLarge) process.exit(1);

function readNames(folder, ending) {
  const files = readdirSync(folder).filter((file) => file.endsWith(ending));
  return files.map((file) => basename(file, ending)).sort();
}

function kb(bytes) {
  return `${(bytes / 1024).toFixed(1)} KB`.padStart(8);
}
