// Bundles the panel into nbflow/viz/static, or, with --check, compares with what is there.
// The same sources and the same esbuild (package-lock.json) give the same bytes.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const into = join(here, "..", "nbflow", "viz", "static");
const ENTRIES = { panel: "index.js", report: "report.js" };
const MOST = 120_000; // bytes of script; it is sent with every widget

/** The entries that there are, by the name of what they become. */
function entries() {
  const found = Object.entries(ENTRIES).map(([name, file]) => [name, join(here, "src", file)]);
  return Object.fromEntries(found.filter(([, file]) => existsSync(file)));
}

async function bundle(outdir) {
  const { metafile } = await build({
    entryPoints: entries(),
    outdir,
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    charset: "utf8",
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  return Object.entries(metafile.outputs).map(([file, { bytes }]) => ({ file: join(here, file), bytes }));
}

function compare(made, outdir) {
  const stale = made.map(({ file }) => relative(outdir, file)).filter((name) => {
    const committed = join(into, name);
    return !existsSync(committed) || !readFileSync(committed).equals(readFileSync(join(outdir, name)));
  });
  if (!stale.length) return console.log("nbflow/viz/static is what js/src gives.");
  console.error(`Out of date in nbflow/viz/static: ${stale.join(", ")}. Run \`make js\` and commit the result.`);
  process.exitCode = 1;
}

const check = process.argv.includes("--check");
const outdir = check ? mkdtempSync(join(tmpdir(), "nbflow-js-")) : into;
const made = await bundle(outdir);
for (const { file, bytes } of made) {
  console.log(`${relative(outdir, file)}: ${(bytes / 1000).toFixed(1)} kB`);
  if (bytes > MOST) {
    console.error(`${relative(outdir, file)} is over ${MOST / 1000} kB: it is sent with every widget.`);
    process.exitCode = 1;
  }
}
if (check) {
  compare(made, outdir);
  rmSync(outdir, { recursive: true });
}
