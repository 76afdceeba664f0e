import { describe, expect, test } from "vitest";
import { Camera } from "../src/camera.js";
import { Plan } from "../src/plan.js";
import { NONE } from "../src/store.js";
import { random } from "./made.js";
import { graphOf } from "./page.js";

const planOf = (calls, more) => {
  const { nodes, edges, graph } = graphOf(calls, more);
  return Plan.ofRows(new Map(Object.entries(nodes)), new Map(Object.entries(edges)), graph);
};
const names = (plan, flags) => plan.keys.filter((_, i) => flags[i]);
const diamond = [["a"], ["b", ["a"]], ["c", ["a"]], ["d", ["b", "c"]], ["e"]];

describe("a plan", () => {
  test("knows all that a call needs and all that needs it, and nobody else", () => {
    const plan = planOf(diamond), related = (name) => names(plan, plan.related(plan.keys.indexOf(name)));
    expect(related("b")).toEqual(["a", "b", "d"]);
    expect(related("a")).toEqual(["a", "b", "c", "d"]);
    expect(related("e")).toEqual(["e"]);
  });

  test("leads along edges up and down, aside to the next box, and nowhere past the last", () => {
    const plan = planOf(diamond), from = (name, dx, dy) => plan.keys[plan.step(plan.keys.indexOf(name), dx, dy)];
    expect(from("a", 0, 1)).toBe("b");
    expect(from("b", 1, 0)).toBe("c");
    expect(from("d", 0, -1)).toBe("b");
    expect(from("a", 1, 0)).toBe("e");
    expect(from("d", 0, 1)).toBeUndefined();
  });

  test("goes through dots, where control edges join, and never stops at one", () => {
    const plan = planOf([["a"], ["j", ["a"]], ["b", ["j"]]], { j: { join: true, call: undefined, box: [75, 90, 7, 7] } });
    expect(plan.keys[plan.step(0, 0, 1)]).toBe("b");
    expect(names(plan, plan.related(0))).toEqual(["a", "j", "b"]);
    expect(plan.hit(78, 93)).toBe(-1);
  });

  test("finds the box at a place, as looking at every box would", () => {
    const next = random(5), count = 400, side = () => Float32Array.from({ length: count }, () => next() * 3000);
    const fixed = (value) => new Float32Array(count).fill(value), none = new Uint32Array(0);
    const plan = new Plan({ call: Uint32Array.from({ length: count }, (_, i) => i), x: side(), y: side(), w: fixed(60), h: fixed(30), source: none, target: none, kind: none }, { width: 3060, height: 3030 });
    for (let k = 0; k < 3000; k++) {
      const x = next() * 3100, y = next() * 3100, inside = (i) => x >= plan.x[i] && x <= plan.x[i] + 60 && y >= plan.y[i] && y <= plan.y[i] + 30;
      const found = plan.hit(x, y), any = [...plan.boxes()].some(inside);
      expect(found >= 0).toBe(any);
      if (found >= 0) expect(inside(found)).toBe(true);
    }
  });

  test("finds a small box that is only nearly met, the nearest of two", () => {
    const two = [Uint32Array.of(0, 1), Float32Array.of(39, 43), Float32Array.of(39, 39), Float32Array.of(0.5, 0.5), Float32Array.of(0.5, 0.5)];
    const none = new Uint32Array(0), plan = new Plan({ call: two[0], x: two[1], y: two[2], w: two[3], h: two[4], source: none, target: none, kind: none }, { width: 20, height: 20 });
    expect([plan.hit(42.4, 41), plan.hit(42.4, 41, 3), plan.hit(40.5, 41, 3), plan.hit(42.4, 60, 3)]).toEqual([-1, 1, 0, -1]);
  });

  test("reads a scene as the kernel packs it", () => {
    const view = (array) => new DataView(array.buffer);
    const plan = Plan.ofScene({ width: 50, height: 90, buffers: [view(Uint32Array.of(7, NONE, 9)), ...[[0, 10, 0], [0, 40, 60], [22, 7, 22], [22, 7, 22]].map((side) => view(Float32Array.from(side))),
      view(Uint32Array.of(0, 1)), view(Uint32Array.of(1, 2)), view(Uint8Array.of(1, 1))] });
    expect([plan.count, plan.isDot(1), plan.at.get(9)]).toEqual([3, true, 2]);
    expect(plan.neighbours(0, plan.outs)).toEqual([2]);
    expect(plan.hit(5, 70)).toBe(2);
  });

  test("of ten thousand boxes is made and searched in no time", () => {
    const next = random(2), calls = Array.from({ length: 10_000 }, (_, i) => [`f-${i}`, i > 50 ? [`f-${Math.floor(next() * i)}`] : []]);
    const began = performance.now(), plan = planOf(calls);
    plan.related(0);
    plan.step(5000, 1, 0);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("a camera", () => {
  const plan = { width: 2000, height: 1000, x: [1900], y: [900], w: [100], h: [50], centre: () => [1950, 925] };

  test("shows the whole, in the middle, and never bigger than it is", () => {
    const camera = new Camera();
    camera.fit(plan, 1000, 600);
    expect(camera.k).toBeCloseTo(0.49, 2);
    expect(camera.screen(1000, 500)).toEqual([500, 300]);
    camera.fit({ width: 10, height: 10 }, 1000, 600);
    expect(camera.k).toBe(1);
  });

  test("keeps the place under the pointer when it zooms, within its bounds", () => {
    const camera = new Camera();
    camera.fit(plan, 1000, 600);
    const before = camera.world(700, 200);
    camera.zoom(1.7, 700, 200);
    expect(camera.world(700, 200).map(Math.round)).toEqual(before.map(Math.round));
    for (let i = 0; i < 100; i++) camera.zoom(2, 0, 0);
    expect(camera.k).toBe(6);
    for (let i = 0; i < 100; i++) camera.zoom(0.5, 0, 0);
    expect(camera.k).toBe(0.02);
  });

  test("does not lose the graph, and brings a box into sight", () => {
    const camera = new Camera();
    camera.pan(9e5, -9e5);
    camera.hold(plan, 1000, 600);
    const [left, bottom] = [camera.x, camera.y + 1000];
    expect(left).toBeLessThan(1000);
    expect(bottom).toBeGreaterThan(0);
    expect(camera.reveal(plan, 0, 1000, 600)).toBe(true);
    expect(camera.screen(1950, 925)).toEqual([500, 300]);
    expect(camera.reveal(plan, 0, 1000, 600)).toBe(false);
  });
});
