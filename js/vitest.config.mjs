import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.js"],
    environment: "jsdom",
    pool: "threads",
    maxWorkers: 2,
    restoreMocks: true,
  },
});
