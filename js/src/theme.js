// The colours that the page has just now, for what is painted on a canvas.

const NAMES = ["ink", "faint", "paper", "rule", "focus", "edge", "bad", "match"];

/** Reads the panel's colours when asked, and says when they have changed. */
export class Theme {
  constructor(root, changed) {
    this.root = root;
    this.known = null;
    this.count = 0;
    const again = () => {
      this.known = null;
      this.count++;
      changed();
    };
    this.heard = () => {
      again();
      clearTimeout(this.timer);
      this.timer = setTimeout(again, 350); // the stylesheet of a new theme comes later than its name
    };
    this.watcher = new MutationObserver(this.heard);
    const attributeFilter = ["class", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"];
    for (const element of [document.documentElement, document.body]) this.watcher.observe(element, { attributeFilter });
    this.scheme = globalThis.matchMedia?.("(prefers-color-scheme: dark)");
    this.scheme?.addEventListener?.("change", this.heard);
  }

  /** The colours, as the canvas takes them. Only of use while the panel is on the page. */
  read() {
    if (this.known) return this.known;
    const probe = document.createElement("i"), found = {};
    probe.hidden = true;
    this.root.append(probe);
    for (const name of NAMES) {
      probe.style.color = `var(--nbf-${name})`;
      found[name] = getComputedStyle(probe).color || "#888";
    }
    probe.remove();
    found.dark = light(found.paper) < light(found.ink);
    if (this.root.isConnected) this.known = found;
    return found;
  }

  close() {
    clearTimeout(this.timer);
    this.watcher.disconnect();
    this.scheme?.removeEventListener?.("change", this.heard);
  }
}

const light = (color) => (color.match(/[\d.]+/g) ?? []).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
