import { describe, expect, test } from "vitest";
import { clean, duration, inOrder, plural, ticking, ticks } from "../src/words.js";

describe("times", () => {
  test.each([[0, "0 s"], [0.0021, "2.1 ms"], [0.25, "250 ms"], [1.234, "1.23 s"], [12.34, "12.3 s"], [61, "1m 01s"], [3599.6, "1h 00m"], [7300, "2h 01m"]])(
    "%d seconds are written %s", (seconds, words) => expect(duration(seconds)).toBe(words));

  test("that change have fewer digits, and are never below none", () => {
    expect([ticking(1.234), ticking(-1), ticking(75)]).toEqual(["1.2 s", "0.0 s", "1m 15s"]);
  });

  test.each([[0.05, 6], [1, 6], [7, 5], [59, 8], [3700, 8], [1e6, 9]])("up to %d s have at most %d round marks", (length, most) => {
    const found = ticks(length, most), steps = found.slice(1).map(([at], i) => at - found[i][0]);
    expect(found.length).toBeGreaterThan(1);
    expect(found.length).toBeLessThanOrEqual(most);
    for (const step of steps) expect(step).toBeCloseTo(steps[0], 9);
    expect(found.at(-1)[0]).toBeLessThanOrEqual(length * 1.000001);
    expect(new Set(found.map(([, word]) => word)).size).toBe(found.length);
  });
});

test("counts are told in one order, without those that are none", () => {
  expect(inOrder({ waiting: 1, failed: 2, done: 3, running: 0 })).toEqual([["done", 3], ["failed", 2], ["waiting", 1]]);
  expect(plural(1, "call") + plural(2000, "call")).toBe("1 call2,000 calls");
});

test("letters that turn the direction or do not show are seen", () => {
  expect(clean("a\u202eb\u0000c\u200bd")).toBe("a�b�c�d");
  expect(clean(undefined)).toBe("");
});
