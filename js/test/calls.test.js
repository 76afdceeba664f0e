import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallsTab } from "../src/calls.js";
import { Frame, noteCanvas, press, type } from "./frame.js";
import { Model, S, made } from "./made.js";

let frame, tab;

beforeEach(() => {
  vi.useFakeTimers();
  noteCanvas();
});

afterEach(() => vi.useRealTimers());

function shown(run, options) {
  frame = new Frame(new Model(run, options), [CallsTab]);
  [tab] = frame.parts;
  frame.frame();
}

/** Let the pause between two orders go by, and draw. */
function later() {
  vi.advanceTimersByTime(2000);
  frame.frame();
}

const rows = () => [...tab.list.body.children].sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex"));
const column = (name) => rows().map((row) => row.querySelector(`[data-column="${name}"]`).textContent);
const header = (name) => tab.headers.get(name);
const order = (name) => {
  header(name).press.click();
  frame.frame();
};

describe("the table", () => {
  it("has only the rows in sight on the page, however many there are", () => {
    shown(made({ count: 100_000, mean: 0.01 }));
    expect(tab.list.body.children.length).toBeLessThan(40);
    expect([tab.told.textContent, tab.list.box.getAttribute("aria-rowcount")]).toEqual(["100,000 calls", "100001"]);
    tab.list.top = 50_000 * 26;
    tab.list.draw();
    expect(rows().some((row) => row.dataset.call === "50000")).toBe(true);
    expect(tab.list.body.children.length).toBeLessThan(40);
  }, 20_000);

  it("says all of a call in its row", () => {
    shown(made({ count: 8, failing: 0.9, seed: 3 }));
    const [first] = rows(), { label } = frame.store;
    expect(column("id")[0]).toBe(label.call(frame.store, 0));
    expect(column("status")[0]).toBe("failed");
    expect(column("attempts")[0]).toBe("↻ 3");
    expect(column("worker")[0]).toMatch(/^worker-\d$/);
    expect(column("ran")[0]).toMatch(/\d (ms|s)$/);
    expect(first.querySelector("[data-column=status] svg")).not.toBeNull();
  });

  it("is ordered by a click on a header: up, down, and as asked", () => {
    shown(made({ count: 30, seed: 6 }));
    const asked = column("id");
    order("ran");
    const { read } = tab.source, up = tab.rows.map((row) => read.ran(row));
    expect(up).toEqual([...up].sort((a, b) => a - b));
    expect(header("ran").cell.getAttribute("aria-sort")).toBe("ascending");
    order("ran");
    expect(tab.rows.map((row) => read.ran(row))).toEqual([...up].reverse());
    expect(header("ran").cell.getAttribute("aria-sort")).toBe("descending");
    order("ran");
    expect(column("id")).toEqual(asked);
    expect(header("ran").cell.getAttribute("aria-sort")).toBe("none");
  });

  it("is filtered by words and by chips, and says how many are left", () => {
    shown(made({ count: 60, failing: 0.5, seed: 8 }));
    const failed = frame.store.model.run.calls.filter(({ status }) => status === S.failed).length;
    expect(failed).toBeGreaterThan(0);
    type(tab.search, "status:failed");
    frame.frame();
    expect(tab.told.textContent).toBe(`${failed} of 60 calls`);
    press(tab.search, "Escape");
    frame.frame();
    expect([tab.told.textContent, tab.search.value]).toEqual(["60 calls", ""]);
    const chip = () => tab.chips.querySelector("[data-status=failed]");
    chip().click();
    frame.frame();
    expect([tab.told.textContent, chip().getAttribute("aria-pressed")]).toEqual([`${failed} of 60 calls`, "true"]);
    chip().click();
    type(tab.search, "no such call");
    frame.frame();
    expect([tab.empty.hidden, tab.empty.textContent]).toEqual([false, "No row fits this filter."]);
  });

  it("has one row for each attempt on demand", () => {
    shown(made({ count: 20, failing: 0.5, seed: 8 }));
    const { bars } = frame.store.model.run;
    tab.attempts.click();
    frame.frame();
    expect(tab.told.textContent).toBe(`${bars.length} attempts`);
    expect(bars.length).toBeGreaterThan(20);
    expect(column("attempts")[0]).toBe("1");
  });

  it("selects by click and by keys, which the notebook does not see", () => {
    shown(made({ count: 40 }));
    rows()[2].firstChild.click();
    frame.frame();
    expect([frame.selected, rows()[2].getAttribute("aria-selected")]).toEqual([2, "true"]);
    const heard = vi.fn(), grid = tab.list.box;
    document.body.addEventListener("keydown", heard);
    press(grid, "ArrowDown");
    expect(frame.selected).toBe(3);
    press(grid, "End");
    expect(frame.selected).toBe(39);
    press(grid, "PageUp");
    expect(frame.selected).toBeLessThan(39);
    press(grid, "Home");
    press(grid, "ArrowUp");
    frame.frame();
    expect([frame.selected, grid.getAttribute("aria-activedescendant")]).toEqual([0, rows()[0].id]);
    press(grid, "x");
    press(grid, "Escape");
    expect(frame.selected).toBeNull();
    expect(heard).not.toHaveBeenCalled();
    document.body.removeEventListener("keydown", heard);
  });

  it("keeps the selected call selected, and where it is on the screen, while rows change places", () => {
    const run = made({ count: 200, until: 3, seed: 5 });
    shown(run, { status: "running" });
    order("status");
    const at = 20, call = tab.source.callOf(tab.rows[at]);
    tab.list.top = 15 * 26;
    frame.select(call);
    frame.frame();
    const before = tab.indexOf(call) * 26 - tab.list.top;
    const changed = Object.fromEntries(tab.rows.slice(0, 10).map((row) => [row, { ...run.calls[row], status: S.cancelled }]));
    frame.store.model.news({ calls: changed });
    later();
    expect(frame.selected).toBe(call);
    expect(tab.indexOf(call)).toBe(at - 10);
    expect(tab.indexOf(call) * 26 - tab.list.top).toBe(before);
  });

  it("shows rows as they come", () => {
    const run = made({ count: 5, until: 0.2 });
    shown(run, { status: "running" });
    frame.store.model.news({ calls: { 5: { activity: 0, number: 99, status: S.queued, attempts: 0, asked: 0.3 } } });
    later();
    expect([tab.told.textContent, column("id").at(-1)]).toEqual(["6 calls", "load-99"]);
  });

  it("shows names as text", () => {
    const run = made({ count: 3, activities: ["<img src=x>"] });
    shown(run);
    expect(column("activity")[0]).toBe("<img src=x>");
    expect(tab.box.querySelector("img")).toBeNull();
  });

  it("says that nothing was called yet, or at all", () => {
    const none = { ...made({ count: 0 }), calls: [], bars: [], critical: [] };
    shown(none, { status: "running" });
    expect(tab.empty.textContent).toContain("No call yet");
    shown(none);
    expect(tab.empty.textContent).toBe("The workflow made no calls.");
  });
});
